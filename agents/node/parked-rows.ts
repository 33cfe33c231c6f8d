// Parked rows — rows that may not run for now: their invocation has failed with them, and its home
// task has not said yet what comes next, or a pause is not over. They keep their gates.
//
// Owns: who is parked, and the timers of pauses. Leaves to others: what parks a row and what runs
// it (node-runner.ts).

import { invocationName } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import type { TaskPort } from "../../runtime/task-program.js";

type Timer = ReturnType<TaskPort["after"]>;

/** What has to be known of a parked row when it goes. */
export interface ParkedRow {
  /** Of its invocation. */
  readonly name: string;
  readonly gate: string | undefined;
}

/** What is kept of a row. */
export function parkedRow({
  run,
  gate,
}: {
  readonly run: RunMessage;
  readonly gate: string | undefined;
}): ParkedRow {
  return { name: invocationName(run.invocationId), gate };
}

export class ParkedRows {
  readonly #port: TaskPort;
  readonly #rows = new Map<number, ParkedRow>();
  /** Of rows whose pause has begun. */
  readonly #pauses = new Map<number, Timer>();

  constructor(port: TaskPort) {
    this.#port = port;
  }

  get size(): number {
    return this.#rows.size;
  }

  has(arrivalNo: number): boolean {
    return this.#rows.has(arrivalNo);
  }

  park(arrivalNo: number, row: ParkedRow): void {
    this.#rows.set(arrivalNo, row);
  }

  /** Begins a pause, in place of one that was begun before; then the row leaves and runs `then`. */
  resume(arrivalNo: number, dueMs: number, then: (row: ParkedRow) => void): void {
    const pauseMs = dueMs - this.#port.now();
    const over = (): void => {
      const row = this.leave(arrivalNo);
      if (row !== undefined) then(row);
    };
    this.#pauses.get(arrivalNo)?.cancel();
    if (pauseMs <= 0) over();
    else this.#pauses.set(arrivalNo, this.#port.after(pauseMs, over));
  }

  /** Takes a row out, if it is here. */
  leave(arrivalNo: number): ParkedRow | undefined {
    const row = this.#rows.get(arrivalNo);
    this.#rows.delete(arrivalNo);
    this.#pauses.get(arrivalNo)?.cancel();
    this.#pauses.delete(arrivalNo);
    return row;
  }

  clear(): void {
    for (const timer of this.#pauses.values()) timer.cancel();
    this.#pauses.clear();
    this.#rows.clear();
  }
}
