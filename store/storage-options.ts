// Storage options — what one task's storage on disk is opened with (task-storage.ts).

import type { CheckpointRunner } from "./recovery.js";
import type { TaskMemory } from "./task-memory.js";

/**
 * When a frame is on the device: before it is visible, every few milliseconds, or when the system
 * likes.
 */
export type Durability = "durable" | "interval" | "relaxed";

export interface TaskStorageOptions {
  /** The task's directory; made when it is missing. */
  readonly directory: string;
  readonly taskId: number;
  /** Fresh memory, or that of a thread that has died: it is rebuilt from the log. */
  readonly memory: TaskMemory;
  readonly durability: Durability;
  readonly runCheckpoint: CheckpointRunner;
}
