// Watchdog handle — the launching thread's side of the watchdog: start its thread, tell it of an
// inspector, end it.
//
// Owns: the Worker. Leaves to others: everything it decides (watchdog.ts).

import { url as inspectorUrl } from "node:inspector";
import { Worker } from "node:worker_threads";
import { HandlerNotes } from "./handler-notes.js";
import type { System, Timer } from "./system.js";
import type { WatchdogData } from "./watchdog-thread.js";

export class WatchdogHandle {
  readonly #worker: Worker;
  readonly #system: System;
  readonly #notes: HandlerNotes;
  readonly #beatMs: number;
  #timer: Timer | undefined;
  #closed = false;

  constructor(data: WatchdogData, system: System) {
    this.#system = system;
    this.#beatMs = data.settings.beatMs;
    this.#notes = new HandlerNotes(data.memory, 0);
    this.#lookForInspector();
    // Of the process's flags and variables it needs none: what they preload would run here too.
    this.#worker = new Worker(new URL("./watchdog-thread.js", import.meta.url), {
      name: "partita-watchdog",
      workerData: data,
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 32 },
    });
    this.#worker.unref();
    // A guard that is gone must not go unnoticed, but it takes nothing down with it.
    this.#worker.on("error", (error) => {
      process.emitWarning(`the watchdog has ended: ${error.message}`, "PartitaWarning");
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#worker.terminate();
  }

  /** A thread that a debugger has stopped does not beat; this one does until it is stopped too. */
  #lookForInspector(): void {
    if (this.#closed) return;
    this.#notes.inspected(inspectorUrl() !== undefined);
    this.#timer = this.#system.after(this.#beatMs, () => this.#lookForInspector(), true);
  }
}
