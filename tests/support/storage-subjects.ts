// Subjects of the storage model: the storage without a disk, and the one on a disk whose power is
// cut.

import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { runCheckpoint } from "../../store/checkpoint.js";
import { MemoryStorage } from "../../store/memory-storage.js";
import { openTaskReader } from "../../store/reader.js";
import type { RecordWrite, TableId, TaskReader, TaskStorage } from "../../store/storage.js";
import { type Durability, openTaskStorage } from "../../store/task-storage.js";
import { smallMemory, taskId } from "./storage-fixture.js";
import type { CrashLuck, StorageSubject } from "./storage-model.js";

const arenaBytes = 1024 * 1024;
/** Where the first frame of a segment stands. */
const segmentHeaderBytes = 64;

/** A checkpoint that takes a few turns before and after its work, so that crashes fall into it. */
async function inTurns<T>(work: () => Promise<T> | T): Promise<T> {
  await nextTurn();
  await nextTurn();
  const result = await work();
  await nextTurn();
  await nextTurn();
  return result;
}

/** The storage without a disk. */
export function memorySubject(durability: Durability): StorageSubject {
  const runCheckpoint = (): Promise<void> => inTurns(() => undefined);
  let storage = MemoryStorage.create({ durability, arenaBytes, runCheckpoint });
  return {
    get storage() {
      return storage;
    },
    get reader() {
      return storage.reader();
    },
    reopen: async () => {
      await storage.close();
      storage = storage.reopen();
    },
    crash: async (luck) => {
      const keepFrames = Math.floor(luck.kept * (storage.volatileFrames + 1));
      storage = storage.crash({ keepFrames });
    },
    close: () => storage.close(),
  };
}

/** The storage on disk, in directories below `parent`. */
export async function diskSubject(parent: string, durability: Durability): Promise<DiskSubject> {
  const subject = new DiskSubject(parent, durability);
  await subject.reopen();
  return subject;
}

/** A storage that tells when frames are on the device: what a power cut must leave. */
class WatchedStorage implements TaskStorage {
  readonly #inner: TaskStorage;
  readonly #directory: string;
  readonly #durability: Durability;
  #segment: string;
  /** Of the newest segment so many bytes are on the device. */
  durableEnd: number;

  constructor(inner: TaskStorage, directory: string, durability: Durability) {
    this.#inner = inner;
    this.#directory = directory;
    this.#durability = durability;
    this.#segment = newestSegment(directory);
    this.durableEnd = inner.stats().arenaBytesUsed;
  }

  get versionLast(): number {
    return this.#inner.versionLast;
  }

  get batchLast(): number {
    return this.#inner.batchLast;
  }

  get batchDurable(): number {
    return this.#inner.batchDurable;
  }

  get: TaskStorage["get"] = (...args) => this.#inner.get(...args);
  page: TaskStorage["page"] = (...args) => this.#inner.page(...args);
  stats: TaskStorage["stats"] = () => this.#inner.stats();
  whenRoom: TaskStorage["whenRoom"] = () => this.#inner.whenRoom();
  close: TaskStorage["close"] = () => this.#inner.close();
  onFailure: TaskStorage["onFailure"] = (listener) => this.#inner.onFailure(listener);

  clear(table: TableId, version: number): void {
    this.#inner.clear(table, version);
  }

  hasRoom(writes: readonly RecordWrite[]): boolean {
    const hasRoom = this.#inner.hasRoom(writes);
    this.#noteSegment();
    return hasRoom;
  }

  append(writes: readonly RecordWrite[]): void {
    this.#inner.append(writes);
  }

  sync(): void {
    this.#inner.sync();
  }

  syncLater(): Promise<void> {
    return this.#inner.syncLater();
  }

  publish(): void {
    this.#inner.publish();
    if (this.#durability === "durable") this.#noteDurable();
  }

  flush(): void {
    this.#inner.flush();
    this.#noteDurable();
  }

  async checkpoint(): Promise<void> {
    const running = this.#inner.checkpoint();
    this.#noteSegment();
    await running;
    this.#noteSegment();
  }

  #noteDurable(): void {
    this.durableEnd = this.#inner.stats().arenaBytesUsed;
  }

  #noteSegment(): void {
    const segment = newestSegment(this.#directory);
    if (segment === this.#segment) return;
    this.#segment = segment;
    this.durableEnd = segmentHeaderBytes;
  }
}

/** See `diskSubject`. */
export class DiskSubject implements StorageSubject {
  readonly #parent: string;
  readonly #durability: Durability;
  #directory: string;
  #life = 0;
  #memory = smallMemory(arenaBytes);
  #storage: WatchedStorage | undefined;
  #reader: TaskReader | undefined;

  constructor(parent: string, durability: Durability) {
    this.#parent = parent;
    this.#durability = durability;
    this.#directory = join(parent, "life-0");
  }

  get storage(): WatchedStorage {
    if (this.#storage === undefined) throw new Error("the subject is closed");
    return this.#storage;
  }

  get reader(): TaskReader {
    const { taskId: id, directory, memory } = this.#place();
    this.#reader ??= openTaskReader({ taskId: id, directory, memory });
    return this.#reader;
  }

  /** Every other time over the memory that was used before, as when a thread starts again. */
  async reopen(): Promise<void> {
    await this.close();
    this.#life += 1;
    if (this.#life % 2 === 0) this.#memory = smallMemory(arenaBytes);
    const durability = this.#durability;
    const inner = await openTaskStorage({
      ...this.#place(),
      durability,
      runCheckpoint: (job) => inTurns(() => runCheckpoint(job)),
    });
    this.#storage = new WatchedStorage(inner, this.#directory, durability);
  }

  /** Goes on in a copy of the directory, as it was at this moment, with the log cut. */
  async crash(luck: CrashLuck): Promise<void> {
    const { storage } = this;
    const survived = join(this.#parent, `life-${this.#life + 1}`);
    mkdirSync(survived);
    cpSync(this.#directory, survived, { recursive: true });
    cutLog(survived, storage.durableEnd, storage.stats().arenaBytesUsed, luck);
    await this.close();
    this.#directory = survived;
    await this.reopen();
  }

  async close(): Promise<void> {
    await this.#reader?.close();
    this.#reader = undefined;
    await this.#storage?.close();
    this.#storage = undefined;
  }

  #place(): { taskId: number; directory: string; memory: ReturnType<typeof smallMemory> } {
    return { taskId, directory: this.#directory, memory: this.#memory };
  }
}

function newestSegment(directory: string): string {
  const names = readdirSync(join(directory, "log")).sort();
  return names.at(-1) ?? "";
}

/** Leaves of the newest segment what is durable and, by luck, some of the rest. */
function cutLog(
  directory: string,
  durableEnd: number,
  publishedEnd: number,
  luck: CrashLuck,
): void {
  const file = join(directory, "log", newestSegment(directory));
  const bytes = readFileSync(file);
  // A frame in hand stands behind what is published; its length is its second word.
  const inHand = bytes.length >= publishedEnd + 8 ? bytes.readUInt32LE(publishedEnd + 4) : 0;
  const writtenEnd = publishedEnd + inHand;
  const cut = durableEnd + Math.floor(luck.kept * (writtenEnd - durableEnd));
  if (luck.tail === "nothing") writeFileSync(file, bytes.subarray(0, cut));
  else {
    const end = luck.tail === "zeros" ? bytes.length : Math.min(cut + 512, bytes.length);
    writeFileSync(file, bytes.fill(0, cut, end));
  }
}
