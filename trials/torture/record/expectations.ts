// Expectations — all that is known for certain of one directory, over all lives of its process.
//
// Owns: giving each line to the part that it is about, and counting. Leaves to others: what a part
// must hold. What the parent knows is bounded by the number of keys and by one life's invocations.

import { type LaunchOrder, type LoadOrder, type Violation, violations } from "../orders.js";
import { AnswersRecord } from "./answers-record.js";
import { InboxesRecord, TicketsRecord } from "./counts-record.js";
import { EffectsRecord } from "./effects-record.js";
import type { Bad, Part } from "./part.js";
import { RegistersRecord } from "./registers-record.js";
import { ScratchRecord } from "./scratch-record.js";
import { TransfersRecord } from "./transfers-record.js";

/** Whether the store operations of nodes are remembered: then a repeat is a duplicate. */
export const operationsAreRemembered = true;

const resultsAsked = 20;

export class Expectations {
  readonly counts: { [V in Violation]: number } = { lost: 0, duplicated: 0, reordered: 0, torn: 0 };
  readonly #registers = new RegistersRecord();
  readonly #tickets = new TicketsRecord();
  readonly #scratch = new ScratchRecord();
  readonly #inboxes: InboxesRecord;
  readonly #transfers: TransfersRecord;
  readonly #effects: EffectsRecord;
  readonly #parts: ReadonlyMap<string, Part>;
  readonly #say: (line: string) => void;
  readonly #now: () => number;
  #acked = 0;

  /** `say` is told each violation in words; `now` is the clock that the ids of calls are of. */
  constructor(say: (line: string) => void, now: () => number, strict = operationsAreRemembered) {
    this.#say = say;
    this.#now = now;
    this.#inboxes = new InboxesRecord(strict);
    this.#transfers = new TransfersRecord(strict);
    this.#effects = new EffectsRecord(strict, now());
    this.#parts = new Map<string, Part>([
      ["registers", this.#registers],
      ["tickets", this.#tickets],
      ["scratch", this.#scratch],
      ["inboxes", this.#inboxes],
      ["transfers", this.#transfers],
      ["effects", this.#effects],
      ["answers", new AnswersRecord()],
    ]);
  }

  /** Acknowledgements so far. */
  get acked(): number {
    return this.#acked;
  }

  get violated(): boolean {
    return Object.values(this.counts).some((count) => count > 0);
  }

  readonly bad: Bad = (violation, text) => {
    this.counts[violation] += 1;
    this.#say(`${violation}: ${text}`);
  };

  /** Takes a line of a process; lines for others are none of its concern. */
  hear(word: string, rest: string): void {
    if (word === "bad") {
      const [named = "", ...text] = rest.split(" ");
      this.bad(violations.find((one) => one === named) ?? "torn", text.join(" "));
    } else if (word === "ack" || word === "found") {
      if (word === "ack") this.#acked += 1;
      const [part = "", ...fields] = rest.split(" ");
      this.#parts.get(part)?.[word](fields);
    }
  }

  /** Compares what was found with what was acknowledged; the next life begins from there. */
  judge(): void {
    for (const part of this.#parts.values()) part.judge(this.bad);
  }

  /** Forgets what an interrupted recovery has found. */
  forget(): void {
    for (const part of this.#parts.values()) part.forget();
  }

  /** Where the clients go on. */
  load(seed: number): LoadOrder {
    const fromMs = this.#now();
    return {
      order: "load",
      seed,
      fromMs,
      registers: this.#registers.resume(),
      tickets: this.#tickets.resume(fromMs),
      scratchRound: this.#scratch.nextRound,
      inboxes: this.#inboxes.resume(),
      transfers: this.#transfers.resume(),
      effects: this.#effects.resume(fromMs),
    };
  }

  /** Invocations whose results the next life is asked for. */
  get results(): LaunchOrder["results"] {
    return this.#effects.results(resultsAsked);
  }
}
