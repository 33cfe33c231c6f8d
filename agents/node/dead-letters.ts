// Dead letters — the durable rows of node invocations that a task has given up.
//
//   [00]            → [letters kept u64][letters dropped u64]
//   [01][number u64] → what is known of a letter (LetterInfo)
//   [02][number u64] → its `run` message
//
// The number is the one its row had in the queue: it is never used twice (Q2 of node-queue.ts).
// Owns: these rows, their bound and their pages. Leaves to others: when a letter is added, and what
// a replay does (failed-nodes.ts).
//
// Invariants:
//   B1. A letter that was added stays until it is replayed or discarded. When a task has
//       `lettersMax` of them no more are added, but counted as dropped: none is lost silently.
//   B2. The counts move in the frame that adds or removes a letter.

import { ByteReader } from "../../base/byte-reader.js";
import { ByteWriter } from "../../base/byte-writer.js";
import { PartitaError } from "../../base/errors.js";
import { assert } from "../../base/invariant.js";
import { limits } from "../../base/limits.js";
import { show } from "../../base/show.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { numberKey, numberOfKey } from "../wire/number-key.js";
import {
  type LetterInfo,
  type LetterPage,
  type LettersMessage,
  type ListedLetter,
  readLetterInfo,
  writeLetterInfo,
} from "../wire/poison-message.js";
import { written } from "../wire/wire-field.js";

/** Table of these rows. Part of the on-disk format. */
export const deadLetterTable = 10;

const countsKey = Uint8Array.of(0);
const infoPrefix = 1;
const runPrefix = 2;

/** How many letters a task has. */
export interface LetterCounts {
  readonly kept: number;
  /** Letters there was no room for, since the directory was made. */
  readonly dropped: number;
}

export class DeadLetters {
  readonly #port: TaskPort;
  readonly #lettersMax: number;

  constructor(port: TaskPort, lettersMax: number) {
    this.#port = port;
    this.#lettersMax = lettersMax;
  }

  /** As the committed frames leave them. */
  get counts(): LetterCounts {
    return countsOf(this.#port.get(deadLetterTable, countsKey));
  }

  /**
   * Adds a letter with the frame in hand; when there is no room it is counted, and false returned
   * (B1).
   */
  add(turn: Turn, letterNo: number, info: LetterInfo, run: Uint8Array): boolean {
    const { kept, dropped } = countsOf(turn.get(deadLetterTable, countsKey));
    if (kept >= this.#lettersMax) {
      putCounts(turn, { kept, dropped: dropped + 1 });
      return false;
    }
    putCounts(turn, { kept: kept + 1, dropped });
    turn.put(deadLetterTable, numberKey(letterNo, infoPrefix), infoBytes(info), true);
    turn.put(deadLetterTable, numberKey(letterNo, runPrefix), run, true);
    return true;
  }

  has(turn: Turn, letterNo: number): boolean {
    return turn.get(deadLetterTable, numberKey(letterNo, infoPrefix)) !== undefined;
  }

  /**
   * What is known of a letter.
   * @throws PartitaError DEAD_LETTER_UNKNOWN
   */
  info(turn: Turn, letterNo: number): LetterInfo {
    const row = turn.get(deadLetterTable, numberKey(letterNo, infoPrefix));
    if (row !== undefined) return readLetterInfo(new ByteReader(row));
    const id = formatLetterId(this.#port.taskId, letterNo);
    throw new PartitaError("DEAD_LETTER_UNKNOWN", { id });
  }

  /** The `run` message of a letter. */
  run(turn: Turn, letterNo: number): Uint8Array {
    const run = turn.get(deadLetterTable, numberKey(letterNo, runPrefix));
    assert(run !== undefined, () => `dead letter ${letterNo} has no message`);
    return run;
  }

  replaying(turn: Turn, letterNo: number): void {
    const info = { ...this.info(turn, letterNo), replaying: true };
    turn.put(deadLetterTable, numberKey(letterNo, infoPrefix), infoBytes(info));
  }

  remove(turn: Turn, letterNo: number): void {
    const { kept, dropped } = countsOf(turn.get(deadLetterTable, countsKey));
    putCounts(turn, { kept: kept - 1, dropped });
    for (const prefix of [infoPrefix, runPrefix]) {
      turn.delete(deadLetterTable, numberKey(letterNo, prefix));
    }
  }

  /** Committed letters in the order of their numbers, without those that are being replayed. */
  page({ from, limit, agent }: LettersMessage): LetterPage {
    const range = { from: numberKey(from, infoPrefix), to: Uint8Array.of(runPrefix) };
    const rows = this.#port.page(deadLetterTable, range, limits.deadLettersPageRows);
    const letters: ListedLetter[] = [];
    let bytes = 0;
    let next = 0;
    for (const { key, value } of rows) {
      if (letters.length >= limit || bytes >= limits.pageBytesMax) break;
      const letterNo = numberOfKey(key);
      next = letterNo + 1;
      const info = readLetterInfo(new ByteReader(value));
      if (info.replaying || (agent !== "" && info.agent !== agent)) continue;
      const run = this.#port.get(deadLetterTable, numberKey(letterNo, runPrefix));
      assert(run !== undefined, () => `dead letter ${letterNo} has no message`);
      letters.push({ letterNo, info, run });
      bytes += value.length + run.length;
    }
    return { letters, next };
  }
}

/** The text by which users name a letter: its task, and its number there. */
export function formatLetterId(task: number, letterNo: number): string {
  return `${task}-${letterNo}`;
}

/** @throws PartitaError DEAD_LETTER_UNKNOWN for a text that no letter of `taskCount` tasks has */
export function parseLetterId(
  id: string,
  taskCount: number,
): { readonly task: number; readonly letterNo: number } {
  const match = typeof id === "string" ? /^(0|[1-9]\d{0,4})-([1-9]\d{0,15})$/.exec(id) : null;
  const task = Number(match?.[1]);
  const letterNo = Number(match?.[2]);
  if (match === null || task >= taskCount || !Number.isSafeInteger(letterNo)) {
    throw new PartitaError("DEAD_LETTER_UNKNOWN", { id: typeof id === "string" ? id : show(id) });
  }
  return { task, letterNo };
}

function countsOf(row: Uint8Array | undefined): LetterCounts {
  if (row === undefined) return { kept: 0, dropped: 0 };
  const reader = new ByteReader(row);
  return { kept: reader.uint64(), dropped: reader.uint64() };
}

function putCounts(turn: Turn, { kept, dropped }: LetterCounts): void {
  const writer = new ByteWriter(16);
  writer.uint64(kept);
  writer.uint64(dropped);
  turn.put(deadLetterTable, countsKey, writer.finish());
}

function infoBytes(info: LetterInfo): Uint8Array {
  return written((writer) => writeLetterInfo(writer, info));
}
