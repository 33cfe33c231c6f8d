// Suspects — node invocations that were started in a life of the task that died: they run one at a
// time.
//
// Owns: who waits, whose turn it is, and how long a turn is. Leaves to others: what makes a
// suspect and starting it (node-runner.ts), whose turn it is among tasks (the runtime).
//
// Invariants:
//   K1. One at a time has its turn, which ends when it has finished or failed, or after
//       `suspectTimeMs`: whatever kills only later is met by those after it as well.
//   K2. Those that have met the fewest deaths come first: what has met none but this one is most
//       likely innocent, and is done when the culprit's turn comes.

import { assert } from "../../base/invariant.js";
import { limits } from "../../base/limits.js";
import type { TaskPort } from "../../runtime/task-program.js";

interface Suspect {
  readonly arrivalNo: number;
  readonly deaths: number;
}

export class Suspects {
  readonly #port: TaskPort;
  readonly #waiting: Suspect[] = [];
  /** Nobody comes for the next one. */
  #isOver = false;
  #turn: { readonly arrivalNo: number; readonly end: () => void } | undefined;

  constructor(port: TaskPort) {
    this.#port = port;
  }

  /** Those that have not had their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Returns whether it comes late, since it was parked while the others had their turns: somebody
   * has to give it one.
   */
  add(arrivalNo: number, deaths: number): boolean {
    this.#waiting.push({ arrivalNo, deaths });
    const isLate = this.#isOver;
    this.#isOver = false;
    return isLate;
  }

  /** Takes out one that waits, and says whether it did. */
  remove(arrivalNo: number): boolean {
    const at = this.#waiting.findIndex((suspect) => suspect.arrivalNo === arrivalNo);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }

  /** The next one, which no longer waits. */
  take(): number | undefined {
    this.#waiting.sort((a, b) => a.deaths - b.deaths || a.arrivalNo - b.arrivalNo);
    const next = this.#waiting.shift()?.arrivalNo;
    this.#isOver = next === undefined;
    return next;
  }

  /** Gives a suspect its turn: `start` starts it. Resolves when the turn is over. */
  async run(arrivalNo: number, start: () => void): Promise<void> {
    assert(this.#turn === undefined, "one suspect at a time has its turn");
    await new Promise<void>((resolve) => {
      const timer = this.#port.after(limits.suspectTimeMs, () => this.leave(arrivalNo));
      const end = (): void => {
        timer.cancel();
        resolve();
      };
      this.#turn = { arrivalNo, end };
      start();
    });
  }

  /** A row has finished or failed; nothing happens when it is not its turn. */
  leave(arrivalNo: number): void {
    if (this.#turn?.arrivalNo === arrivalNo) this.#endTurn();
  }

  /** None has a turn any more. */
  clear(): void {
    this.#waiting.length = 0;
    this.#endTurn();
  }

  #endTurn(): void {
    this.#turn?.end();
    this.#turn = undefined;
  }
}
