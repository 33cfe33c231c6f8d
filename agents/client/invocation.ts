// Invocation — what can be done with one run of an agent: the contract of every method.
//
// Owns: the interface. Leaves to others: doing it (invocation-handle.ts).

import type { WaitOptions } from "./waiting.js";

/** One run of an agent. */
export interface Invocation<Result> {
  /** `pppppppp-tttttttttttt-rrrrrrrrrrrr`; `AgentClient.get` takes it. */
  readonly id: string;

  /**
   * Resolves with the result as soon as there is one; any number of times, while its record is kept
   * (`limits.invocationsRetainedMax` of each agent and task, pending ones in any case).
   *
   * @throws PartitaError INVOCATION_FAILED when it failed
   * @throws PartitaError INVOCATION_UNKNOWN when this agent has no such invocation, or forgot it
   * @throws PartitaError TASK_EXITED, MAILBOX_FULL, CLOSED: asking again is safe
   */
  result(options?: WaitOptions): Promise<Result>;
}
