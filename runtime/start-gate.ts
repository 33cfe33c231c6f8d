// Start gate — whether the nodes of one thread may start, as the disk guard has it.
//
// Owns: the wait until they may again. Leaves to others: the level (disk-guard.ts), which node is
// next (agents/node/node-runner.ts). A timer on this thread and not a call from the launching one:
// only a thread that was refused looks again, and nothing has to be told to threads that start
// anew.

import { limits } from "../base/limits.js";
import { type DiskState, diskLevel } from "./disk-state.js";
import type { System, Timer } from "./system.js";

export class StartGate {
  readonly #system: System;
  readonly #state: DiskState;
  readonly #listeners: (() => void)[] = [];
  #timer: Timer | undefined;
  #closed = false;

  constructor(system: System, state: DiskState) {
    this.#system = system;
    this.#state = state;
  }

  /** False below the second mark; listeners hear when it is true again. Costs one load. */
  mayStart(): boolean {
    if (this.#state.level !== diskLevel.reserve) return true;
    this.#timer ??= this.#lookLater();
    return false;
  }

  /** `listener` is called each time that a gate which has refused somebody is open again. */
  onOpen(listener: () => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #lookLater(): Timer {
    return this.#system.after(limits.diskLookMs, () => {
      this.#timer = undefined;
      if (this.#closed || !this.mayStart()) return;
      for (const listener of this.#listeners) listener();
    });
  }
}
