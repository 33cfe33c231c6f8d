// Thread guards — one thread's side of the two guards: the level of the disk, and the watchdog.
//
// Owns: the beat. Leaves to others: levels (disk-guard.ts), what is noted (handler-notes.ts), what
// is refused (router.ts) and held back (start-gate.ts).

import { type DiskSpec, DiskState } from "./disk-state.js";
import { HandlerNotes } from "./handler-notes.js";
import { StartGate } from "./start-gate.js";
import type { System, Timer } from "./system.js";

/** What every thread is told of the guards; data and shared memory. */
export interface GuardSpec {
  readonly disk: DiskSpec;
  /** Memory of handler-notes.ts. */
  readonly notes: SharedArrayBuffer;
  /** Between two beats; 0 when nobody watches. */
  readonly beatMs: number;
}

export class ThreadGuards {
  readonly disk: DiskState;
  readonly gate: StartGate;
  readonly notes: HandlerNotes;
  readonly #system: System;
  readonly #beatMs: number;
  #timer: Timer | undefined;

  constructor(system: System, spec: GuardSpec, thread: number) {
    this.disk = new DiskState(spec.disk);
    this.gate = new StartGate(system, this.disk);
    this.notes = new HandlerNotes(spec.notes, thread);
    this.#system = system;
    this.#beatMs = spec.beatMs;
  }

  /** Tasks begin on this thread: it beats from now on. */
  start(): void {
    if (this.#beatMs === 0) return;
    this.notes.watch();
    this.#beatLater();
  }

  close(): void {
    this.gate.close();
    this.#timer?.cancel();
    this.notes.unwatch();
  }

  #beatLater(): void {
    this.#timer = this.#system.after(
      this.#beatMs,
      () => {
        this.notes.beat();
        this.#beatLater();
      },
      true,
    );
  }
}
