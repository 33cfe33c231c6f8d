// Storages — where a thread's tasks keep what they have, and how other threads look at it.

import { openTaskReader } from "../store/reader.js";
import type { TaskReader, TaskStorage } from "../store/storage.js";
import type { TaskMemory } from "../store/task-memory.js";
import { type CheckpointRunner, type Durability, openTaskStorage } from "../store/task-storage.js";
import { taskDirectory } from "./directory.js";

/** The storage of every task, by number. */
export interface Storages {
  /** The owner's side; one at a time. @throws PartitaError LOG_CORRUPT, STORE_CORRUPT */
  open(taskId: number): Promise<TaskStorage>;
  /** Another thread's look at a task's storage, opened or not. */
  reader(taskId: number): TaskReader;
}

export interface FileStoragesOptions {
  readonly directory: string;
  readonly memories: readonly TaskMemory[];
  readonly durability: Durability;
  readonly runCheckpoint: CheckpointRunner;
}

/** Storages on disk and in shared memory. */
export function fileStorages(options: FileStoragesOptions): Storages {
  const { durability, runCheckpoint } = options;
  const place = (taskId: number): { directory: string; taskId: number; memory: TaskMemory } => {
    const memory = options.memories[taskId];
    if (memory === undefined) throw new RangeError(`no memory for task ${taskId}`);
    return { directory: taskDirectory(options.directory, taskId), taskId, memory };
  };
  return {
    open: async (taskId) => {
      return await openTaskStorage({ ...place(taskId), durability, runCheckpoint });
    },
    reader: (taskId) => openTaskReader(place(taskId)),
  };
}
