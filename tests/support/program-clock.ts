// Clock of the program harness: it stands still while anything else can happen, and then goes to
// the next timer.

import type { Timer } from "../../runtime/system.js";

interface PendingTimer {
  readonly dueMs: number;
  readonly action: () => void;
}

export class HarnessClock {
  /** Milliseconds since the epoch. */
  nowMs = 1_700_000_000_000;
  readonly #timers = new Set<PendingTimer>();
  /** Nobody waits for these. */
  readonly #background = new Set<PendingTimer>();

  after(delayMs: number, action: () => void, background = false): Timer {
    const timer = { dueMs: this.nowMs + delayMs, action };
    const timers = background ? this.#background : this.#timers;
    timers.add(timer);
    return { cancel: () => void timers.delete(timer) };
  }

  /** Lets time pass in which nothing is waited for: what goes on in the background happens. */
  pass(ms: number): void {
    this.nowMs += ms;
    for (const timer of [...this.#background]) {
      if (timer.dueMs > this.nowMs) continue;
      this.#background.delete(timer);
      timer.action();
    }
  }

  /** Goes to the earliest timer and lets it happen; false when there is none. */
  advance(): boolean {
    const [next] = [...this.#timers].sort((a, b) => a.dueMs - b.dueMs);
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.nowMs = Math.max(this.nowMs, next.dueMs);
    next.action();
    return true;
  }
}
