// Outbox — the streams from one task to others: every message it sends is a durable row first.
//
// A stream is one ordered (source, destination) pair with dense sequence numbers from 1. A
// message's row is in the frame of the batch that caused it; it is sent after that frame is
// durable, resent from the row when the destination starts again, and trimmed in a later batch once
// it is acknowledged.
// Owns: numbering, the window, resend, trimming. Leaves to others: what was applied (marks.ts at
// the destination), packets (host.ts), frames (task.ts).
//
// Invariants:
//   Q1. Rows `acknowledged + 1 … next - 1` exist, dense (trimmed ones are at most `acknowledged`).
//   Q2. A row is sent only after its frame is durable, in order: `sent < next` counts durable rows.
//   Q3. `acknowledged <= last applied < next`: anything else is divergent history and refused.
//   Q4. At most `windowMessages` rows of a stream are unacknowledged on the way; the rest stay
//       rows, so cycles of tasks cannot deadlock on memory.

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { hashKey } from "../store/key-hash.js";
import type { RecordWrite, TaskStorage } from "../store/storage.js";
import { Ring } from "./ring.js";
import { systemTable } from "./system-table.js";

interface Stream {
  readonly destination: number;
  /** Number of the next message. */
  next: number;
  /** First number that is not durable yet: `next` of the last published frame. */
  durableNext: number;
  /** Newest number handed to the destination. */
  sent: number;
  /** Newest number that the destination has made durable. */
  acknowledged: number;
  /** Newest number whose row was deleted. */
  trimmed: number;
  /** Waiting for the destination's answer to a hello: nothing is sent. */
  greeting: boolean;
  /** Bytes of rows `sent + 1 …`, as far as they are kept in memory. */
  readonly unsent: Ring<Uint8Array>;
  /** The meta row must be written with the frame in hand. */
  touched: boolean;
}

/** How far the staged messages of a batch have come; for taking a message back. */
export interface OutboxMark {
  readonly staged: number;
}

export class Outbox {
  readonly #task: number;
  readonly #storage: TaskStorage;
  readonly #windowMessages: number;
  readonly #streams = new Map<number, Stream>();
  #staged: { readonly stream: Stream; readonly sequence: number; readonly bytes: Uint8Array }[] =
    [];
  #stagedBytes = 0;

  /** Recovers the streams of a task; every one of them greets its destination before it sends. */
  constructor(
    task: number,
    storage: TaskStorage,
    windowMessages: number = limits.streamWindowMessages,
  ) {
    this.#task = task;
    this.#storage = storage;
    this.#windowMessages = windowMessages;
    for (const row of storage.page(systemTable.outboxMeta, {}, limits.tasksMax)) {
      const destination = new ByteReader(row.key).u16();
      const reader = new ByteReader(row.value);
      const next = reader.uint64();
      const trimmed = reader.uint64();
      const stream = this.#open(destination, next, trimmed);
      stream.greeting = true;
    }
  }

  /** Bytes staged in the batch in hand. */
  get stagedBytes(): number {
    return this.#stagedBytes;
  }

  /** Messages that no destination has acknowledged. */
  get unacknowledged(): number {
    let count = 0;
    for (const stream of this.#streams.values()) count += stream.next - 1 - stream.acknowledged;
    return count;
  }

  /** Numbers a message in the batch in hand. The bytes are kept. */
  stage(destination: number, message: Uint8Array): void {
    const stream = this.#streams.get(destination) ?? this.#open(destination, 1, 0);
    this.#staged.push({ stream, sequence: stream.next, bytes: message });
    this.#stagedBytes += message.length;
    stream.next += 1;
    stream.touched = true;
  }

  mark(): OutboxMark {
    return { staged: this.#staged.length };
  }

  /** Takes back what was staged since `mark`. */
  rollback(mark: OutboxMark): void {
    while (this.#staged.length > mark.staged) {
      const last = this.#staged.pop();
      assert(last !== undefined, "a staged message is gone");
      last.stream.next = last.sequence;
      this.#stagedBytes -= last.bytes.length;
    }
  }

  /** Whether the frame in hand has rows of this outbox. Trimming alone is no reason for a frame. */
  get changed(): boolean {
    return this.#staged.length > 0;
  }

  /** The rows of the batch: new messages, the trim of acknowledged ones, the streams' numbers. */
  writes(nextVersion: () => number): RecordWrite[] {
    const records: RecordWrite[] = [];
    for (const { stream, sequence, bytes } of this.#staged) {
      records.push(
        record(systemTable.outbox, rowKey(stream, sequence), bytes, true, nextVersion()),
      );
    }
    let budget: number = limits.outboxTrimRowsMax;
    for (const stream of this.#streams.values()) {
      const end = Math.min(stream.acknowledged, stream.trimmed + budget);
      for (let sequence = stream.trimmed + 1; sequence <= end; sequence += 1) {
        const key = rowKey(stream, sequence);
        records.push(record(systemTable.outbox, key, undefined, false, nextVersion()));
        stream.touched = true;
        budget -= 1;
      }
      stream.trimmed = Math.max(stream.trimmed, end);
      if (!stream.touched) continue;
      const numbers = new ByteWriter();
      numbers.uint64(stream.next);
      numbers.uint64(stream.trimmed);
      const key = destinationKey(stream.destination);
      records.push(record(systemTable.outboxMeta, key, numbers.finish(), false, nextVersion()));
    }
    return records;
  }

  /** The frame is durable: its messages may be sent. */
  committed(): void {
    for (const { stream, bytes } of this.#staged) {
      // Only an unbroken run behind `sent` is kept; the rest is read back when the window moves.
      if (
        stream.unsent.length < this.#windowMessages &&
        this.#runEnd(stream) === stream.durableNext
      ) {
        stream.unsent.push(bytes);
      }
      stream.durableNext += 1;
    }
    this.#staged = [];
    this.#stagedBytes = 0;
    for (const stream of this.#streams.values()) stream.touched = false;
  }

  /** Calls `send` for what the windows allow now, in order, in runs of dense numbers. */
  pump(send: (destination: number, firstSequence: number, body: Uint8Array) => void): void {
    for (const stream of this.#streams.values()) {
      if (stream.greeting) continue;
      const end = Math.min(stream.durableNext - 1, stream.acknowledged + this.#windowMessages);
      if (stream.sent >= end) continue;
      const firstSequence = stream.sent + 1;
      const body = new ByteWriter();
      while (stream.sent < end && body.length < limits.streamSectionBytesMax) {
        const bytes = stream.unsent.shift() ?? this.#readBack(stream, stream.sent + 1);
        body.u32(bytes.length);
        body.bytes(bytes);
        stream.sent += 1;
      }
      send(stream.destination, firstSequence, body.finish());
    }
  }

  /** Whether `pump` would send something. */
  get sendable(): boolean {
    for (const stream of this.#streams.values()) {
      const end = Math.min(stream.durableNext - 1, stream.acknowledged + this.#windowMessages);
      if (!stream.greeting && stream.sent < end) return true;
    }
    return false;
  }

  /**
   * The destination has made everything up to `lastApplied` durable. `resend`: it missed what
   * follows.
   * @throws PartitaError STREAM_DIVERGED when it knows more than was sent or less than it
   * acknowledged
   */
  acknowledge(destination: number, lastApplied: number, resend: boolean): void {
    const stream = this.#streams.get(destination) ?? this.#open(destination, 1, 0);
    if (lastApplied >= stream.next || lastApplied < stream.acknowledged) {
      throw new PartitaError("STREAM_DIVERGED", {
        source: this.#task,
        destination,
        applied: lastApplied,
        acknowledged: stream.acknowledged,
        next: stream.next,
      });
    }
    stream.acknowledged = lastApplied;
    if (!stream.greeting && !resend) return;
    stream.greeting = false;
    stream.sent = lastApplied;
    while (stream.unsent.shift() !== undefined);
  }

  /** The destination was started again: nothing is sent until it has said what it knows. */
  greet(destination: number): void {
    const stream = this.#streams.get(destination);
    if (stream !== undefined) stream.greeting = true;
  }

  /** Calls `send` for every stream that waits for an answer. */
  greetings(send: (destination: number, next: number, acknowledged: number) => void): void {
    for (const stream of this.#streams.values()) {
      if (stream.greeting) send(stream.destination, stream.next, stream.acknowledged);
    }
  }

  #open(destination: number, next: number, trimmed: number): Stream {
    const stream: Stream = {
      destination,
      next,
      durableNext: next,
      sent: next - 1,
      acknowledged: trimmed,
      trimmed,
      greeting: false,
      unsent: new Ring(this.#windowMessages),
      touched: false,
    };
    this.#streams.set(destination, stream);
    return stream;
  }

  #runEnd(stream: Stream): number {
    return stream.sent + 1 + stream.unsent.length;
  }

  #readBack(stream: Stream, sequence: number): Uint8Array {
    const key = rowKey(stream, sequence);
    const stored = this.#storage.get(systemTable.outbox, key, hashKey(key));
    assert(
      stored !== undefined,
      () => `outbox row ${this.#task}->${stream.destination}:${sequence} is gone`,
    );
    return stored.value;
  }
}

function rowKey(stream: Stream, sequence: number): Uint8Array {
  const key = new Uint8Array(10);
  const view = new DataView(key.buffer);
  view.setUint16(0, stream.destination);
  view.setUint32(2, Math.floor(sequence / 2 ** 32));
  view.setUint32(6, sequence >>> 0);
  return key;
}

function record(
  table: number,
  key: Uint8Array,
  value: Uint8Array | undefined,
  fresh: boolean,
  version: number,
): RecordWrite {
  return { table, key, keyHash: hashKey(key), version, value, fresh };
}

function destinationKey(destination: number): Uint8Array {
  const key = new ByteWriter();
  key.u16(destination);
  return key.finish();
}
