// Client — what all clients of the load have in common: lines to the parent, a window of calls
// under way, and what the end of a thread means to them.
//
// A call that is rejected with TASK_EXITED or CLOSED has an unknown outcome: its client does not
// touch that key again in this life, and the parent knows what may be there. Any other rejection is
// a violation of its own.

import { PartitaError, type Runtime } from "../../../index.js";
import { tell } from "../../lines.js";
import type { Violation } from "../orders.js";
import type torture from "../topology.js";

/** The topology, launched. */
export type Tortured = Runtime<(typeof torture)["parts"]>;

/**
 * Lines on their way to the parent. They leave before any call does that is made after them: the
 * runtime posts requests in a microtask too, a later one. So no more calls are unknown to the
 * parent than a window holds.
 */
export class Report {
  #lines = "";

  /** Leaves with others that come at the same time. */
  say(line: string): void {
    if (this.#lines === "") queueMicrotask(() => this.flush());
    this.#lines += `${line}\n`;
  }

  /** Has left when it returns. */
  sayNow(line: string): void {
    this.#lines += `${line}\n`;
    this.flush();
  }

  bad(violation: Violation, text: string): void {
    this.say(`bad ${violation} ${text}`);
  }

  flush(): void {
    const lines = this.#lines;
    this.#lines = "";
    tell(lines);
  }
}

/** What a client works with. */
export interface Load {
  readonly runtime: Tortured;
  readonly report: Report;
  readonly random: () => number;
}

/** A whole number from 0, below `count`. */
export function below(random: () => number, count: number): number {
  return Math.floor(random() * count);
}

/** One of the list. */
export function oneOf<T>(random: () => number, list: readonly T[]): T | undefined {
  return list[below(random, list.length)];
}

const insistPauseMs = 20;

/** Makes a call that has an id until it is answered; false when nothing more can be called. */
export async function insist(call: () => Promise<void>): Promise<boolean> {
  for (;;) {
    try {
      await call();
      return true;
    } catch (error) {
      if (!PartitaError.is(error)) throw error;
      if (error.code === "CLOSED") return false;
      if (error.code !== "TASK_EXITED") throw error;
      await new Promise((resolve) => setTimeout(resolve, insistPauseMs));
    }
  }
}

/** Calls under way, at most so many; and the keys whose newest call has an unknown outcome. */
export class Window {
  readonly #report: Report;
  readonly #most: number;
  readonly #underWay = new Set<Promise<void>>();
  readonly #frozen = new Set<string>();
  #closed = false;

  constructor(report: Report, most: number) {
    this.#report = report;
    this.#most = most;
  }

  /** Nothing more can be called: the runtime has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  isFrozen(key: string): boolean {
    return this.#frozen.has(key);
  }

  /** Resolves when there is room for another call. */
  async room(): Promise<void> {
    while (this.#underWay.size >= this.#most) await Promise.race(this.#underWay);
  }

  /** Resolves when none is under way. */
  async empty(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Begins a call of `key`. */
  begin(key: string, call: () => Promise<void>): void {
    const settled = call().catch((error: unknown) => this.#failed(key, error));
    const done = settled.finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  #failed(key: string, error: unknown): void {
    this.#frozen.add(key);
    if (PartitaError.is(error) && error.code === "CLOSED") this.#closed = true;
    else if (!PartitaError.is(error) || error.code !== "TASK_EXITED") {
      this.#report.bad("lost", `a call of ${key} was rejected: ${String(error)}`);
    }
  }
}
