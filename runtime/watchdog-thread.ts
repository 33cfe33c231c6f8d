// Watchdog thread — the entry of the worker thread that watches the others.

import { isMainThread, workerData } from "node:worker_threads";
import { assert } from "../base/invariant.js";
import { NotesReader } from "./handler-notes.js";
import { diagnosisOf, type Suspect, writeSuspect } from "./suspect-file.js";
import { realSystem } from "./system.js";
import { Watchdog, type WatchdogSettings } from "./watchdog.js";

/** What the watchdog thread is started with. */
export interface WatchdogData {
  /** Directories of the tasks, by number. */
  readonly folders: readonly string[];
  readonly memory: SharedArrayBuffer;
  readonly settings: WatchdogSettings;
}

assert(!isMainThread, "watchdog-thread.js is the entry of a worker thread");
// cast: watchdog-handle.ts passes exactly this.
const { folders, memory, settings } = workerData as WatchdogData;

new Watchdog(settings, new NotesReader(memory), realSystem, stop).start();

function stop(suspect: Suspect): never {
  let recorded: string;
  try {
    const folder = folders[suspect.task];
    assert(folder !== undefined, () => `there is no task ${suspect.task}`);
    recorded = `recorded in ${writeSuspect(folder, suspect)}`;
  } catch (error) {
    recorded = `not recorded: ${error instanceof Error ? error.message : String(error)}`;
  }
  realSystem.stop(`${diagnosisOf(suspect)}; ${recorded}`);
}
