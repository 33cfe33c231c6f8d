// Memory storage — the storage contract without a disk: for tests of the runtime, and for a
// simulator.
//
// Mirrors task-storage.ts step by step: a base (what checkpoints have written), a log of frames of
// which
// a prefix is durable, two arenas that are only counted, and what is visible. Deterministic: no
// clock, no
// I/O; a checkpoint takes as long as the promise that it is given.
// Owns: these images, and what a crash leaves of them. Leaves to others: when anything happens.
//
// Invariants:
//   V1. `base` and the durable prefix of the log are the durable image; nothing else survives a
//       crash.
//   V2. What is visible is base and log but the frame in hand, at any time.
//   V3. It is stricter than it must be: a `fresh` record of a live key, a wrong hash, a version
//       that does
//       not rise, or steps out of order are bugs of the caller, and end here.

import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { frameHeaderBytes } from "./frame.js";
import { hashKey } from "./key-hash.js";
import { emptyImage, type Image, type MemoryFrame } from "./memory-image.js";
import { bytesOfValue, recordBytes } from "./record.js";
import type {
  KeyRange,
  RecordWrite,
  StorageStats,
  StoredRow,
  StoredValue,
  TableId,
  TaskReader,
  TaskStorage,
} from "./storage.js";

/** How a MemoryStorage behaves. */
export interface MemoryStorageOptions {
  /** `"durable"` (default) makes `sync` durable; else only `flush`, checkpoints and `close` do. */
  readonly durability?: "durable" | "interval" | "relaxed";
  /** Bytes of one of the two arenas; `limits.arenaBytesDefault` when it is not given. */
  readonly arenaBytes?: number;
  /** How long a checkpoint takes; it fails when the promise rejects. At once when not given. */
  readonly runCheckpoint?: () => Promise<void>;
}

/** What a crash leaves of what was not durable. */
export interface CrashOptions {
  /** So many of the oldest frames that were not durable made it to the disk nevertheless; 0. */
  readonly keepFrames?: number;
}

/** What survives: see V1. */
interface Disk {
  readonly base: Image;
  readonly log: readonly MemoryFrame[];
}

export class MemoryStorage implements TaskStorage {
  readonly #options: MemoryStorageOptions;
  readonly #base: Image;
  readonly #visible: Image;
  /** Frames that are not in `#base`, oldest first; the last may be the one in hand. */
  readonly #log: MemoryFrame[];
  #durableFrames: number;
  #step: "idle" | "appended" | "synced" = "idle";
  #clears: (readonly [TableId, number])[] = [];
  #versionLast: number;
  #batchLast: number;
  #activeBytes = 0;
  #checkpoint: Promise<void> | undefined;
  #failure: unknown;
  #listener: ((error: unknown) => void) | undefined;
  #closing: Promise<void> | undefined;
  #ended = false;
  readonly #stats = { frames: 0, frameBytes: 0, syncs: 0, checkpoints: 0, replayedFrames: 0 };

  private constructor(options: MemoryStorageOptions, disk: Disk) {
    this.#options = options;
    this.#base = disk.base;
    this.#log = [...disk.log];
    this.#durableFrames = disk.log.length;
    this.#visible = disk.base.copy();
    for (const frame of disk.log) {
      this.#visible.apply(frame);
      this.#activeBytes += frame.byteLength;
    }
    this.#versionLast = this.#visible.versionLast;
    this.#batchLast = this.#visible.batchLast;
    this.#stats.replayedFrames = disk.log.length;
  }

  /** A new storage without rows. */
  static create(options: MemoryStorageOptions = {}): MemoryStorage {
    return new MemoryStorage(options, { base: emptyImage(), log: [] });
  }

  get versionLast(): number {
    return this.#versionLast;
  }

  get batchLast(): number {
    return this.#batchLast;
  }

  get batchDurable(): number {
    return this.#log[this.#durableFrames - 1]?.batch ?? this.#base.batchLast;
  }

  /** Frames that a crash now could take; the one in hand is one of them. */
  get volatileFrames(): number {
    return this.#log.length - this.#durableFrames;
  }

  get(table: TableId, key: Uint8Array, keyHash: number): StoredValue | undefined {
    this.#assertUsable();
    assert(keyHash === hashKey(key), "the hash is not the key's");
    return this.#visible.get(table, key);
  }

  page(table: TableId, range: KeyRange, limit: number): readonly StoredRow[] {
    this.#assertUsable();
    return this.#visible.page(table, range, limit);
  }

  clear(table: TableId, version: number): void {
    this.#assertUsable();
    assert(this.#step === "idle", "a clear takes part in the frame that is appended next");
    this.#clears.push([table, version]);
  }

  hasRoom(writes: readonly RecordWrite[]): boolean {
    this.#assertUsable();
    const frameBytes = frameBytesOf(writes);
    const frameBytesMax = this.#arenaBytes();
    if (frameBytes > frameBytesMax) {
      throw new PartitaError("FRAME_TOO_LARGE", { frameBytes, frameBytesMax });
    }
    if (this.#activeBytes + frameBytes <= frameBytesMax) return true;
    if (this.#checkpoint !== undefined) return false;
    void this.#startCheckpoint();
    return true;
  }

  async whenRoom(): Promise<void> {
    this.#assertUsable();
    await this.#checkpoint;
  }

  append(writes: readonly RecordWrite[]): void {
    this.#assertUsable();
    assert(this.#step === "idle", "a frame is in hand already");
    const frameBytes = frameBytesOf(writes);
    assert(this.#activeBytes + frameBytes <= this.#arenaBytes(), "no room was asked for");
    for (const write of writes) this.#assertAllowed(write);
    const frame = {
      batch: this.#batchLast + 1,
      clears: this.#clears,
      records: writes.map(copyOf),
      byteLength: frameBytes,
    };
    for (const { version } of writes) this.#versionLast = Math.max(this.#versionLast, version);
    for (const [, version] of frame.clears) {
      this.#versionLast = Math.max(this.#versionLast, version);
    }
    this.#clears = [];
    this.#batchLast = frame.batch;
    this.#log.push(frame);
    this.#activeBytes += frameBytes;
    this.#stats.frames += 1;
    this.#stats.frameBytes += frameBytes;
    this.#step = "appended";
  }

  sync(): void {
    this.#assertUsable();
    assert(this.#step === "appended", "no appended frame is in hand");
    if ((this.#options.durability ?? "durable") === "durable") this.#makeDurable();
    this.#step = "synced";
  }

  async syncLater(): Promise<void> {
    this.sync();
  }

  publish(): void {
    this.#assertUsable();
    assert(this.#step === "synced", "no synced frame is in hand");
    const frame = this.#log.at(-1);
    assert(frame !== undefined, "the frame in hand is the last of the log");
    this.#visible.apply(frame);
    this.#step = "idle";
  }

  flush(): void {
    this.#assertUsable();
    this.#makeDurable();
  }

  async checkpoint(): Promise<void> {
    this.#assertUsable();
    while (this.#checkpoint !== undefined) await this.#checkpoint;
    this.#assertUsable();
    await this.#startCheckpoint();
  }

  onFailure(listener: (error: unknown) => void): void {
    this.#listener = listener;
  }

  stats(): StorageStats {
    return {
      ...this.#stats,
      arenaBytesUsed: this.#activeBytes,
      arenaBytesMax: this.#arenaBytes(),
      segments: this.#checkpoint === undefined ? 1 : 2,
      cutBytes: 0,
    };
  }

  /** Another look at what is visible; it ends with the storage. */
  reader(): TaskReader {
    let closed = false;
    const visible = (): Image => {
      this.#assertUsable();
      assert(!closed, "the reader is closed");
      return this.#visible;
    };
    return {
      get: (table, key) => visible().get(table, key),
      page: (table, range, limit) => visible().page(table, range, limit),
      close: async () => {
        closed = true;
      },
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Stops at once, as in a power cut, and opens what that leaves. This object is over. */
  crash(options: CrashOptions = {}): MemoryStorage {
    const keepFrames = options.keepFrames ?? 0;
    assert(keepFrames >= 0, () => `${keepFrames} frames cannot be kept`);
    this.#ended = true;
    const log = this.#log.slice(0, this.#durableFrames + keepFrames);
    return new MemoryStorage(this.#options, { base: this.#base.copy(), log });
  }

  /** Opens again what was closed. */
  reopen(): MemoryStorage {
    assert(this.#ended, "only a closed storage is opened again");
    return this.crash();
  }

  async #close(): Promise<void> {
    if (this.#ended) return;
    await this.#checkpoint?.catch(() => undefined);
    if (this.#failure === undefined) this.#makeDurable();
    this.#ended = true;
    // It may have come when nobody asked for anything any more: a checkpoint works by itself.
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Freezes the active arena; what is in it is in the base when the promise resolves. */
  #startCheckpoint(): Promise<void> {
    assert(this.#step === "idle", "a frame is in hand");
    const covered = this.#log.length;
    this.#activeBytes = 0;
    const running = this.#cover(covered);
    this.#checkpoint = running;
    // Who waits hears of a failure; so does every later call. Nobody has to wait.
    running.catch(() => undefined);
    return running;
  }

  async #cover(frames: number): Promise<void> {
    try {
      await Promise.resolve().then(() => this.#options.runCheckpoint?.());
    } catch (error) {
      this.#failure = error;
      this.#listener?.(error);
      throw error;
    } finally {
      this.#checkpoint = undefined;
    }
    if (this.#ended) return;
    for (const frame of this.#log.splice(0, frames)) this.#base.apply(frame);
    this.#durableFrames = Math.max(0, this.#durableFrames - frames);
    this.#base.purge();
    this.#visible.purge();
    this.#stats.checkpoints += 1;
  }

  #makeDurable(): void {
    if (this.#durableFrames === this.#log.length) return;
    this.#durableFrames = this.#log.length;
    this.#stats.syncs += 1;
  }

  #assertAllowed({ table, key, keyHash, version, fresh }: RecordWrite): void {
    assert(
      key.length > 0 && key.length <= limits.keyBytesMax,
      () => `a key of ${key.length} bytes`,
    );
    assert(keyHash === hashKey(key), "the hash is not the key's");
    assert(version > this.#visible.versionLast, () => `version ${version} does not rise`);
    const isCleared = this.#clears.some(([cleared]) => cleared === table);
    const isFree = isCleared || this.#visible.get(table, key) === undefined;
    assert(!fresh || isFree, "a fresh key has a row");
  }

  #arenaBytes(): number {
    return this.#options.arenaBytes ?? limits.arenaBytesDefault;
  }

  #assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    assert(!this.#ended, "the storage is closed");
  }
}

function frameBytesOf(writes: readonly RecordWrite[]): number {
  let total = frameHeaderBytes;
  for (const { key, value } of writes) total += recordBytes(key.length, bytesOfValue(value));
  return total;
}

/** A record of its own: what a writer gives may have more, and changes after the commit. */
function copyOf(write: RecordWrite): RecordWrite {
  const { table, keyHash, version, fresh } = write;
  return {
    table,
    keyHash,
    version,
    fresh,
    key: new Uint8Array(write.key),
    value: write.value instanceof Uint8Array ? new Uint8Array(write.value) : write.value,
  };
}
