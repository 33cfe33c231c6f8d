// Node queue — the durable rows of node invocations that a task has accepted and not finished.
//
//   [number u64]     → the `run` message as it came; the number says when
//   [FF][number u64] → what has become of it so far (RowState), once there is anything to say
//   [0 u64]          → the durable mark
//
// Owns: numbering and the rows. Leaves to others: when a row is added and removed
// (execution.ts, failed-nodes.ts), when it runs (node-runner.ts).
//
// Invariants:
//   Q1. Numbers rise in the order of arrival; the byte order of row keys is the order of numbers.
//   Q2. A number is never used twice, in this life of the task or a later one: rows are written as
//       fresh, and a number used again could bring back the row of its first use.
//   Q3. Every number below the durable mark may have been used, none from the mark on. The mark
//       moves in the frame of the first row that reaches it; until that is durable each further row
//       moves it again, since a message that is taken back takes its mark along.
//   Q4. A row's state goes with it, in one frame. Of states a RowState is in memory too, as
//       committed.

import { ByteReader } from "../../base/byte-reader.js";
import { ByteWriter } from "../../base/byte-writer.js";
import { assert } from "../../base/invariant.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { eachRow } from "../table-rows.js";
import { type FailureList, noFailures, readFailures, writeFailures } from "../wire/failure-list.js";
import { decodeRun, type RunMessage } from "../wire/message.js";
import { numberKey, numberOfKey } from "../wire/number-key.js";
import {
  type RecordedOperations,
  readRecorded,
  writeRecorded,
} from "../wire/recorded-operations.js";
import { written } from "../wire/wire-field.js";

/** Table of these rows; the key is the number, big-endian. Part of the on-disk format. */
export const queueTable = 9;

/** Where the mark is kept: no row has this number. */
const markNo = 0;
/** Numbers reserved at a time: a mark is written once for so many rows. */
const reservedNumbers = 4_096;
/** No number is so large that the key of its row begins like this. */
const statePrefix = 0xff;

const flags = { replayed: 1, dropped: 2 } as const;

/** What a row has been through. */
export interface RowState {
  /** Runs that failed. */
  readonly attempts: number;
  /** Lives of the task that died after the row was started in them, counted once they have. */
  readonly deaths: number;
  /** It was a dead letter. */
  readonly replayed: boolean;
  /** Nobody waits for what it comes to: it is on its way out. */
  readonly dropped: boolean;
  /** The attempt of its invocation that it failed in: until a later one begins it does not run. */
  readonly parkedAttempt: number | undefined;
}

/** The same with the failures of its runs, and with where the newest has recorded operations. */
export interface StoredState extends RowState, FailureList {
  readonly recorded: readonly RecordedOperations[];
}

const untouched: StoredState = {
  attempts: 0,
  deaths: 0,
  replayed: false,
  dropped: false,
  parkedAttempt: undefined,
  recorded: [],
  ...noFailures,
};

export class NodeQueue {
  readonly #port: TaskPort;
  #next = 1;
  /** The durable mark. */
  #mark = 1;
  /** The first number of this life of the task. */
  #firstOwn = 1;
  /** Of rows that have a state. */
  readonly #states = new Map<number, RowState>();
  /** Rows whose first state is in a frame that is not committed. */
  readonly #stating = new Set<number>();

  constructor(port: TaskPort) {
    this.#port = port;
  }

  /** Goes on after the last number that may have been used, and visits the rows that are left. */
  start(visit: (arrivalNo: number, run: RunMessage) => void): void {
    const mark = this.#port.get(queueTable, numberKey(markNo));
    if (mark !== undefined) this.#mark = new ByteReader(mark).uint64();
    this.#next = this.#mark;
    this.#firstOwn = this.#mark;
    const states = { from: numberKey(0, statePrefix) };
    eachRow(this.#port, queueTable, states, (key, value) => {
      this.#states.set(numberOfKey(key), rowState(readState(value)));
    });
    const rows = { from: numberKey(markNo + 1), to: Uint8Array.of(statePrefix) };
    eachRow(this.#port, queueTable, rows, (key, value) => {
      const arrivalNo = numberOfKey(key);
      assert(arrivalNo < this.#mark, () => `row ${arrivalNo} is beyond the mark ${this.#mark}`);
      visit(arrivalNo, decodeRun(value));
    });
  }

  /** Whether a row is of an earlier life of the task. */
  isRecovered(arrivalNo: number): boolean {
    return arrivalNo < this.#firstOwn;
  }

  /** The committed state of a row. */
  stateOf(arrivalNo: number): RowState {
    return this.#states.get(arrivalNo) ?? untouched;
  }

  /** The state of a row as the frame in hand leaves it. */
  stored(turn: Turn, arrivalNo: number): StoredState {
    if (!this.#hasState(arrivalNo)) return untouched;
    const row = turn.get(queueTable, numberKey(arrivalNo, statePrefix));
    assert(row !== undefined, () => `the state of row ${arrivalNo} is gone`);
    return readState(row);
  }

  /** Changes the state of a row with the frame in hand. */
  store(turn: Turn, arrivalNo: number, state: StoredState): void {
    const isFresh = !this.#hasState(arrivalNo);
    turn.put(queueTable, numberKey(arrivalNo, statePrefix), stateBytes(state), isFresh);
    if (isFresh) this.#stating.add(arrivalNo);
    turn.afterCommit(() => {
      this.#stating.delete(arrivalNo);
      this.#states.set(arrivalNo, rowState(state));
    });
  }

  /** Adds a dead letter's row with the frame in hand and returns its number. */
  appendReplayed(turn: Turn, message: Uint8Array): number {
    const arrivalNo = this.append(turn, message);
    this.store(turn, arrivalNo, { ...untouched, replayed: true });
    return arrivalNo;
  }

  /** Adds a row with the frame in hand and returns its number. */
  append(turn: Turn, message: Uint8Array): number {
    const arrivalNo = this.#next;
    this.#next += 1;
    if (arrivalNo >= this.#mark) {
      const reserved = arrivalNo + reservedNumbers;
      const mark = new ByteWriter(8);
      mark.uint64(reserved);
      turn.put(queueTable, numberKey(markNo), mark.finish());
      turn.afterCommit(() => {
        this.#mark = Math.max(this.#mark, reserved);
      });
    }
    turn.put(queueTable, numberKey(arrivalNo), message, true);
    return arrivalNo;
  }

  /** A row as the frame in hand leaves it; `undefined` when it is gone. */
  find(turn: Turn, arrivalNo: number): Uint8Array | undefined {
    return turn.get(queueTable, numberKey(arrivalNo));
  }

  /** A row as the frame in hand leaves it. */
  look(turn: Turn, arrivalNo: number): Uint8Array {
    const row = this.find(turn, arrivalNo);
    assert(row !== undefined, () => `row ${arrivalNo} of the queue is gone`);
    return row;
  }

  /** Removes a row and its state with the frame in hand and returns what was in it. */
  take(turn: Turn, arrivalNo: number): Uint8Array {
    const row = this.look(turn, arrivalNo);
    turn.delete(queueTable, numberKey(arrivalNo));
    if (this.#hasState(arrivalNo)) {
      turn.delete(queueTable, numberKey(arrivalNo, statePrefix));
      turn.afterCommit(() => this.#states.delete(arrivalNo));
    }
    return row;
  }

  /** A committed row. */
  read(arrivalNo: number): RunMessage {
    const row = this.peek(arrivalNo);
    assert(row !== undefined, () => `row ${arrivalNo} of the queue is gone`);
    return row;
  }

  /** The same; `undefined` when it is gone. */
  peek(arrivalNo: number): RunMessage | undefined {
    const row = this.#port.get(queueTable, numberKey(arrivalNo));
    return row === undefined ? undefined : decodeRun(row);
  }

  #hasState(arrivalNo: number): boolean {
    return this.#states.has(arrivalNo) || this.#stating.has(arrivalNo);
  }
}

function rowState(stored: StoredState): RowState {
  const { attempts, deaths, replayed, dropped, parkedAttempt } = stored;
  return { attempts, deaths, replayed, dropped, parkedAttempt };
}

function stateBytes(state: StoredState): Uint8Array {
  return written((writer) => {
    writer.u32(state.attempts);
    writer.u32(state.deaths);
    writer.u8((state.replayed ? flags.replayed : 0) | (state.dropped ? flags.dropped : 0));
    writer.u32(state.parkedAttempt === undefined ? 0 : state.parkedAttempt + 1);
    writeRecorded(writer, state.recorded);
    writeFailures(writer, state);
  });
}

function readState(row: Uint8Array): StoredState {
  const reader = new ByteReader(row);
  const attempts = reader.u32();
  const deaths = reader.u32();
  const flagged = reader.u8();
  const replayed = (flagged & flags.replayed) !== 0;
  const dropped = (flagged & flags.dropped) !== 0;
  const parked = reader.u32();
  const parkedAttempt = parked === 0 ? undefined : parked - 1;
  const recorded = readRecorded(reader);
  const state = { attempts, deaths, replayed, dropped, parkedAttempt };
  return { ...state, recorded, ...readFailures(reader) };
}
