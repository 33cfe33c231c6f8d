// A thread beside the owner of a storage, for tests/thread/reader.thread.test.ts: it reads as fast
// as it can and checks every look, or it runs the checkpoints.
//
// What the owner writes, so that a look can be judged:
//   table 16  rows left-i and right-i, always in one frame; all words of a value are the frame's
//   number.
//             Before a frame's number is in `published[i]` the frame was published.
//   table 17  five rows of one number, written in the frame that clears the table.
//   table 18  a queue: rows come at the end and go at the front, one frame later.

import { parentPort, workerData } from "node:worker_threads";
import { type CheckpointJob, runCheckpoint } from "../../store/checkpoint.js";
import { hashKey } from "../../store/key-hash.js";
import { openTaskReader } from "../../store/reader.js";
import type { StoredRow, TaskReader } from "../../store/storage.js";
import type { TaskMemory } from "../../store/task-memory.js";

/** What the thread is started with. */
export type ReaderThreadData =
  | { readonly role: "checkpoint" }
  | {
      readonly role: "reader";
      readonly directory: string;
      readonly taskId: number;
      readonly memory: TaskMemory;
      /** Newest number published for each pair. */
      readonly published: SharedArrayBuffer;
      /** One word: 1 when the owner is done. */
      readonly done: SharedArrayBuffer;
      /** One word: looks that this thread has taken, so that the owner can wait for them. */
      readonly looks: SharedArrayBuffer;
    };

/** What a reader tells at the end. */
export interface ReaderReport {
  /** Looks that were answered, at single keys and at pages. */
  readonly gets: number;
  readonly pages: number;
  /** Looks that were not. */
  readonly busy: number;
  /** The first thing that was wrong. */
  readonly problem: string | undefined;
}

const rowsPerClear = 5;

class Checker {
  readonly #reader: TaskReader;
  readonly #published: Int32Array;
  readonly #pairs: number;
  gets = 0;
  pages = 0;
  busy = 0;

  constructor(reader: TaskReader, published: Int32Array) {
    this.#reader = reader;
    this.#published = published;
    this.#pairs = published.length;
  }

  /** One round of looks; the first problem, if there is one. */
  look(round: number): string | undefined {
    const pair = round % this.#pairs;
    const problem = this.#lookAtKey(pair, round % 2 === 0 ? "left" : "right");
    if (problem !== undefined || round % 64 !== 0) return problem;
    return this.#lookAtPage(round);
  }

  #lookAtPage(round: number): string | undefined {
    const kind = (round / 64) % 3;
    if (kind === 0) return this.#lookAtPairs(round);
    return kind === 1 ? this.#lookAtCleared(round) : this.#lookAtQueue(round);
  }

  #lookAtKey(pair: number, side: string): string | undefined {
    const before = Atomics.load(this.#published, pair);
    const key = new TextEncoder().encode(`${side}-${pair}`);
    const found = this.#reader.get(16, key, hashKey(key));
    if (found === "busy") {
      this.busy += 1;
      return undefined;
    }
    this.gets += 1;
    if (found === undefined && before === 0) return undefined;
    if (found === undefined) return `${side}-${pair} is absent though ${before} was published`;
    const number = numberIn(found.value);
    if (number === undefined) return `${side}-${pair} is torn`;
    return number < before ? `${side}-${pair} is ${number} after ${before}` : undefined;
  }

  #lookAtPairs(round: number): string | undefined {
    const before = Int32Array.from(this.#published);
    const rows = this.#page(16, round, this.#pairs * 2);
    if (rows === undefined) return undefined;
    const numbers = new Map<string, number>();
    for (const row of rows) {
      const number = numberIn(row.value);
      const name = new TextDecoder().decode(row.key);
      if (number === undefined) return `${name} is torn in a page`;
      numbers.set(name, number);
    }
    for (let pair = 0; pair < this.#pairs; pair += 1) {
      const [left, right] = [numbers.get(`left-${pair}`), numbers.get(`right-${pair}`)];
      if (left !== right) return `a page has ${left} and ${right} of one frame's pair ${pair}`;
      const expected = before[pair] ?? 0;
      if ((left ?? 0) < expected) return `a page has ${left} after ${expected} of pair ${pair}`;
    }
    return undefined;
  }

  #lookAtCleared(round: number): string | undefined {
    const rows = this.#page(17, round, 100);
    if (rows === undefined || rows.length === 0) return undefined;
    const numbers = new Set(rows.map((row) => numberIn(row.value)));
    if (rows.length === rowsPerClear && numbers.size === 1) return undefined;
    return `a cleared table has ${rows.length} rows of frames ${[...numbers].join(", ")}`;
  }

  #lookAtQueue(round: number): string | undefined {
    const rows = this.#page(18, round, 100);
    if (rows === undefined || rows.length <= 1) return undefined;
    return `a queue of at most one row has ${rows.length}`;
  }

  #page(table: number, round: number, limit: number): readonly StoredRow[] | undefined {
    const rows = this.#reader.page(table, { reverse: round % 128 === 0 }, limit);
    if (rows === "busy") {
      this.busy += 1;
      return undefined;
    }
    this.pages += 1;
    return rows;
  }
}

/** The number that fills a value; `undefined` when it holds two. */
function numberIn(value: Uint8Array): number | undefined {
  const words = new Uint32Array(value.slice().buffer);
  return words.every((word) => word === words[0]) ? words[0] : undefined;
}

function readUntilDone(data: Extract<ReaderThreadData, { role: "reader" }>): ReaderReport {
  const checker = new Checker(openTaskReader(data), new Int32Array(data.published));
  const done = new Int32Array(data.done);
  const looks = new Int32Array(data.looks);
  let problem: string | undefined;
  for (let round = 0; problem === undefined; round += 1) {
    problem = checker.look(round);
    Atomics.store(looks, 0, Math.min(checker.gets, checker.pages * 50));
    if (Atomics.load(done, 0) === 1) break;
  }
  return { gets: checker.gets, pages: checker.pages, busy: checker.busy, problem };
}

if (parentPort !== null) {
  const port = parentPort;
  // cast: the test that starts the thread gives this
  const data = workerData as ReaderThreadData;
  if (data.role === "reader") port.postMessage(readUntilDone(data));
  else {
    port.on("message", (job: CheckpointJob) => {
      void runCheckpoint(job).then((result) => port.postMessage(result));
    });
  }
}
