// Timer queue — the timers of a simulated clock, the one that is due first at the end.

import type { Timer } from "../runtime/system.js";
import type { Line } from "./simulated-world.js";

interface Pending {
  readonly dueMs: number;
  readonly line: Line;
  readonly action: () => void;
  /** Nobody waits for it. */
  readonly background: boolean;
}

export class TimerQueue {
  /** The latest first; of two that are due together the older one is behind the younger. */
  readonly #pending: Pending[] = [];

  /** Whether there is a timer that somebody waits for. */
  get isAwaited(): boolean {
    return this.#pending.some(({ background }) => !background);
  }

  /** When the next timer is due; infinity when there is none. */
  get nextMs(): number {
    return this.#pending.at(-1)?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  add(dueMs: number, line: Line, action: () => void, background: boolean): Timer {
    const timer: Pending = { dueMs, line, action, background };
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
