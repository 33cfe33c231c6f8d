// Torment — one directory, and the lives and deaths of the process that has it open.
//
//   launch ─► says what is there ─► compared ─► load ─► fate ─► gone ─► launch …
//      └─► killed while it recovers ─► launch
//
// Owns: the order of a cycle, and what counts as its failure. Leaves to others: the process
// (life.ts), what is to happen (fate.ts), what must be there (record/).

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../testing/index.js";
import { chooseFate, type End, type Fate } from "./fate.js";
import { Life } from "../life.js";
import { pause, within } from "../within.js";
import type { StrikeOrder } from "./orders.js";
import { Expectations } from "./record/expectations.js";

/** A machine that is busy with other things is slow, and no violation. */
const recoveryMsDefault = 300_000;
const stoppedMs = 40;
const closeMsMax = 300_000;
const strikeMsMax = 1_500;
/** Enough for the load, and soon used up by a node that wants it all. */
const heapMegabytes = 96;

export interface TormentOptions {
  /** The program of the process. */
  readonly file: string;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Time a process has to serve and to finish what was accepted. Default 300,000 ms. */
  readonly recoveryMsMax?: number;
  readonly say: (line: string) => void;
}

/** How often something was hit. */
export type Hits = Map<string, number>;

export class Torment {
  readonly expectations: Expectations;
  readonly hits: Hits = new Map();
  readonly directory = mkdtempSync(join(tmpdir(), "partita-torture-"));
  readonly #file: string;
  readonly #seed: number;
  readonly #signal: AbortSignal;
  readonly #random: () => number;
  readonly #recoveryMsMax: number;
  #cycle = 0;

  constructor({ file, seed, signal, recoveryMsMax, say }: TormentOptions) {
    this.#file = file;
    this.#seed = seed;
    this.#signal = signal;
    this.#recoveryMsMax = recoveryMsMax ?? recoveryMsDefault;
    this.#random = seededRandom(seed);
    this.expectations = new Expectations((line) => {
      say(`${line} (--seed ${seed}, cycle ${this.#cycle}, directory ${this.directory})`);
    }, Date.now);
  }

  /** Launches, compares, loads, ends. */
  async cycle(): Promise<void> {
    this.#cycle += 1;
    const fate = chooseFate(this.#random);
    for (const afterMs of fate.recoveryKillsMs) {
      if (!this.#over) await this.#killRecovering(fate, afterMs);
    }
    await this.#live(fate);
  }

  /** Launches and compares a last time, and closes in order. */
  async finish(): Promise<void> {
    const quiet: Fate = { ...chooseFate(this.#random), end: "close", afterMs: 0 };
    await this.#live(quiet);
  }

  /** Removes the directory, unless it shows a violation. */
  dispose(): void {
    if (!this.expectations.violated) rmSync(this.directory, { recursive: true, force: true });
  }

  get #over(): boolean {
    return this.#signal.aborted || this.expectations.violated;
  }

  async #killRecovering(fate: Fate, afterMs: number): Promise<void> {
    const life = this.#launch(fate);
    if (await life.heard("launching")) await pause(afterMs, this.#signal);
    if (life.hasEnded) await this.#diedOfItself("while it recovered", life);
    await life.kill();
    this.expectations.forget();
    this.#hit(life.said("recovered") === "" ? "recovering" : "recovered");
  }

  async #live(fate: Fate): Promise<void> {
    const life = this.#launch(fate);
    try {
      const isBack = await within(this.#recoveryMsMax, this.#signal, life.heard("recovered"));
      if (this.#signal.aborted) return;
      if (isBack !== true) {
        if (isBack === false) await this.#diedOfItself("while it recovered", life);
        else this.expectations.bad("lost", `it does not serve after ${this.#recoveryMsMax} ms`);
        return;
      }
      this.expectations.judge();
      if (this.#over) return;
      life.order(this.expectations.load(this.#seed + this.#cycle));
      await life.heard("loading");
      await pause(fate.afterMs, this.#signal);
      await this.#meet(life, fate);
    } finally {
      await life.kill();
      this.#hit("checkpoints", Number(life.said("checkpoints")));
    }
  }

  /** The process meets its end, or is about to be killed. */
  async #meet(life: Life, { end, lastMs }: Fate): Promise<void> {
    if (life.hasEnded) {
      await this.#diedOfItself("under load", life);
      return;
    }
    this.#hit(end);
    if (end === "stop-kill") {
      life.signal("SIGSTOP");
      await pause(stoppedMs, this.#signal);
    } else if (end === "close-kill" || end === "close") {
      life.order({ order: "close" });
      if (end === "close-kill") await pause(lastMs, this.#signal);
      else await this.#closed(life);
    } else if (end !== "kill") {
      const how = strikes[end];
      const mark = join(this.directory, `mark-${this.#cycle}`);
      life.order({ order: "strike", how, mark });
      await within(strikeMsMax, this.#signal, life.heard("struck"));
      await pause(lastMs, this.#signal);
    }
  }

  async #closed(life: Life): Promise<void> {
    const isClosed = await within(closeMsMax, this.#signal, life.heard("closed"));
    if (isClosed === undefined && !this.#signal.aborted) {
      this.expectations.bad("lost", `it has not closed after ${closeMsMax} ms`);
    } else if (isClosed === false) await this.#diedOfItself("while it closed", life);
  }

  #launch(fate: Fate): Life {
    const { end, threads, durability, arenaBytes, onThreadExit } = fate;
    const flags = end === "memory" ? [`--max-old-space-size=${heapMegabytes}`] : [];
    const life = new Life(this.#file, flags, (word, rest) => this.expectations.hear(word, rest));
    life.order({
      order: "launch",
      directory: join(this.directory, "data"),
      threads,
      durability,
      arenaBytes,
      onThreadExit,
      results: this.expectations.results,
    });
    return life;
  }

  async #diedOfItself(when: string, life: Life): Promise<void> {
    const { status, signal, errors } = await life.ended;
    const how = signal === null ? `with status ${status}` : `by ${signal}`;
    const why = `${life.said("failed")} ${errors}`.trim();
    this.expectations.bad("lost", `the process ended ${when}, ${how}: ${why}`);
  }

  #hit(what: string, count = 1): void {
    this.hits.set(what, (this.hits.get(what) ?? 0) + count);
  }
}

const strikes: Readonly<{ [E in End & `${"exit" | "memory"}${string}`]: StrikeOrder["how"] }> = {
  "exit-process": "process",
  "exit-node": "node",
  "exit-update": "update",
  memory: "memory",
};
