// Leaving trees — those that are forgotten page by page, since they are large, or have rows that
// no node invocation leads to.
//
// The first page of a table costs as much as many rows more, as long as nothing is written in
// between. So one message takes as many trees as fit its bound, and under load many trees wait for
// the next one.
// Owns: these trees, and their order. Leaves to others: which trees are forgotten (retention.ts).
//
// Invariants:
//   W1. A tree that leaves has a row that says so before the first of its rows goes, and its record
//       until the last one has gone: a death in between is made good when its turn comes again.
//   W2. At most `rowsMax` rows go with one frame, and one message to go on is under way.

import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { Fifo } from "../fifo.js";
import { type InvocationId, invocationIdOf, invocationName } from "../wire/invocation-id.js";
import { encodeCollect } from "../wire/message.js";
import { noBytes } from "../wire/wire-field.js";
import { invocationTable } from "./invocation-record.js";
import { leavingKey, treeRange, treeTable } from "./tree.js";

const rowsMax = 1_024;

export class LeavingTrees {
  readonly #port: TaskPort;
  /** Names of invocations whose rows are still to go. */
  readonly #names = new Fifo<string>();
  /** The one whose rows are going, and the key behind those that have gone. */
  #current: { readonly id: InvocationId; readonly from: Uint8Array | undefined } | undefined;
  #isUnderWay = false;

  constructor(port: TaskPort) {
    this.#port = port;
  }

  /** Whether rows of a tree have gone, or are about to. */
  has(turn: Turn, id: InvocationId): boolean {
    return turn.get(treeTable, leavingKey(id)) !== undefined;
  }

  /** A tree leaves; when one life has begun with it, the next goes on. */
  add(turn: Turn, id: InvocationId): void {
    if (!this.has(turn, id)) turn.put(treeTable, leavingKey(id), noBytes, true);
    turn.afterCommit(() => {
      this.#names.push(invocationName(id));
      this.#goOn();
    });
  }

  /** Deletes what fits one frame (W2). */
  collect(turn: Turn): void {
    for (let left = rowsMax; left > 0; ) {
      const current = this.#current ?? this.#next();
      if (current === undefined) break;
      const { id, from } = current;
      const range = from === undefined ? treeRange(id) : { ...treeRange(id), from };
      const rows = this.#port.page(treeTable, range, left);
      left -= Math.max(1, rows.length);
      for (const { key } of rows) turn.delete(treeTable, key);
      const last = rows.at(-1);
      this.#current = last && { id, from: new Uint8Array([...last.key, 0]) };
      if (last !== undefined) continue;
      turn.delete(treeTable, leavingKey(id));
      turn.delete(invocationTable, id);
    }
    turn.afterCommit(() => {
      this.#isUnderWay = false;
      if (this.#current !== undefined || this.#names.length > 0) this.#goOn();
    });
  }

  #next(): { readonly id: InvocationId; readonly from: undefined } | undefined {
    const name = this.#names.shift();
    return name === undefined ? undefined : { id: invocationIdOf(name), from: undefined };
  }

  #goOn(): void {
    if (this.#isUnderWay) return;
    this.#isUnderWay = true;
    this.#port.submit(encodeCollect({ kind: "collect" }));
  }
}
