// Retention — which invocations a task may forget: those that ended first, beyond a number.
//
// Owns: the order of records that are over, rebuilt from the rows at the start; the choice;
// deleting a record with all rows of its tree. Leaves to others: what a record holds
// (invocation-record.ts), which rows a tree has (small-tree.ts), when an invocation is over
// (invocations.ts).
//
// Invariants:
//   G1. Of each agent the `retainedMax` stay that were over last, and all of which something runs:
//       who waited long for an invocation has as much time to ask for its outcome as anybody.
//   G2. Rows are deleted in whatever frame is in hand, at most `deletesMax` small trees for each
//       message; a tree with more than `smallRowsMax` rows goes page by page (leaving-trees.ts), so
//       that no frame grows beyond a bound on its account.
//   G3. A record goes with the last row of its tree: what a death interrupts is found again.
//   G4. What is not over has no place in the order, and nothing in memory.

import { assert } from "../../base/invariant.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { Fifo } from "../fifo.js";
import { eachRow } from "../table-rows.js";
import { type InvocationId, invocationIdOf, invocationName } from "../wire/invocation-id.js";
import {
  decodeRecord,
  type InvocationRecord,
  invocationTable,
  isOver,
  placeOf,
} from "./invocation-record.js";
import { LeavingTrees } from "./leaving-trees.js";
import { smallTree } from "./small-tree.js";
import { treeTable } from "./tree.js";

/** Records looked at for one message: more than one begins with it, so that a backlog shrinks. */
const deletesMax = 4;
const smallRowsMax = 64;

/** A record in the order. One that was revived has left it: its next place is another. */
interface Place {
  readonly name: string;
  readonly placeNo: number;
}

export class Retention {
  readonly #port: TaskPort;
  readonly #retainedMax: (agent: string) => number;
  /** Records of each agent that are over, the first one first. */
  readonly #over = new Map<string, Fifo<Place>>();
  readonly #leaving: LeavingTrees;

  /** `retainedMax`: how many records of an agent stay. */
  constructor(port: TaskPort, retainedMax: (agent: string) => number) {
    this.#port = port;
    this.#retainedMax = retainedMax;
    this.#leaving = new LeavingTrees(port);
  }

  /**
   * Rebuilds the order from the rows, each of which it shows to `visit`, and returns the highest
   * place in it; 0 without any.
   */
  start(visit: (id: InvocationId, record: InvocationRecord) => void): number {
    const found: (Place & { readonly agent: string })[] = [];
    eachRow(this.#port, invocationTable, {}, (key, value) => {
      const record = decodeRecord(value);
      visit(key, record);
      const { agent, placeNo } = record;
      if (isOver(value)) found.push({ name: invocationName(key), agent, placeNo });
    });
    found.sort((a, b) => a.placeNo - b.placeNo);
    for (const { agent, name, placeNo } of found) this.#orderOf(agent).push({ name, placeNo });
    return found.at(-1)?.placeNo ?? 0;
  }

  /**
   * An invocation is over, and its record has the place that is the last: deletes what may be
   * forgotten of its agent, within the bound (G2).
   */
  over(turn: Turn, agent: string, id: InvocationId, placeNo: number): void {
    const order = this.#orderOf(agent);
    order.push({ name: invocationName(id), placeNo });
    for (let looked = 0; looked < deletesMax; looked += 1) {
      if (order.length <= this.#retainedMax(agent)) return;
      const first = order.shift();
      assert(first !== undefined, "an order beyond a number is not empty");
      const oldest = invocationIdOf(first.name);
      const row = turn.get(invocationTable, oldest);
      assert(row !== undefined, "a record is forgotten once, and only here");
      if (!isOver(row)) continue;
      const place = placeOf(row);
      if (place.placeNo === first.placeNo) this.#forget(turn, oldest, place);
    }
  }

  /** Goes on with what is deleted page by page. */
  collect(turn: Turn): void {
    this.#leaving.collect(turn);
  }

  #forget(
    turn: Turn,
    id: InvocationId,
    { isSpread, extras }: Pick<InvocationRecord, "isSpread" | "extras">,
  ): void {
    const isLarge = extras || (isSpread && this.#leaving.has(turn, id));
    const keys = isLarge ? undefined : isSpread ? smallTree(turn, id, smallRowsMax) : [];
    if (keys === undefined) {
      this.#leaving.add(turn, id);
      return;
    }
    for (const key of keys) turn.delete(treeTable, key);
    turn.delete(invocationTable, id);
  }

  #orderOf(agent: string): Fifo<Place> {
    let order = this.#over.get(agent);
    if (order === undefined) {
      order = new Fifo();
      this.#over.set(agent, order);
    }
    return order;
  }
}
