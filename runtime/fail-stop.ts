// Fail-stop — how the process ends when something is wrong that no caller can mend.
//
// A broken invariant, damaged data met at run time, a failed write: whoever goes on after one of
// these tells others of a state that may not be. So the whole process ends, with a line that says
// who failed at what, and where in the code.
// Owns: what counts as such, and the words. Leaves to others: where to look (task-driver.ts,
// host.ts, router.ts, task-thread.ts), the end itself (system.ts).
//
// Invariants:
//   O1. Of one failure the system is stopped once, however many callers it is thrown through.
//   O2. What a user's code throws is never such a failure: it is wrapped, or ends its own thread.

import { PartitaError } from "../base/errors.js";
import { InvariantViolation } from "../base/invariant.js";
import type { KeyRange, StoredRow, StoredValue, TableId, TaskReader } from "../store/storage.js";
import type { System } from "./system.js";

/** What `System.stop` threw: only simulated ones return like that. */
const stops = new WeakSet<object>();

/** Data that was written is not what is read: no refusal that somebody could handle. */
export function isDamage(error: unknown): boolean {
  return PartitaError.is(error, "STORE_CORRUPT") || PartitaError.is(error, "LOG_CORRUPT");
}

/** An error that can only be ours, wherever it surfaces. */
export function isFault(error: unknown): boolean {
  return error instanceof InvariantViolation || isDamage(error);
}

/** Runs `action`; what it throws stops the system. `who` did `what`: "task 3", "commit". */
export function orStop<T>(system: System, who: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    stopFor(system, who, what, error);
  }
}

/** Ends the process because `who` failed to do `what`. */
export function stopFor(system: System, who: string, what: string, error: unknown): never {
  if (error instanceof Error && stops.has(error)) throw error;
  try {
    system.stop(`${who} failed to ${what}: ${describe(error)}`);
  } catch (stop) {
    if (stop instanceof Error) stops.add(stop);
    throw stop;
  }
}

/**
 * A reader that ends the process when it meets damage. Whoever asked is told first, with the row's
 * task, table and key; then nobody is told anything.
 */
export class StoppingReader implements TaskReader {
  readonly #reader: TaskReader;
  readonly #taskId: number;
  readonly #system: System;

  constructor(reader: TaskReader, taskId: number, system: System) {
    this.#reader = reader;
    this.#taskId = taskId;
    this.#system = system;
  }

  get(table: TableId, key: Uint8Array, keyHash: number): StoredValue | undefined | "busy" {
    try {
      return this.#reader.get(table, key, keyHash);
    } catch (error) {
      throw this.#met(error);
    }
  }

  page(table: TableId, range: KeyRange, limit: number): readonly StoredRow[] | "busy" {
    try {
      return this.#reader.page(table, range, limit);
    } catch (error) {
      throw this.#met(error);
    }
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  #met(error: unknown): unknown {
    if (isDamage(error)) {
      const who = `a reader of task ${this.#taskId}`;
      this.#system.later(() => stopFor(this.#system, who, "read", error));
    }
    return error;
  }
}

/** The message, and the first line of the stack that says where. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = placeOf(error.stack ?? "");
  return `${error.message} (${error.name}${place === undefined ? "" : ` at ${place}`})`;
}

/** `task.js:170:12`, or with the folder before it; paths of the machine are nobody's business. */
function placeOf(stack: string): string | undefined {
  const line = stack.split("\n").find((text) => {
    return text.startsWith("    at ") && !isNobodys.test(text);
  });
  return line === undefined ? undefined : /(?:[^/\\(\s]+[/\\])?[^/\\(\s]+:\d+:\d+/.exec(line)?.[0];
}

/** Node's own lines, and those of `assert` itself. */
const isNobodys = /\(<anonymous>\)|node:|[/\\]base[/\\](?:invariant|errors)\./;
