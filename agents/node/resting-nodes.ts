// Resting nodes — which nodes of a task do nothing but wait, on record.
//
// Owns: that record, which is in the row of one of its waits, and the same in memory. Leaves to
// others: what a node waits for (waits.ts), what becomes of the functions of those that rest
// (waiting-runs.ts).
//
// Invariants O4 of waits.ts:
//   - the record says so only after everything that the node waits for is on record;
//   - whatever gives the node something to go on with takes it away in the same frame.

import type { Turn } from "../../runtime/task-program.js";
import type { WaitPlace } from "../wire/wait-fields.js";
import type { RestMessage } from "../wire/wait-message.js";
import type { NodeQueue } from "./node-queue.js";
import type { OpenWaits } from "./open-waits.js";
import { decodeWait, encodeWait, waitKey, waitTable } from "./wait-rows.js";

/** What is asked about functions in memory. */
export interface Rested {
  /** The row of a wait is in the frame in hand. */
  recorded(place: WaitPlace): void;
  /** Whether all that a row's function does is to wait for what is on record. */
  isResting(arrivalNo: number): boolean;
  /** Whether its function need not stay in memory. */
  mayBeGivenUp(arrivalNo: number): boolean;
  /** A row is on record as resting, or need not be. */
  rested(arrivalNo: number): void;
}

export class RestingNodes {
  readonly #queue: NodeQueue;
  readonly #open: OpenWaits;
  #functions: Rested | undefined;
  /** As committed, with the number of the wait that says so. */
  readonly #resting = new Map<number, number>();
  /** The same, put by the batch in hand. */
  readonly #fresh = new Map<number, number>();
  /** Have been given something to go on with by the batch in hand. */
  readonly #stirred = new Set<number>();

  constructor(queue: NodeQueue, open: OpenWaits) {
    this.#queue = queue;
    this.#open = open;
  }

  start(functions: Rested): void {
    this.#functions = functions;
  }

  /** A row was left from before, with a wait that says that it rests. */
  found({ arrivalNo, index }: WaitPlace): void {
    this.#resting.set(arrivalNo, index);
  }

  /** Whether a row is on record as resting. */
  has(arrivalNo: number): boolean {
    return this.#resting.has(arrivalNo);
  }

  /** The same, or the batch in hand says so. */
  isNoted(arrivalNo: number): boolean {
    return this.#fresh.has(arrivalNo) || this.#resting.has(arrivalNo);
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
    const index = this.#fresh.get(arrivalNo) ?? this.#resting.get(arrivalNo);
    if (index === undefined) return;
    this.#fresh.delete(arrivalNo);
    this.#say(turn, { arrivalNo, index }, false);
    turn.afterCommit(() => this.#resting.delete(arrivalNo));
  }

  #put(turn: Turn, arrivalNo: number): void {
    const functions = this.#functions;
    const isKnown = this.isNoted(arrivalNo);
    if (functions === undefined || isKnown || this.#stirred.has(arrivalNo)) return;
    if (!functions.isResting(arrivalNo)) return;
    // It has lived long enough to be no suspect.
    const { deaths } = this.#queue.stateOf(arrivalNo);
    if (deaths > 0) {
      this.#queue.store(turn, arrivalNo, { ...this.#queue.stored(turn, arrivalNo), deaths: 0 });
    }
    if (!functions.mayBeGivenUp(arrivalNo)) {
      turn.afterCommit(() => functions.rested(arrivalNo));
      return;
    }
    const index = this.#open.of(arrivalNo).find((at) => {
      return this.#say(turn, { arrivalNo, index: at }, true);
    });
    if (index === undefined) return;
    this.#fresh.set(arrivalNo, index);
    turn.afterCommit(() => {
      if (!this.#fresh.delete(arrivalNo)) return;
      this.#resting.set(arrivalNo, index);
      functions.rested(arrivalNo);
    });
  }

  /** Lets the row of a wait say whether its node rests; false when the wait has ended. */
  #say(turn: Turn, place: WaitPlace, rests: boolean): boolean {
    const key = waitKey(place);
    const row = turn.get(waitTable, key);
    if (row === undefined) return false;
    turn.put(waitTable, key, encodeWait({ ...decodeWait(row), rests }));
    return true;
  }
}
