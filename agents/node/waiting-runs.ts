// Waiting runs — of the functions that run, those that only wait; and rows whose functions were
// given up because there were too many of them.
//
// Owns: which they are, longest-waiting first, their bound, and telling functions what their waits
// came to. Leaves to others: what they wait for (node-waits.ts, waits.ts), the record of who rests
// (resting-nodes.ts), running (node-runner.ts).
//
// Invariants:
//   L1. A run that only waits holds no place among those that run: however many wait, work goes on.
//   L2. A row is asleep only while it is on record that it rests. One whose function has gone on
//       by itself stays awake: there is something else that it waits for.
//   L3. A row that gave its key up hears nothing until it has it again.
//   L4. One whose time is limited, or that holds an object of a pool, is neither given up nor on
//       record: it only holds no place. So it is with one that looks at other invocations, or has
//       gone on by itself once and only waits: it is not on record, and a drain waits for it.

import { assert } from "../../base/invariant.js";
import type { TaskPort } from "../../runtime/task-program.js";
import type { WaitPlace } from "../wire/wait-fields.js";
import { encodeTaskWait } from "../wire/wait-message.js";
import type { NodeRun } from "./node-run.js";
import type { Rested, RestingNodes } from "./resting-nodes.js";

/** What follows for the runner. */
export interface WaitingHooks {
  /** A row only waits, on record. */
  rested(run: NodeRun): void;
  /** The function of a row is not in memory any more. */
  giveUp(run: NodeRun): void;
  /** A row that is asleep has something to go on with. */
  goOn(arrivalNo: number): void;
  /** There may be a place for another function. */
  placeFree(): void;
  /** A row only waits for its children to stop. */
  lingers(arrivalNo: number): void;
  /** Whether a row that runs has the key again that it gave up while it rested. */
  regain(run: NodeRun): boolean;
  /** A row waits for an invocation. */
  waitsForChild(arrivalNo: number): void;
}

export class WaitingRuns implements Rested {
  readonly #port: TaskPort;
  readonly #resting: RestingNodes;
  readonly #running: ReadonlyMap<number, NodeRun>;
  readonly #awakeMax: number;
  readonly #hooks: WaitingHooks;
  /** In the order in which they began to wait. */
  readonly #awake = new Map<number, NodeRun>();
  /** The same of those that stay in memory (L4). */
  readonly #bound = new Map<number, NodeRun>();
  /** Look at other invocations, or wait, and do nothing else, off the record (L4). */
  readonly #looking = new Set<number>();
  readonly #asleep = new Set<number>();
  /** Are cancelled, have returned, and wait for their children to stop. */
  readonly #lingering = new Set<number>();
  /** What rows are to hear when they have their keys again (L3). */
  readonly #unheard = new Map<number, ((run: NodeRun) => void)[]>();
  /** Have gone on while they were on record as resting (L2). */
  readonly #restless = new Set<number>();

  constructor(
    port: TaskPort,
    resting: RestingNodes,
    running: ReadonlyMap<number, NodeRun>,
    awakeMax: number,
    hooks: WaitingHooks,
  ) {
    this.#port = port;
    this.#resting = resting;
    this.#running = running;
    this.#awakeMax = awakeMax;
    this.#hooks = hooks;
  }

  /** Functions in memory that only wait, and those that have returned and wait for children. */
  get awake(): number {
    return this.#awake.size + this.#bound.size + this.#lingering.size;
  }

  /** The same, and those that wait or look at others off the record: they hold no place. */
  get placeless(): number {
    return this.awake + this.#looking.size;
  }

  /** The row of a wait is in the frame in hand. */
  recorded({ arrivalNo, index }: WaitPlace): void {
    this.#running.get(arrivalNo)?.waits?.recorded(index);
  }

  /** The outcome of a wait is on record: its function goes on, or runs again. */
  settle({ arrivalNo, index }: WaitPlace, digest: number, outcome: Uint8Array): void {
    this.#goOn(arrivalNo, (run) => run.waits?.settle(index, digest, outcome));
  }

  /** An answer is on record: its function looks at it, or runs again to do so. */
  offer(place: WaitPlace, digest: number, answerNo: number, value: Uint8Array): void {
    this.#goOn(place.arrivalNo, (run) => run.waits?.offer(place, digest, answerNo, value));
  }

  /** A row that runs has its key again: it hears what it was to hear (L3). */
  regained(arrivalNo: number): void {
    const run = this.#running.get(arrivalNo);
    const unheard = this.#unheard.get(arrivalNo) ?? [];
    this.#unheard.delete(arrivalNo);
    if (run !== undefined) for (const hear of unheard) hear(run);
  }

  waitsForChild(arrivalNo: number): void {
    this.#hooks.waitsForChild(arrivalNo);
  }

  isResting(arrivalNo: number): boolean {
    const run = this.#running.get(arrivalNo);
    return run?.isResting === true && !this.#restless.has(arrivalNo);
  }

  mayBeGivenUp(arrivalNo: number): boolean {
    return this.#running.get(arrivalNo)?.isBound === false;
  }

  rested(arrivalNo: number): void {
    const run = this.#running.get(arrivalNo);
    if (run === undefined || !this.isResting(arrivalNo)) return;
    this.#looking.delete(arrivalNo);
    this.#hooks.rested(run);
    (run.isBound ? this.#bound : this.#awake).set(arrivalNo, run);
    for (const [longest, tired] of this.#awake) {
      if (this.#awake.size <= this.#awakeMax) break;
      this.#awake.delete(longest);
      this.#giveUp(longest, tired);
    }
    this.#hooks.placeFree();
  }

  /** What a run waits for has changed. */
  changed(run: NodeRun): void {
    const { arrivalNo } = run.row;
    if (this.#running.get(arrivalNo) !== run) return;
    const isOnRecord = this.#resting.has(arrivalNo);
    if (!run.isResting) {
      this.#awake.delete(arrivalNo);
      this.#bound.delete(arrivalNo);
      if (isOnRecord) this.#stirred(arrivalNo);
    }
    // One that only waits, and is not to be on record again (L2), holds no place either.
    if (!this.isResting(arrivalNo)) this.#look(arrivalNo, run.isLooking || run.isResting);
    else if (!isOnRecord && !this.#bound.has(arrivalNo)) this.#submit(arrivalNo, true);
  }

  #look(arrivalNo: number, isLooking: boolean): void {
    if (!isLooking) this.#looking.delete(arrivalNo);
    else if (!this.#looking.has(arrivalNo)) {
      this.#looking.add(arrivalNo);
      this.#hooks.placeFree();
    }
  }

  /** The run of a row is over. */
  leave(arrivalNo: number): void {
    this.#awake.delete(arrivalNo);
    this.#bound.delete(arrivalNo);
    this.#looking.delete(arrivalNo);
    this.#unheard.delete(arrivalNo);
    this.#lingering.delete(arrivalNo);
  }

  /** A row without a function rests. */
  sleep(arrivalNo: number): void {
    this.#asleep.add(arrivalNo);
  }

  /** A row is asleep no more, whatever becomes of it; returns whether it was. */
  rise(arrivalNo: number): boolean {
    return this.#asleep.delete(arrivalNo);
  }

  /** A row that runs has returned, and goes when its children have stopped. */
  linger(arrivalNo: number): void {
    if (!this.#running.has(arrivalNo)) return;
    this.leave(arrivalNo);
    this.#lingering.add(arrivalNo);
    this.#hooks.lingers(arrivalNo);
    this.#hooks.placeFree();
  }

  /** A row is gone. */
  forget(arrivalNo: number): void {
    this.leave(arrivalNo);
    this.#asleep.delete(arrivalNo);
    this.#restless.delete(arrivalNo);
  }

  clear(): void {
    this.#awake.clear();
    this.#bound.clear();
    this.#looking.clear();
    this.#unheard.clear();
    this.#asleep.clear();
    this.#lingering.clear();
  }

  /** Something is there for a row: its function hears of it, or runs again. */
  #goOn(arrivalNo: number, hear: (run: NodeRun) => void): void {
    const run = this.#running.get(arrivalNo);
    const unheard = this.#unheard.get(arrivalNo);
    if (unheard !== undefined) unheard.push(hear);
    else if (run === undefined) this.#wake(arrivalNo);
    else if (this.#hooks.regain(run)) hear(run);
    else this.#unheard.set(arrivalNo, [hear]);
  }

  #wake(arrivalNo: number): void {
    if (this.#asleep.delete(arrivalNo)) this.#hooks.goOn(arrivalNo);
  }

  #giveUp(arrivalNo: number, run: NodeRun): void {
    assert(!run.isBound, "a node that is to stay in memory was given up");
    run.forget(() => {
      if (!this.#asleep.has(arrivalNo)) return;
      this.#stirred(arrivalNo);
      this.#wake(arrivalNo);
    });
    this.#asleep.add(arrivalNo);
    this.#hooks.giveUp(run);
  }

  /** A function has gone on by itself: that it rests is no longer so. */
  #stirred(arrivalNo: number): void {
    this.#restless.add(arrivalNo);
    this.#submit(arrivalNo, false);
  }

  #submit(arrivalNo: number, isResting: boolean): void {
    this.#port.submit(encodeTaskWait({ kind: "rest", isResting, arrivalNos: [arrivalNo] }));
  }
}
