// What the program harness keeps of one task.

import type { TaskProgram } from "../../runtime/task-program.js";
import type { HarnessBatch } from "./program-batch.js";
import type { HarnessLife } from "./program-port.js";
import type { CommittedRows } from "./program-rows.js";
import type { HarnessThread, Received, Stream } from "./program-thread.js";

export interface HarnessTask {
  readonly id: number;
  readonly rows: CommittedRows;
  /** Durable: newest message applied from each task. */
  readonly marks: Map<number, number>;
  readonly streams: Map<number, Stream>;
  mailbox: Received[];
  /** Applied and not committed. */
  inHand: HarnessBatch | undefined;
  program: TaskProgram;
  /** Starts of the task; every one but the first follows a crash. */
  boots: number;
  /** What the program of this life holds; a dead one's calls have no effect. */
  life: HarnessLife;
  /** The lanes of this life's nodes. */
  thread: HarnessThread;
}
