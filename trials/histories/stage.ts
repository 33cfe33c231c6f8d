// Stage — one directory on which histories are made, one after the other, by a process that is
// closed, loses threads and is killed meanwhile.
//
// Owns: the course of a history, and the life of the process. Leaves to others: what clients do
// (client.ts), whether it makes sense (history.ts).

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Durability } from "../../index.js";
import { seededRandom } from "../../testing/index.js";
import { Life } from "../life.js";
import { pause, within } from "../within.js";
import type { Order } from "./child.js";
import type { HistoryTask } from "./client.js";
import { History } from "./history.js";

export interface StageOptions {
  /** The program of the process. */
  readonly file: string;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Share of histories in which callers only look on. Default 0.3. */
  readonly gazes?: number;
  readonly say: (line: string) => void;
}

/** What happens in the middle of a history. */
const turns = ["kill", "kill", "reopen", "thread", "thread", "nothing"] as const;
type Turn = (typeof turns)[number];

const callers = 4;
const nodes = 6;
const keysOfHistory = 10;
const callsOfPhase = 40;
const turnMsMax = 90;
/** So long may a phase, a launch or a restart take. */
const waitMsMax = 300_000;
/** A runtime starts threads again ten times. */
const strikesMax = 8;

export class Stage {
  readonly directory = mkdtempSync(join(tmpdir(), "partita-histories-"));
  operations = 0;
  unknown = 0;
  violations = 0;
  readonly turns = new Map<Turn, number>();
  readonly #options: StageOptions;
  readonly #random: () => number;
  #life: Life | undefined;
  #history = new History();
  #number = 0;
  /** In this history callers look on, and nodes write values that soon fill an arena. */
  #gazes = false;
  #strikes = 0;
  #failed = false;
  #orders = 0;

  constructor(options: StageOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  /** Makes one history and checks it. */
  async perform(): Promise<void> {
    this.#number += 1;
    this.#history = new History();
    const name = `h${this.#number}`;
    const keys = Array.from({ length: keysOfHistory }, (_, index) => `${name}-${index}`);
    const turn = this.#strikes >= strikesMax ? "reopen" : this.#oneOf(turns);
    this.#gazes = this.#random() < (this.#options.gazes ?? 0.3);
    await this.#launched();
    await this.#phase(name, keys, 0, turn);
    await this.#phase(name, keys, 1, "nothing");
    await this.#launched();
    const task = { ...this.#task(name, "look", keys, 0), callsBefore: 1_000 };
    this.#order({ order: "look", phase: `${name}-look`, task });
    await this.#heard(`performed-${name}-look`);
    if (this.#options.signal.aborted) return;
    this.#check(turn);
  }

  /** Ends the process, and removes the directory unless it shows what went wrong. */
  async dispose(): Promise<void> {
    await this.#life?.kill();
    if (this.violations === 0 && !this.#failed)
      rmSync(this.directory, { recursive: true, force: true });
  }

  #check(turn: Turn): void {
    const found = this.#history.violations();
    this.operations += this.#history.size;
    this.unknown += this.#history.unknown;
    this.turns.set(turn, (this.turns.get(turn) ?? 0) + 1);
    this.violations += found.length;
    const { seed, say } = this.#options;
    for (const violation of found.slice(0, 5)) {
      say(`${violation} (--seed ${seed}, history ${this.#number}, ${turn}, ${this.directory})`);
    }
  }

  /** All clients make their calls; in the midst of them the turn comes. */
  async #phase(name: string, keys: readonly string[], phase: number, turn: Turn): Promise<void> {
    if (this.#options.signal.aborted) return;
    await this.#launched();
    const tasks = (kind: string, count: number): HistoryTask[] =>
      Array.from({ length: count }, (_, index) => {
        return this.#task(name, `${name}-${kind}-${index}`, keys, phase);
      });
    const label = `${name}-${phase}`;
    this.#order({
      order: "perform",
      phase: label,
      callers: tasks("main", this.#gazes ? 1 : callers),
      nodes: tasks("node", nodes),
      gazes: this.#gazes,
    });
    this.#orders += 1;
    const number = this.#orders;
    if (turn !== "nothing") await pause(turnMsMax * this.#random(), this.#options.signal);
    if (turn === "kill") {
      await this.#life?.kill();
      this.#life = undefined;
      return;
    }
    if (turn === "reopen") {
      this.#strikes = 0;
      this.#order({ order: "reopen", number });
      await this.#heard(`reopened-${number}`);
    } else if (turn === "thread") {
      this.#strikes += 1;
      this.#order({ order: "strike", number, key: this.#oneOf(keys) });
      await this.#heard(`struck-${number}`);
    }
    await this.#heard(`performed-${label}`);
  }

  #task(history: string, client: string, keys: readonly string[], phase: number): HistoryTask {
    return {
      client: client === "look" ? `${history}-look` : client,
      seed: Math.floor(this.#random() * 2 ** 32),
      keys,
      callsBefore: phase * callsOfPhase,
      calls: callsOfPhase,
      window: 1 + Math.floor(this.#random() * 10),
      paddingBytesMax: this.#gazes ? 150_000 : 30_000,
    };
  }

  /** Serves when it resolves. */
  async #launched(): Promise<void> {
    if (this.#life !== undefined || this.#options.signal.aborted) return;
    this.#strikes = 0;
    this.#life = new Life(this.#options.file, [], (word, rest) => this.#history.hear(word, rest));
    const durability: Durability = this.#oneOf([
      "durable",
      "durable",
      "durable",
      "interval",
      "relaxed",
    ]);
    const threads = this.#random() < 0.8 ? 2 : 1;
    this.#order({ order: "launch", directory: this.directory, durability, threads });
    await this.#heard("launched");
  }

  #order(order: Order): void {
    this.#life?.order(order);
  }

  /** @throws Error when the process has died, or takes too long */
  async #heard(word: string): Promise<void> {
    const life = this.#life;
    if (life === undefined || this.#options.signal.aborted) return;
    const isHeard = await within(waitMsMax, this.#options.signal, life.heard(word));
    if (isHeard === true || this.#options.signal.aborted) return;
    this.#failed = true;
    const where = `history ${this.#number}, --seed ${this.#options.seed}, ${this.directory}`;
    if (isHeard === undefined) {
      throw new Error(`no "${word}" within ${waitMsMax} ms (${where}, pid ${life.pid})`);
    }
    const { status, signal, errors } = await life.ended;
    const why = `${life.said("failed")} ${errors}`.trim();
    throw new Error(`the process ended (status ${status}, signal ${signal}): ${why} (${where})`);
  }

  #oneOf<T>(list: readonly [T, ...T[]] | readonly T[]): T {
    // cast: no list is empty
    return list[Math.floor(this.#random() * list.length)] as T;
  }
}
