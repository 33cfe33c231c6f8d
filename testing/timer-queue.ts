// Timer queue — the timers of a simulated clock, the one that is due first at the end.

import type { Timer } from "../runtime/system.js";
import type { Line } from "./simulated-world.js";

interface Pending {
  readonly dueMs: number;
  readonly line: Line;
  readonly action: () => void;
}

export class TimerQueue {
  /** The latest first; of two that are due together the older one is behind the younger. */
  readonly #pending: Pending[] = [];

  get length(): number {
    return this.#pending.length;
  }

  /** When the next timer is due; infinity when there is none. */
  get nextMs(): number {
    return this.#pending.at(-1)?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  add(dueMs: number, line: Line, action: () => void): Timer {
    const timer: Pending = { dueMs, line, action };
    let at = this.#pending.length;
    while (at > 0 && (this.#pending[at - 1]?.dueMs ?? 0) <= dueMs) at -= 1;
    this.#pending.splice(at, 0, timer);
    return {
      cancel: () => {
        const found = this.#pending.indexOf(timer);
        if (found >= 0) this.#pending.splice(found, 1);
      },
    };
  }

  /** Takes the timer that is due first, when it is due at `nowMs`. */
  take(nowMs: number): Pending | undefined {
    return this.nextMs <= nowMs ? this.#pending.pop() : undefined;
  }

  /** Drops the timers of a line. */
  drop(dropped: Line): void {
    const kept = this.#pending.filter(({ line }) => line !== dropped);
    this.#pending.splice(0, this.#pending.length, ...kept);
  }
}
