// Watchdog — decides that a thread is stuck in a handler, and stops the process then.
//
// It looks at the beats of every thread that hosts tasks, in a thread of its own, whose entry is
// watchdog-thread.ts.
// Owns: the decision. Leaves to others: beats and notes (handler-notes.ts), what is written and
// said (suspect-file.ts), the end of the process (system.ts).
//
// Invariants:
//   B1. A thread is stuck when so many looks in a row have seen no beat of it. Looks are counted,
//       not clocks compared: when the whole process stood still, so did the watchdog, and it finds
//       one look without a beat at most.
//   B2. A thread that waits for the device is not stuck in a handler, nor is the launching thread
//       when it runs neither update nor node: it is its owner's, to keep as long as he likes.
//   B3. The suspect is on the device before the process ends, or standard error says why not.

import { limits } from "../base/limits.js";
import type { PlannedStore } from "./plan.js";
import type { HandlerNote, NotesReader } from "./handler-notes.js";
import type { Suspect } from "./suspect-file.js";
import type { System } from "./system.js";

/** What the watchdog is told; data alone. */
export interface WatchdogSettings {
  readonly handlerTimeoutMs: number;
  /** Between two looks, and between two beats. */
  readonly beatMs: number;
  readonly pid: number;
  /** Tasks of each thread: what is stuck without a note is filed with the first of them. */
  readonly tasks: readonly (readonly number[])[];
  /** Names of stores and updates, by table. */
  readonly tables: Readonly<Record<number, TableNames>>;
}

export interface TableNames {
  readonly store: string;
  readonly updates: readonly string[];
}

/** A tenth of the limit, so that a late beat is not taken for a missing one. 0 for no limit. */
export function beatMsOf(handlerTimeoutMs: number): number {
  return Math.min(limits.beatMsMax, Math.floor(handlerTimeoutMs / 10));
}

export function tableNames(stores: Iterable<PlannedStore>): WatchdogSettings["tables"] {
  const named = Array.from(stores, ({ table, name, updateNames }) => {
    return [table, { store: name, updates: updateNames }] as const;
  });
  return Object.fromEntries(named);
}

/** What is known of one thread. */
interface Watched {
  beats: number;
  /** Looks in a row that saw no beat. */
  missed: number;
  /** When a beat was last seen, by the clock on the wall. */
  seenMs: number;
}

export class Watchdog {
  readonly #settings: WatchdogSettings;
  readonly #notes: NotesReader;
  readonly #system: System;
  readonly #stop: (suspect: Suspect) => void;
  readonly #threads: Watched[];
  readonly #missedMax: number;

  /** `stop` ends the process (B3). */
  constructor(
    settings: WatchdogSettings,
    notes: NotesReader,
    system: System,
    stop: (suspect: Suspect) => void,
  ) {
    this.#settings = settings;
    this.#notes = notes;
    this.#system = system;
    this.#stop = stop;
    this.#threads = Array.from({ length: notes.threadCount }, () => {
      return { beats: 0, missed: 0, seenMs: system.now() };
    });
    // One more: the first may come right behind a beat.
    this.#missedMax = Math.ceil(settings.handlerTimeoutMs / settings.beatMs) + 1;
  }

  start(): void {
    this.#system.after(this.#settings.beatMs, () => {
      this.look();
      this.start();
    });
  }

  /** One look at every thread. */
  look(): void {
    const isInspected = this.#notes.inspected;
    for (const [thread, watched] of this.#threads.entries()) {
      const life = this.#notes.life(thread);
      if (isInspected || !life.watched || life.beats !== watched.beats) {
        watched.beats = life.beats;
        watched.missed = 0;
        watched.seenMs = this.#system.now();
        continue;
      }
      const note = this.#notes.note(thread);
      if (!isHandler(note, thread)) {
        watched.missed = 0;
        continue;
      }
      watched.missed += 1;
      if (watched.missed >= this.#missedMax) this.#stop(this.#suspect(thread, note, watched));
    }
  }

  #suspect(thread: number, note: HandlerNote, { seenMs }: Watched): Suspect {
    const { handlerTimeoutMs, pid, tasks, tables } = this.#settings;
    const when = { thread, sinceMs: seenMs, timeMs: this.#system.now(), handlerTimeoutMs, pid };
    switch (note.kind) {
      case "update": {
        const { task, table, update } = note;
        const names = tables[table];
        const store = names?.store ?? `table ${table}`;
        return { kind: "update", task, store, update: names?.updates[update] ?? "?", ...when };
      }
      case "node": {
        const { task, arrivalNo, agent, node } = note;
        return { kind: "node", task, arrivalNo, agent, node, ...when };
      }
      case "nodes": {
        const { task, agent, node } = note;
        return { kind: "nodes", task, agent, node, ...when };
      }
      default:
        return { kind: "unknown", task: tasks[thread]?.[0] ?? 0, ...when };
    }
  }
}

/** B2. On a task thread nothing runs but handlers, so one that is not noted is one all the same. */
function isHandler(note: HandlerNote, thread: number): boolean {
  if (note.kind === "nothing") return thread !== 0;
  return note.kind !== "device";
}
