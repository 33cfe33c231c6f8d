// Thread guards — one thread's side of the two guards: the level of the disk, and the watchdog.
//
// Owns: the beat, and how long a note of nodes stands. Leaves to others: levels (disk-guard.ts,
// disk-meter.ts), what is noted (handler-notes.ts), what is refused (router.ts) and held back
// (start-gate.ts).

import type { DiskMarks } from "./disk-guard.js";
import { DiskMeter, type FreeBytes } from "./disk-meter.js";
import { type DiskSpec, DiskState } from "./disk-state.js";
import { HandlerNotes } from "./handler-notes.js";
import { StartGate } from "./start-gate.js";
import type { System, Timer } from "./system.js";
import type { TaskPort } from "./task-program.js";

/** What every thread is told of the guards; data and shared memory. */
export interface GuardSpec {
  readonly disk: DiskSpec;
  /** Memory of handler-notes.ts. */
  readonly notes: SharedArrayBuffer;
  /** Between two beats; 0 when nobody watches. */
  readonly beatMs: number;
  /** Rows that were being run when the watchdog stopped the process before this one, by task. */
  readonly suspectHints: Readonly<Record<number, number>>;
}

type GuardPort = Pick<
  TaskPort,
  "mayStart" | "onMayStart" | "entered" | "left" | "goesOn" | "suspectHint"
>;

export class ThreadGuards {
  readonly disk: DiskState;
  readonly gate: StartGate;
  readonly notes: HandlerNotes;
  readonly #system: System;
  readonly #beatMs: number;
  readonly #hints: GuardSpec["suspectHints"];
  readonly #marks: DiskMarks;
  #timer: Timer | undefined;
  #wiping = false;

  constructor(system: System, spec: GuardSpec, thread: number) {
    this.disk = new DiskState(spec.disk);
    this.gate = new StartGate(system, this.disk);
    this.notes = new HandlerNotes(spec.notes, thread);
    this.#system = system;
    this.#beatMs = spec.beatMs;
    this.#hints = spec.suspectHints;
    this.#marks = spec.disk;
  }

  /** Tasks begin on this thread: it beats from now on. */
  start(): void {
    if (this.#beatMs === 0) return;
    this.notes.watch();
    this.#beatLater();
  }

  /** A task's own looks at the disk; none where space does not run out, or nobody minds. */
  meter(taskCount: number, freeBytes: FreeBytes | undefined): DiskMeter | undefined {
    if (freeBytes === undefined || this.#marks.diskLowBytes === 0) return undefined;
    return new DiskMeter({ state: this.disk, marks: this.#marks, freeBytes, taskCount });
  }

  /** What the program of a task needs of them. */
  portOf(task: number): GuardPort {
    return {
      mayStart: () => this.gate.mayStart(),
      onMayStart: (listener) => this.gate.onOpen(listener),
      entered: (arrivalNo, agent, node) => this.notes.node(task, arrivalNo, agent, node),
      left: () => this.notes.clear(),
      goesOn: (agent, node) => this.#goesOn(task, agent, node),
      suspectHint: this.#hints[task],
    };
  }

  close(): void {
    this.gate.close();
    this.#timer?.cancel();
    this.notes.unwatch();
  }

  /**
   * A node function of a task goes on behind what it waited for. Which one of those that go on in
   * this turn of the event loop is at it cannot be seen, so the note stands until the turn is over.
   */
  #goesOn(task: number, agent: string, node: string): void {
    if (this.#beatMs === 0) return;
    this.notes.nodes(task, agent, node);
    if (this.#wiping) return;
    this.#wiping = true;
    this.#system.later(() => {
      this.#wiping = false;
      this.notes.clear();
    });
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
