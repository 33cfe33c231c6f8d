// Resting nodes — which nodes of a task do nothing but wait, on record.
//
// Owns: that record (wait-rows.ts has its rows), and the same in memory. Leaves to others: what a
// node waits for (waits.ts), what becomes of the functions of those that rest (node-runner.ts).
//
// Invariants O4 of waits.ts:
//   - the record says so only after everything that the node waits for is on record;
//   - whatever gives the node something to go on with takes it away in the same frame.

import type { TaskPort, Turn } from "../../runtime/task-program.js";
import type { WaitPlace } from "../wire/wait-fields.js";
import type { RestMessage } from "../wire/wait-message.js";
import { noBytes } from "../wire/wire-field.js";
import type { NodeQueue } from "./node-queue.js";
import { restingKey, restingRange, restingRowOf, waitTable } from "./wait-rows.js";

const pageRows = 256;

/** What is asked about functions in memory. */
export interface Rested {
  /** The row of a wait is in the frame in hand. */
  recorded(place: WaitPlace): void;
  /** Whether all that a row's function does is to wait for what is on record. */
  isResting(arrivalNo: number): boolean;
  /** A row is on record as resting. */
  rested(arrivalNo: number): void;
}

export class RestingNodes {
  readonly #port: TaskPort;
  readonly #queue: NodeQueue;
  #functions: Rested | undefined;
  /** As committed. */
  readonly #resting = new Set<number>();
  /** Put by the batch in hand. */
  readonly #fresh = new Set<number>();
  /** Have been given something to go on with by the batch in hand. */
  readonly #stirred = new Set<number>();

  constructor(port: TaskPort, queue: NodeQueue) {
    this.#port = port;
    this.#queue = queue;
  }

  /** Reads what was left from before. */
  start(functions: Rested): void {
    this.#functions = functions;
    const { first, to } = restingRange;
    for (let from = first; ; ) {
      const rows = this.#port.page(waitTable, { from, to }, pageRows);
      for (const { key } of rows) {
        this.#resting.add(restingRowOf(key));
        from = new Uint8Array([...key, 0]);
      }
      if (rows.length === 0) return;
    }
  }

  /** Whether a row is on record as resting. */
  has(arrivalNo: number): boolean {
    return this.#resting.has(arrivalNo);
  }

  /** A wait is on record with the frame in hand: it may be all that its node does. */
  recorded(turn: Turn, place: WaitPlace): void {
    this.#functions?.recorded(place);
    this.#put(turn, place.arrivalNo);
  }

  /** A row has had something to go on with, and may rest again. */
  again(turn: Turn, arrivalNo: number): void {
    this.#put(turn, arrivalNo);
  }

  apply(turn: Turn, { isResting, arrivalNos }: RestMessage): void {
    for (const arrivalNo of arrivalNos) {
      if (isResting) this.#put(turn, arrivalNo);
      else this.drop(turn, arrivalNo);
    }
  }

  /** A row has something to go on with, or goes. */
  drop(turn: Turn, arrivalNo: number): void {
    this.#stirred.add(arrivalNo);
    turn.afterCommit(() => this.#stirred.delete(arrivalNo));
    if (!this.#fresh.delete(arrivalNo) && !this.#resting.has(arrivalNo)) return;
    turn.delete(waitTable, restingKey(arrivalNo));
    turn.afterCommit(() => this.#resting.delete(arrivalNo));
  }

  #put(turn: Turn, arrivalNo: number): void {
    const functions = this.#functions;
    const isKnown = this.#fresh.has(arrivalNo) || this.#resting.has(arrivalNo);
    if (functions === undefined || isKnown || this.#stirred.has(arrivalNo)) return;
    if (!functions.isResting(arrivalNo)) return;
    turn.put(waitTable, restingKey(arrivalNo), noBytes);
    this.#fresh.add(arrivalNo);
    // It has lived long enough to be no suspect.
    const { deaths } = this.#queue.stateOf(arrivalNo);
    if (deaths > 0) {
      this.#queue.store(turn, arrivalNo, { ...this.#queue.stored(turn, arrivalNo), deaths: 0 });
    }
    turn.afterCommit(() => {
      if (!this.#fresh.delete(arrivalNo)) return;
      this.#resting.add(arrivalNo);
      functions.rested(arrivalNo);
    });
  }
}
