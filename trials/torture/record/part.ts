import type { Violation } from "../orders.js";

/** Takes what breaks a promise, in words. */
export type Bad = (violation: Violation, text: string) => void;

/** What is known of one part of the topology. */
export interface Part {
  /** Acknowledged: from now on it must be there. */
  ack(fields: readonly string[]): void;
  /** It is there. */
  found(fields: readonly string[]): void;
  /** Compares the two, and begins the next life from what is there. */
  judge(bad: Bad): void;
  /** Forgets what was found: the process was killed before it had said all. */
  forget(): void;
}
