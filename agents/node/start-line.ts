// Start line — the rows that may run as soon as there is a place, in the order in which they came;
// those that may be deadly wait aside for their turns (suspects.ts).
//
// Owns: who is in the line, and which rows need a mark before they start (R7 of node-runner.ts).
// Leaves to others: when somebody starts (node-runner.ts).

import { limits } from "../../base/limits.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { Fifo } from "../fifo.js";
import type { NodeQueue } from "./node-queue.js";
import { Suspects } from "./suspects.js";

export class StartLine {
  readonly suspects: Suspects;
  readonly #port: TaskPort;
  readonly #queue: NodeQueue;
  readonly #ready = new Fifo<number>();
  /** Have left the line. */
  readonly #gone = new Set<number>();
  /** Of an earlier life, with a mark in this one. */
  readonly #marked = new Set<number>();

  /** Lets `runSuspects` go on, if it waits for the port. */
  #release: () => void = () => {};
  #isClosed = false;

  constructor(port: TaskPort, queue: NodeQueue) {
    this.#port = port;
    this.#queue = queue;
    this.suspects = new Suspects(port);
  }

  /** Rows in the line; some of them may have left it. */
  get length(): number {
    return this.#ready.length;
  }

  /** Returns whether it is a suspect that comes late, and to whom somebody has to give its turn. */
  add(arrivalNo: number): boolean {
    const { deaths } = this.#queue.stateOf(arrivalNo);
    const isKnown = deaths > 0 || arrivalNo === this.#port.suspectHint;
    const isSuspect = this.needsMark(arrivalNo) && isKnown && deaths < limits.suspectDeathsMax;
    if (isSuspect) return this.suspects.add(arrivalNo, deaths);
    this.#ready.push(arrivalNo);
    return false;
  }

  /** Takes out the first. */
  shift(): number | undefined {
    let next = this.#ready.shift();
    while (next !== undefined && this.#gone.delete(next)) next = this.#ready.shift();
    return next;
  }

  /** A row that is in the line leaves it. */
  remove(arrivalNo: number): void {
    if (!this.suspects.remove(arrivalNo)) this.#gone.add(arrivalNo);
  }

  /** Runs the suspects, one after the other; resolves when each has had its turn. */
  async runSuspects(start: (arrivalNo: number) => void): Promise<void> {
    for (;;) {
      while (!this.#isClosed && !this.#port.mayStart()) await this.#released();
      const arrivalNo = this.suspects.take();
      if (arrivalNo === undefined || this.#isClosed) return;
      await this.suspects.run(arrivalNo, () => start(arrivalNo));
    }
  }

  /** The port may have changed its mind. */
  release(): void {
    this.#release();
  }

  /** Nobody starts any more. */
  close(): void {
    this.#isClosed = true;
    this.suspects.clear();
    this.#release();
  }

  /** Whether a row is to have a mark before it starts. */
  needsMark(arrivalNo: number): boolean {
    const { boot } = this.#port;
    return boot.unclean && this.#queue.isRecovered(arrivalNo) && !this.#marked.has(arrivalNo);
  }

  /** Its mark is durable. */
  mark(arrivalNo: number): void {
    this.#marked.add(arrivalNo);
  }

  /** A row is gone. */
  forget(arrivalNo: number): void {
    this.#marked.delete(arrivalNo);
  }

  #released(): Promise<void> {
    return new Promise((resolve) => {
      this.#release = resolve;
    });
  }
}
