// Task storage — log, memtable and environment of one task as one thing (the contract: storage.ts).
//
//   append ──► arena + segment        sync ──► device        publish ──► index: visible
//   arena full ──► swap: frozen, a new segment begins ──► checkpoint job ──► kept, segment deleted
//
// Owns: the three steps of a commit, swaps, and what follows a failure. Leaves to others: bytes
// (frame.ts, record.ts), files (segment.ts), the job (checkpoint.ts), opening after a stop
// (recovery.ts).
//
// Invariants:
//   T1-T5 of storage.ts, and
//   T6. A segment is deleted only when the environment has recorded that it covers it.
//   T7. After a failed write, sync or checkpoint every call throws that first failure: nothing is
//       tried again, because after a failed sync nobody knows what the device has.
//   T8. A kept arena is emptied under the odd generation in which it becomes active.

import { join } from "node:path";
import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { Arena, arenaStart } from "./arena.js";
import { Environment } from "./environment.js";
import { frameHeaderBytes, sealFrame } from "./frame.js";
import { IndexKeeper } from "./index-keeper.js";
import { bytesOfFrame, clearsReserve, clearWrites, type PendingFrame } from "./pending-frame.js";
import { type Recovered, recover } from "./recovery.js";
import { Segment } from "./segment.js";
import type {
  KeyRange,
  RecordWrite,
  StorageStats,
  StoredRow,
  StoredValue,
  TableId,
  TaskStorage,
} from "./storage.js";
import type { TaskStorageOptions } from "./storage-options.js";
import { deleteSegment, environmentFolder, syncFolder } from "./task-files.js";
import { ControlWords } from "./task-memory.js";
import { View } from "./view.js";

export type { CheckpointRunner } from "./recovery.js";
export type { Durability } from "./storage-options.js";

/**
 * Opens a task's storage and recovers what its log holds.
 * @throws PartitaError LOG_CORRUPT, STORE_CORRUPT
 */
export async function openTaskStorage(options: TaskStorageOptions): Promise<TaskStorage> {
  const { directory, taskId, memory, runCheckpoint } = options;
  const environmentPath = join(directory, environmentFolder);
  const control = new ControlWords(memory, true);
  control.begin();
  const environment = Environment.open(environmentPath, { taskId, readOnly: false });
  try {
    // It may have been made by a process that was killed before its name was durable.
    syncFolder(environmentPath);
    const arenas = [new Arena(memory.arenas[0], true), new Arena(memory.arenas[1], true)] as const;
    const parts = {
      directory,
      taskId,
      environmentPath,
      environment,
      control,
      arenas,
      runCheckpoint,
    };
    const recovered = await recover(parts);
    const storage = new LogFirstStorage(options, environment, control, arenas, recovered);
    control.end();
    return storage;
  } catch (error) {
    await environment.close();
    throw error;
  }
}

class LogFirstStorage implements TaskStorage {
  readonly #options: TaskStorageOptions;
  readonly #environment: Environment;
  readonly #control: ControlWords;
  readonly #arenas: readonly [Arena, Arena];
  readonly #view: View;
  #active: 0 | 1 = 0;
  #segment: Segment;
  readonly #keeper: IndexKeeper;
  #batch: number;
  #version: number;
  #syncedThrough: number;
  #pending: PendingFrame | undefined;
  #clears = new Map<TableId, number>();
  #checkpoint: Promise<void> | undefined;
  /** A sync in the system's pool: the file stays open for it. */
  #syncing: Promise<void> | undefined;
  #failure: Error | undefined;
  #listener: ((error: unknown) => void) | undefined;
  #closed: Promise<void> | undefined;
  #frames = 0;
  #frameBytes = 0;
  #syncs = 0;
  #checkpoints = 0;
  /** Of what was replayed, figures alone: its bytes are in the arenas. */
  readonly #recovered: Pick<Recovered, "frames" | "cutBytes">;

  constructor(
    options: TaskStorageOptions,
    environment: Environment,
    control: ControlWords,
    arenas: readonly [Arena, Arena],
    recovered: Recovered,
  ) {
    const { directory, taskId } = options;
    this.#options = options;
    this.#environment = environment;
    this.#control = control;
    this.#arenas = arenas;
    this.#view = new View(control, arenas, () => this.#environment);
    // What was recovered can be seen from the next generation on.
    this.#view.begin(control.generation + 1, recovered.known);
    this.#recovered = { frames: recovered.frames, cutBytes: recovered.cutBytes };
    this.#batch = recovered.batch;
    this.#version = recovered.version;
    this.#syncedThrough = recovered.batch;
    const { active, frozen } = recovered;
    const { bytesMax } = arenas[0];
    this.#segment =
      active === undefined
        ? Segment.create(directory, taskId, recovered.batch + 1, bytesMax)
        : Segment.reopen(active.file, bytesMax, active.end);
    const keptBatch = recovered.keptEnd === 0 ? 0 : this.#segment.file.firstBatch;
    this.#keeper = new IndexKeeper(directory, taskId, keptBatch, recovered.keptEnd);
    // What was found may not be on the device yet: the process could have died before it synced.
    this.#segment.sync();
    if (frozen !== undefined) {
      this.#startCheckpoint(1, Segment.reopen(frozen.file, bytesMax, frozen.end), frozen.lastBatch);
    }
  }

  get versionLast(): number {
    return this.#version;
  }

  get batchLast(): number {
    return this.#batch;
  }

  get batchDurable(): number {
    return this.#syncedThrough;
  }

  get(table: TableId, key: Uint8Array, keyHash: number): StoredValue | undefined {
    this.#assertSound();
    return this.#view.get(table, key, keyHash);
  }

  lookAhead(keyHashes: Uint32Array, count: number): number {
    return this.#view.lookAhead(keyHashes, count);
  }

  page(table: TableId, range: KeyRange, limit: number): readonly StoredRow[] {
    this.#assertSound();
    const rows = this.#view.page(table, range, limit);
    assert(rows !== "moved", "only the owner publishes");
    return rows;
  }

  clear(table: TableId, version: number): void {
    assert(this.#pending === undefined, "a clear comes before the frame it belongs to is written");
    this.#clears.set(table, version);
  }

  hasRoom(writes: readonly RecordWrite[]): boolean {
    this.#assertSound();
    const bytes = bytesOfFrame(writes) + clearsReserve.bytes;
    const keys = writes.length + clearsReserve.keys;
    const arena = this.#arenas[this.#active];
    if (!arena.couldFit(bytes, keys)) {
      throw new PartitaError("FRAME_TOO_LARGE", {
        frameBytes: bytes,
        frameBytesMax: arena.bytesMax,
      });
    }
    if (arena.fits(bytes, keys)) return arena.tail + bytes <= this.#segment.writableEnd;
    if (this.#checkpoint !== undefined) return false;
    this.#swap();
    return true;
  }

  async whenRoom(): Promise<void> {
    const waits: Promise<void>[] = [];
    if (this.#checkpoint !== undefined) waits.push(this.#checkpoint);
    if (this.#segment.writableEnd < this.#arenas[this.#active].bytesMax)
      waits.push(this.#segment.filled());
    await Promise.race(waits.length === 0 ? [Promise.resolve()] : waits);
    this.#assertSound();
  }

  append(writes: readonly RecordWrite[]): void {
    this.#assertSound();
    assert(this.#pending === undefined, "one frame in hand at a time");
    const arena = this.#arenas[this.#active];
    const start = arena.tail;
    const written = this.#clears.size === 0 ? writes : [...writes, ...clearWrites(this.#clears)];
    let at = start + frameHeaderBytes;
    for (const write of written) {
      assert(write.version > 0, "versions start at 1");
      at = arena.write(at, write);
      if (write.version > this.#version) this.#version = write.version;
    }
    this.#batch += 1;
    const header = {
      byteLength: at - start,
      batch: this.#batch,
      syncedThrough: this.#syncedThrough,
      records: written.length,
    };
    sealFrame(arena.records.bytes, start, header);
    this.#orFail(() => this.#segment.append(arena.records.bytes, start, at));
    this.#pending = { end: at, clears: this.#clears };
    this.#clears = new Map();
    this.#frames += 1;
    this.#frameBytes += at - start;
  }

  sync(): void {
    this.#assertSound();
    if (this.#options.durability === "durable") this.flush();
  }

  async syncLater(): Promise<void> {
    this.#assertSound();
    const batch = this.#batch;
    if (this.#options.durability !== "durable" || this.#syncedThrough === batch) return;
    const syncing = this.#segment.syncLater();
    this.#syncing = syncing;
    try {
      await syncing;
    } catch (error) {
      throw this.#failed(error);
    } finally {
      this.#syncing = undefined;
    }
    this.#syncs += 1;
    this.#syncedThrough = batch;
  }

  publish(): void {
    this.#assertSound();
    const frame = this.#pending;
    assert(frame !== undefined, "nothing to publish");
    const arena = this.#arenas[this.#active];
    const { durability } = this.#options;
    assert(
      durability !== "durable" || this.#syncedThrough === this.#batch,
      "visible before durable",
    );
    const keys = arena.written;
    if (!arena.hasSlots(keys)) this.#control.exclusively(() => arena.grow(keys));
    if (frame.clears.size > 0) this.#control.begin();
    arena.publishWritten();
    for (const [table, version] of frame.clears) this.#control.setCleared(table, version);
    arena.tail = frame.end;
    this.#control.setPublishedEnd(this.#active, frame.end);
    if (frame.clears.size > 0) this.#control.end();
    this.#pending = undefined;
  }

  flush(): void {
    this.#assertSound();
    if (this.#syncedThrough === this.#batch) return;
    this.#orFail(() => this.#segment.sync());
    this.#syncs += 1;
    this.#syncedThrough = this.#batch;
  }

  async checkpoint(): Promise<void> {
    // Several may wait for the same job, and the next one may begin before they go on.
    while (this.#checkpoint !== undefined) await this.#checkpoint;
    this.#assertSound();
    assert(this.#pending === undefined, "a checkpoint within a commit");
    if (this.#arenas[this.#active].tail > arenaStart) this.#swap();
    await this.#checkpoint;
    this.#assertSound();
  }

  onFailure(listener: (error: unknown) => void): void {
    this.#listener = listener;
  }

  stats(): StorageStats {
    const arena = this.#arenas[this.#active];
    return {
      frames: this.#frames,
      frameBytes: this.#frameBytes,
      syncs: this.#syncs,
      checkpoints: this.#checkpoints,
      arenaBytesUsed: arena.tail,
      arenaBytesMax: arena.bytesMax,
      segments: this.#checkpoint === undefined ? 1 : 2,
      replayedFrames: this.#recovered.frames,
      cutBytes: this.#recovered.cutBytes,
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#checkpoint;
    await this.#syncing?.catch(() => {});
    // A frame in hand is no hindrance: frames before it may have been acknowledged unsynced.
    if (this.#failure === undefined) this.flush();
    const failure = this.#failure;
    if (failure === undefined && this.#pending === undefined) {
      this.#keeper.keep(this.#segment.file.firstBatch, this.#arenas[this.#active]);
    }
    this.#failure ??= new PartitaError("CLOSED", {
      what: `storage of task ${this.#options.taskId}`,
    });
    await this.#segment.close();
    await this.#environment.close();
    // It may have come when nobody asked for anything any more: a checkpoint works by itself.
    if (failure !== undefined) throw failure;
  }

  /**
   * Freezes the active arena, begins a segment for the other, and hands the frozen one to a job.
   */
  #swap(): void {
    assert(
      this.#checkpoint === undefined && this.#pending === undefined,
      "a swap at the wrong time",
    );
    const { directory, taskId } = this.#options;
    const frozen = this.#active;
    const segment = this.#segment;
    this.#active = frozen === 0 ? 1 : 0;
    // Later segments must never have frames that an earlier one has lost.
    this.flush();
    this.#orFail(() => {
      const { bytesMax } = this.#arenas[this.#active];
      this.#segment = Segment.create(directory, taskId, this.#batch + 1, bytesMax);
    });
    this.#control.exclusively(() => {
      this.#arenas[this.#active].empty();
      this.#control.setPublishedEnd(this.#active, arenaStart);
      this.#control.setActive(this.#active);
      this.#control.setOther("frozen");
    });
    this.#startCheckpoint(frozen, segment, this.#batch);
  }

  /** Never rejects: the listener hears of a failure, and every later call throws it. */
  #startCheckpoint(frozen: 0 | 1, segment: Segment, batch: number): void {
    const { directory, taskId, memory, runCheckpoint } = this.#options;
    const environmentPath = join(directory, environmentFolder);
    const arena = memory.arenas[frozen];
    const job = { taskId, environmentPath, arena, batch, version: this.#version };
    const finish = async (): Promise<void> => {
      try {
        await runCheckpoint(job);
        this.#environment.refresh();
        this.#control.exclusively(() => this.#control.setOther("kept"));
        await segment.close();
        deleteSegment(directory, segment.file);
        this.#keeper.forget(segment.file.firstBatch);
        this.#checkpoints += 1;
      } catch (error) {
        const failure = this.#failed(error);
        this.#listener?.(failure);
      } finally {
        this.#checkpoint = undefined;
      }
    };
    this.#checkpoint = finish();
  }

  #orFail(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** The first failure stays (T7). */
  #failed(error: unknown): Error {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    return this.#failure;
  }

  #assertSound(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
