// What the suites of the storage contract are run over: a storage that can be opened, opened again
// and
// read from beside its owner, and the three steps of a commit as one.

import { join } from "node:path";
import { runCheckpoint } from "../../store/checkpoint.js";
import { MemoryStorage, type MemoryStorageOptions } from "../../store/memory-storage.js";
import { openTaskReader } from "../../store/reader.js";
import type { RecordWrite, TableId, TaskReader, TaskStorage } from "../../store/storage.js";
import { createTaskMemory, type TaskMemory } from "../../store/task-memory.js";
import { type Durability, openTaskStorage } from "../../store/task-storage.js";

/** One storage and what surrounds it. */
export interface StorageFixture {
  open(): Promise<TaskStorage>;
  /** Closes what is open and opens it again, as the next process would. */
  reopen(): Promise<TaskStorage>;
  /** A reader beside the owner; it is closed by the fixture. */
  reader(): TaskReader;
  /** Called between operations: does nothing, or what must not change anything. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Opens what a case is tried on; it is closed when the test is over. */
export type Start = () => Promise<{
  readonly fixture: StorageFixture;
  readonly storage: TaskStorage;
}>;

/** Cases by the sentence that their test is called. */
export type Cases = Readonly<Record<string, (start: Start) => Promise<void>>>;

/** Commits one frame; waits for room as the batch loop does. */
export async function commit(
  storage: TaskStorage,
  records: readonly RecordWrite[],
  clears: readonly (readonly [TableId, number])[] = [],
): Promise<void> {
  while (!storage.hasRoom(records)) await storage.whenRoom();
  commitNow(storage, records, clears);
}

/** Commits one frame for which there is room. */
export function commitNow(
  storage: TaskStorage,
  records: readonly RecordWrite[],
  clears: readonly (readonly [TableId, number])[] = [],
): void {
  for (const [table, version] of clears) storage.clear(table, version);
  storage.append(records);
  storage.sync();
  storage.publish();
}

/** The storage without a disk. */
export function memoryFixture(options: MemoryStorageOptions = {}): StorageFixture {
  let storage = MemoryStorage.create(options);
  return {
    open: async () => storage,
    reopen: async () => {
      await storage.close();
      storage = storage.reopen();
      return storage;
    },
    reader: () => storage.reader(),
    settle: async () => {},
    close: () => storage.close(),
  };
}

/** How a storage on disk is opened. */
export interface DiskOptions {
  readonly durability?: Durability;
  readonly arenaBytes?: number;
  /** Runs a checkpoint between any two operations. */
  readonly checkpoints?: boolean;
}

export const taskId = 3;

/** A storage on disk over given memory. */
export function openOnDisk(
  directory: string,
  memory: TaskMemory,
  options: DiskOptions = {},
): Promise<TaskStorage> {
  return openTaskStorage({
    directory,
    taskId,
    memory,
    durability: options.durability ?? "durable",
    runCheckpoint: async (job) => runCheckpoint(job),
  });
}

/** Memory of a task with small arenas. */
export function smallMemory(arenaBytes: number = 1024 * 1024): TaskMemory {
  return createTaskMemory({ arenaBytes });
}

/** The storage on disk, below `parent`. */
export function diskFixture(parent: string, options: DiskOptions = {}): StorageFixture {
  const directory = join(parent, "t0003");
  let memory = smallMemory(options.arenaBytes);
  let storage: TaskStorage | undefined;
  let readers: TaskReader[] = [];
  const close = async (): Promise<void> => {
    for (const reader of readers) await reader.close();
    readers = [];
    await storage?.close();
    storage = undefined;
  };
  const open = async (): Promise<TaskStorage> => {
    storage ??= await openOnDisk(directory, memory, options);
    return storage;
  };
  return {
    open,
    reopen: async () => {
      await close();
      memory = smallMemory(options.arenaBytes);
      return open();
    },
    reader: () => {
      const reader = openTaskReader({ directory, taskId, memory });
      readers.push(reader);
      return reader;
    },
    settle: async () => {
      if (options.checkpoints === true) await storage?.checkpoint();
    },
    close,
  };
}
