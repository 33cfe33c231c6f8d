// Node queue — the durable rows of node invocations that a task has accepted and not finished.
//
// A row is the `run` message as it came, under a number that says when.
// Owns: numbering and the rows. Leaves to others: when a row is added and removed
// (execution.ts), when it runs (node-runner.ts).
//
// Invariants:
//   Q1. Numbers rise in the order of arrival; the byte order of row keys is the order of numbers.
//   Q2. A number is never used twice, in this life of the task or a later one: rows are written as
//       fresh, and a number used again could bring back the row of its first use.
//   Q3. Every number below the durable mark may have been used, none from the mark on. The mark
//       moves in the frame of the first row that reaches it; until that is durable each further row
//       moves it again, since a message that is taken back takes its mark along.

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import { assert } from "../base/invariant.js";
import type { TaskPort, Turn } from "../runtime/task-program.js";
import { decodeRun, type RunMessage } from "./message.js";

/** Table of these rows; the key is the number, big-endian. Part of the on-disk format. */
export const queueTable = 9;

/** Where the mark is kept: no row has this number. */
const markNo = 0;
/** Numbers reserved at a time: a mark is written once for so many rows. */
const reservedNumbers = 4_096;
const pageRows = 256;

export class NodeQueue {
  readonly #port: TaskPort;
  #next = 1;
  /** The durable mark. */
  #mark = 1;

  constructor(port: TaskPort) {
    this.#port = port;
  }

  /** Goes on after the last number that may have been used, and visits the rows that are left. */
  start(visit: (arrivalNo: number, run: RunMessage) => void): void {
    const mark = this.#port.get(queueTable, rowKey(markNo));
    if (mark !== undefined) this.#mark = new ByteReader(mark).uint64();
    this.#next = this.#mark;
    for (let from = markNo + 1; ; ) {
      const rows = this.#port.page(queueTable, { from: rowKey(from) }, pageRows);
      for (const row of rows) {
        const arrivalNo = numberOf(row.key);
        assert(arrivalNo < this.#mark, () => `row ${arrivalNo} is beyond the mark ${this.#mark}`);
        visit(arrivalNo, decodeRun(row.value));
        from = arrivalNo + 1;
      }
      if (rows.length === 0) return;
    }
  }

  /** Adds a row with the frame in hand and returns its number. */
  append(turn: Turn, message: Uint8Array): number {
    const arrivalNo = this.#next;
    this.#next += 1;
    if (arrivalNo >= this.#mark) {
      const reserved = arrivalNo + reservedNumbers;
      const mark = new ByteWriter(8);
      mark.uint64(reserved);
      turn.put(queueTable, rowKey(markNo), mark.finish());
      turn.afterCommit(() => {
        this.#mark = Math.max(this.#mark, reserved);
      });
    }
    turn.put(queueTable, rowKey(arrivalNo), message, true);
    return arrivalNo;
  }

  /** Removes a row with the frame in hand and returns what was in it. */
  take(turn: Turn, arrivalNo: number): RunMessage {
    const key = rowKey(arrivalNo);
    const row = turn.get(queueTable, key);
    assert(row !== undefined, () => `row ${arrivalNo} of the queue is gone`);
    turn.delete(queueTable, key);
    return decodeRun(row);
  }

  /** A committed row. */
  read(arrivalNo: number): RunMessage {
    const row = this.#port.get(queueTable, rowKey(arrivalNo));
    assert(row !== undefined, () => `row ${arrivalNo} of the queue is gone`);
    return decodeRun(row);
  }
}

function rowKey(arrivalNo: number): Uint8Array {
  const key = new Uint8Array(8);
  for (let index = 7, rest = arrivalNo; index >= 0; index -= 1) {
    key[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return key;
}

function numberOf(key: Uint8Array): number {
  return key.reduce((number, byte) => number * 256 + byte, 0);
}
