// Manual system — time, chance, the event loop and the end of the process in the hands of a test.
//
// Nothing runs by itself: `run` turns the loop. Invariants Y1 and Y2 of runtime/system.ts, with one
// difference: `stop` throws to its caller instead of ending the process, and is recorded.

import type { System, Timer } from "../../runtime/system.js";
import { seededRandom } from "../../testing/seeded-random.js";

/** What `stop` throws: the code under test must not go on behind it. */
export class SystemStopped extends Error {}

export class ManualSystem implements System {
  nowMs = 1_700_000_000_000;
  elapsedMs = 0;
  readonly stops: string[] = [];
  readonly random: () => number;
  readonly #soon: (() => void)[] = [];
  readonly #later: (() => void)[] = [];
  #timers: { readonly dueMs: number; readonly action: () => void }[] = [];

  /** Threads that would choose alike need a seed each. */
  constructor(seed = 7) {
    this.random = seededRandom(seed);
  }

  now(): number {
    return this.nowMs;
  }

  elapsed(): number {
    return this.elapsedMs;
  }

  soon(action: () => void): void {
    this.#soon.push(action);
  }

  later(action: () => void): void {
    this.#later.push(action);
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = { dueMs: this.elapsedMs + delayMs, action };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  stop(diagnosis: string): never {
    this.stops.push(diagnosis);
    throw new SystemStopped(diagnosis);
  }

  /** Runs the next callback; false when there is none. */
  step(): boolean {
    const action = this.#soon.shift() ?? this.#later.shift();
    action?.();
    return action !== undefined;
  }

  /** Runs callbacks until none is left. */
  run(): void {
    while (this.step());
  }

  /** Runs callbacks, and the promises they settle, until nothing is left. */
  async settle(): Promise<void> {
    do {
      this.run();
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    } while (this.step());
  }

  /** Moves the clock and runs the timers that are due. */
  advance(byMs: number): void {
    this.elapsedMs += byMs;
    this.nowMs += byMs;
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.elapsedMs);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const { action } of due) action();
    this.run();
  }
}
