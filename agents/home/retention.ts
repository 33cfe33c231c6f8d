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
//       message; a tree with more than `smallRowsMax` rows goes in pages, a frame for each, so that
//       no frame grows beyond a bound on its account.
//   G3. A record goes with the last row of its tree: what a death interrupts is found again.

import { assert } from "../../base/invariant.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { Fifo } from "../fifo.js";
import { type InvocationId, invocationIdOf, invocationName } from "../wire/invocation-id.js";
import { encodeCollect } from "../wire/message.js";
import { noBytes } from "../wire/wire-field.js";
import {
  decodeRecord,
  type InvocationRecord,
  invocationTable,
  isOver,
} from "./invocation-record.js";
import { leavingKey, smallTree, treeRange, treeTable } from "./tree.js";

/** Records looked at for one message: more than one begins with it, so that a backlog shrinks. */
const deletesMax = 4;
const smallRowsMax = 64;
/** Rows of one page of a large tree: to find the first of them costs as much as many more. */
const leavingPageRows = 1_024;
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

  /** `retainedMax`: how many records of an agent stay. */
  constructor(port: TaskPort, retainedMax: (agent: string) => number) {
    this.#port = port;
    this.#retainedMax = retainedMax;
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
    const own = invocationName(id);
    if (this.#overdue.delete(own)) this.#doomed.push(own);
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

  /** Deletes a page of a large tree, its record behind the last one (G3). */
  collect(turn: Turn, id: InvocationId): void {
    const rows = this.#port.page(treeTable, treeRange(id), leavingPageRows);
    for (const { key } of rows) turn.delete(treeTable, key);
    if (rows.length > 0) {
      this.#goOn(turn, id);
      return;
    }
    turn.delete(treeTable, leavingKey(id));
    turn.delete(invocationTable, id);
  }

  #forget(turn: Turn, id: InvocationId, extras: boolean): void {
    const isLeaving = turn.get(treeTable, leavingKey(id)) !== undefined;
    const keys = isLeaving || extras ? undefined : smallTree(turn, id, smallRowsMax);
    if (keys === undefined) {
      if (!isLeaving) turn.put(treeTable, leavingKey(id), noBytes, true);
      this.#goOn(turn, id);
      return;
    }
    for (const key of keys) turn.delete(treeTable, key);
    turn.delete(invocationTable, id);
  }

  /** The next page is read when what is deleted of this one is committed. */
  #goOn(turn: Turn, invocationId: InvocationId): void {
    const message = encodeCollect({ kind: "collect", invocationId });
    turn.afterCommit(() => this.#port.submit(message));
  }
}
