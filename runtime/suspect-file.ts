// Suspect file — what the watchdog leaves behind for the next launch: <task directory>/suspect.json
//
// Owns: the record, its file and its words. Leaves to others: when it is written (watchdog.ts),
// what a task does with a node that it names (agents).
//
// Invariants:
//   J1. The file is there whole or not at all: written beside, synced, renamed, synced.
//   J2. A file that cannot be read is a suspect of unknown kind, never a reason not to launch.

import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { syncFolder } from "../store/task-files.js";

const suspectFile = "suspect.json";

interface SuspectTime {
  /** The thread that did not beat; 0 is the launching one. */
  readonly thread: number;
  /** The task that it ran; of `unknown`, the first of the thread's. */
  readonly task: number;
  /** When it was last heard of, and when it was stopped, in milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly timeMs: number;
  readonly handlerTimeoutMs: number;
  readonly pid: number;
}

/** What held its thread past the limit. */
export type Suspect = SuspectTime &
  (
    | { readonly kind: "update"; readonly store: string; readonly update: string }
    | {
        readonly kind: "node";
        readonly agent: string;
        readonly node: string;
        /** Number of its row in the queue of the task. */
        readonly arrivalNo: number;
      }
    /** One of those that went on when it was last heard of, this one last. */
    | { readonly kind: "nodes"; readonly agent: string; readonly node: string }
    | { readonly kind: "unknown" }
  );

/** One sentence for people. */
export function diagnosisOf(suspect: Suspect): string {
  const { task, thread, handlerTimeoutMs } = suspect;
  const where = `on thread ${thread} for more than ${handlerTimeoutMs} ms without a pause`;
  switch (suspect.kind) {
    case "update": {
      const { store, update } = suspect;
      return `update "${update}" of store "${store}" (task ${task}) has run ${where}`;
    }
    case "node": {
      const { agent, node } = suspect;
      return `node "${node}" of agent "${agent}" (task ${task}) has run ${where}`;
    }
    case "nodes": {
      const { agent, node } = suspect;
      const others = "or another that went on with it";
      return `node "${node}" of agent "${agent}" (task ${task}), ${others}, has run ${where}`;
    }
    default:
      return `something that is not known has run ${where}`;
  }
}

/** What the watchdog has stopped a process for, and the same in one sentence. */
export type StopReport = Suspect & { readonly diagnosis: string };

/** The newest of them. */
export function stopReport(suspects: readonly Suspect[]): StopReport | undefined {
  const newest = suspects.toSorted((a, b) => b.timeMs - a.timeMs)[0];
  return newest && { ...newest, diagnosis: diagnosisOf(newest) };
}

/**
 * Writes the record into the directory of the suspect's task (J1) and returns its path.
 * Synchronous: the process is about to end.
 */
export function writeSuspect(folder: string, suspect: Suspect): string {
  const path = join(folder, suspectFile);
  const draft = `${path}.new`;
  const file = openSync(draft, "w", 0o600);
  writeSync(file, `${JSON.stringify({ ...suspect, diagnosis: diagnosisOf(suspect) }, null, 2)}\n`);
  fsyncSync(file);
  closeSync(file);
  renameSync(draft, path);
  syncFolder(folder);
  return path;
}

/** The suspects that a stop before has left, by the tasks' directories. */
export function readSuspects(folders: readonly string[]): readonly Suspect[] {
  const found = folders.map(readSuspect);
  return found.filter((suspect) => suspect !== undefined);
}

/** It has been reported and handed on: the next launch does not hear of it again. */
export function removeSuspect(folder: string): void {
  rmSync(join(folder, suspectFile), { force: true });
  syncFolder(folder);
}

function readSuspect(folder: string, task: number): Suspect | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, suspectFile), "utf8");
  } catch {
    return undefined;
  }
  try {
    const record: unknown = JSON.parse(text);
    // cast: writeSuspect alone writes the file, whole or not at all; the check is for the rest.
    if (isSuspectOf(record, task)) return record as Suspect;
  } catch {
    // J2
  }
  const unknown = { thread: 0, sinceMs: 0, timeMs: 0, handlerTimeoutMs: 0, pid: 0 };
  return { kind: "unknown", task, ...unknown };
}

function isSuspectOf(record: unknown, task: number): boolean {
  if (typeof record !== "object" || record === null) return false;
  const { kind, task: named, arrivalNo } = { kind: "", task: -1, arrivalNo: 0, ...record };
  const isNumber = typeof arrivalNo === "number" && Number.isSafeInteger(arrivalNo);
  return named === task && isNumber && ["update", "node", "nodes", "unknown"].includes(kind);
}
