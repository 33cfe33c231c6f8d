// Retention — which invocation records a task may forget: the oldest ended ones beyond a number.
//
// Owns: the order of records in memory, rebuilt from the rows at the start, and the choice.
// Leaves to others: what a record holds (invocation-record.ts) and when one ends (execution.ts).
//
// Invariants:
//   G1. Of each agent the newest `retainedMax` records stay, ended or not, and all pending ones.
//   G2. A record is deleted in whatever frame is in hand; at most `deletesMax` for each message, so
//       no frame grows beyond a bound on its account.

import { assert } from "../../base/invariant.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { Fifo } from "../fifo.js";
import { invocationIdOf, invocationName } from "../wire/invocation-id.js";
import { decodeRecord, hasEnded, invocationTable } from "./invocation-record.js";

/** Records looked at for one message: more than one begins with it, so that a backlog shrinks. */
const deletesMax = 4;
const pageRows = 64;

export class Retention {
  readonly #retainedMax: number;
  /** Names of the newest records of each agent, oldest first. */
  readonly #newest = new Map<string, Fifo<string>>();
  /** Pending records beyond the newest. */
  readonly #overdue = new Set<string>();
  /** Ended records beyond the newest. */
  readonly #doomed = new Fifo<string>();

  constructor(retainedMax: number) {
    this.#retainedMax = retainedMax;
  }

  /** Rebuilds the order from the rows and returns the highest number of a record; 0 without any. */
  start(port: TaskPort): number {
    const found: { readonly name: string; readonly agent: string; readonly createdNo: number }[] =
      [];
    for (let from: Uint8Array = new Uint8Array(0); ; ) {
      const range = from.length === 0 ? {} : { from };
      const rows = port.page(invocationTable, range, pageRows);
      for (const row of rows) {
        const { agent, createdNo } = decodeRecord(row.value);
        found.push({ name: invocationName(row.key), agent, createdNo });
        from = successorOf(row.key);
      }
      if (rows.length === 0) break;
    }
    found.sort((a, b) => a.createdNo - b.createdNo);
    for (const { agent, name } of found) this.began(agent, name);
    return found.at(-1)?.createdNo ?? 0;
  }

  /** A record was written for the first time. */
  began(agent: string, name: string): void {
    let newest = this.#newest.get(agent);
    if (newest === undefined) {
      newest = new Fifo();
      this.#newest.set(agent, newest);
    }
    newest.push(name);
  }

  /** The invocation of a record has ended. */
  ended(name: string): void {
    if (this.#overdue.delete(name)) this.#doomed.push(name);
  }

  /** Deletes what may be forgotten of an agent's records, within the bound (G2). */
  collect(turn: Turn, agent: string): void {
    const newest = this.#newest.get(agent);
    for (let looked = 0; looked < deletesMax; looked += 1) {
      const beyond = newest !== undefined && newest.length > this.#retainedMax;
      const name = this.#doomed.shift() ?? (beyond ? newest.shift() : undefined);
      if (name === undefined) return;
      const id = invocationIdOf(name);
      const row = turn.get(invocationTable, id);
      assert(row !== undefined, "a record is forgotten once, and only here");
      if (hasEnded(row)) turn.delete(invocationTable, id);
      else this.#overdue.add(name);
    }
  }
}

/** The first key behind one of this length. */
function successorOf(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
