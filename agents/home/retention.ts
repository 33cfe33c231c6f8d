// Retention — which invocations a task may forget: the oldest beyond a number, when all of them is
// over.
//
// Owns: the order of records in memory, rebuilt from the rows at the start; the choice; deleting a
// record with all rows of its tree. Leaves to others: what a record holds (invocation-record.ts),
// which rows a tree has (tree.ts), when an invocation is over (invocations.ts).
//
// Invariants:
//   G1. Of each agent the newest `retainedMax` records stay, and all of which something runs.
//   G2. Rows are deleted in whatever frame is in hand, at most `deletesMax` small trees for each
//       message; a tree with more than `smallRowsMax` rows goes page by page (leaving-trees.ts), so
//       that no frame grows beyond a bound on its account.
//   G3. A record goes with the last row of its tree: what a death interrupts is found again.

import { assert } from "../../base/invariant.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { Fifo } from "../fifo.js";
import { type InvocationId, invocationIdOf, invocationName } from "../wire/invocation-id.js";
import { noBytes } from "../wire/wire-field.js";
import {
  decodeRecord,
  type InvocationRecord,
  invocationTable,
  isOver,
} from "./invocation-record.js";
import { LeavingTrees } from "./leaving-trees.js";
import { smallTree, treeTable } from "./tree.js";

/** Records looked at for one message: more than one begins with it, so that a backlog shrinks. */
const deletesMax = 4;
const smallRowsMax = 64;
const pageRows = 64;

export class Retention {
  readonly #port: TaskPort;
  readonly #retainedMax: (agent: string) => number;
  /** Names of the newest records of each agent, oldest first. */
  readonly #newest = new Map<string, Fifo<string>>();
  /** Records beyond the newest that are not over. */
  readonly #overdue = new Set<string>();
  /** Records beyond the newest that are over. */
  readonly #doomed = new Fifo<string>();
  readonly #leaving: LeavingTrees;

  /** `retainedMax`: how many records of an agent stay. */
  constructor(port: TaskPort, retainedMax: (agent: string) => number) {
    this.#port = port;
    this.#retainedMax = retainedMax;
    this.#leaving = new LeavingTrees(port);
  }

  /**
   * Rebuilds the order from the rows, each of which it shows to `visit`, and returns the highest
   * number of a record; 0 without any.
   */
  start(visit: (id: InvocationId, record: InvocationRecord) => void): number {
    const found: { readonly name: string; readonly agent: string; readonly createdNo: number }[] =
      [];
    for (let from: Uint8Array = noBytes; ; ) {
      const range = from.length === 0 ? {} : { from };
      const rows = this.#port.page(invocationTable, range, pageRows);
      for (const row of rows) {
        const record = decodeRecord(row.value);
        visit(row.key, record);
        const { agent, createdNo } = record;
        found.push({ name: invocationName(row.key), agent, createdNo });
        from = new Uint8Array([...row.key, 0]);
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

  /** An invocation is over: deletes what may be forgotten of its agent, within the bound (G2). */
  over(turn: Turn, agent: string, id: InvocationId): void {
    if (this.#overdue.size > 0) {
      const own = invocationName(id);
      if (this.#overdue.delete(own)) this.#doomed.push(own);
    }
    const newest = this.#newest.get(agent);
    for (let looked = 0; looked < deletesMax; looked += 1) {
      const beyond = newest !== undefined && newest.length > this.#retainedMax(agent);
      const name = this.#doomed.shift() ?? (beyond ? newest.shift() : undefined);
      if (name === undefined) return;
      const oldest = invocationIdOf(name);
      const row = turn.get(invocationTable, oldest);
      assert(row !== undefined, "a record is forgotten once, and only here");
      if (isOver(row)) this.#forget(turn, oldest, decodeRecord(row).extras);
      else this.#overdue.add(name);
    }
  }

  /** Goes on with what is deleted page by page. */
  collect(turn: Turn): void {
    this.#leaving.collect(turn);
  }

  #forget(turn: Turn, id: InvocationId, extras: boolean): void {
    const isLarge = extras || this.#leaving.has(turn, id);
    const keys = isLarge ? undefined : smallTree(turn, id, smallRowsMax);
    if (keys === undefined) {
      this.#leaving.add(turn, id);
      return;
    }
    for (const key of keys) turn.delete(treeTable, key);
    turn.delete(invocationTable, id);
  }
}
