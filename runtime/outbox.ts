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
//   Q1. Rows `durable + 1 … next - 1` exist, dense; what is trimmed is durable at the destination,
//       so after a power cut in a weak mode the source still has what the destination has lost.
//   Q2. A row is sent only after its frame is published, in order: `sent < next` counts such rows.
//   Q3. `acknowledged <= last applied < next`: anything else is divergent history and refused.
//   Q4. At most `window.messages` rows of a stream are unacknowledged on the way, and a section is
//       sent only while fewer than `window.bytes` of all streams are, or none of its own; the rest
//       stay rows, so cycles of tasks cannot deadlock on memory.
//   Q5. At most `window.bytes`, and one message, are kept of what has not been sent.

import { ByteWriter } from "../base/byte-writer.js";
import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { hashKey } from "../store/key-hash.js";
import { recordBytes } from "../store/record.js";
import type { RecordWrite, TaskStorage } from "../store/storage.js";
import type { SentStream } from "./handshake.js";
import type { StreamAck } from "./stream-encoding.js";
import { Ring } from "./ring.js";
import {
  encodeNumbers,
  messageKey,
  messageKeyBytes,
  peerKey,
  readStreams,
  type StreamNumbers,
  streamRecord,
} from "./stream-rows.js";
import { systemTable } from "./system-table.js";

/** How much is on the way, and how much is kept to be sent next (Q4, Q5). */
export interface StreamWindow {
  /** Messages of each stream. */
  readonly messages: number;
  /** Bytes of all streams of a task. */
  readonly bytes: number;
}

/** The default: production's. */
export const streamWindow: StreamWindow = {
  messages: limits.streamWindowMessages,
  bytes: limits.streamWindowBytes,
};

/** Messages that were sent together. */
interface SentSection {
  /** Number of its last message. */
  readonly end: number;
  readonly bytes: number;
}

interface Stream {
  readonly destination: number;
  /** Number of the next message. */
  next: number;
  /** First number that is not durable yet: `next` of the last published frame. */
  durableNext: number;
  /** Newest number handed to the destination. */
  sent: number;
  /** Newest number that the destination has applied: moves the window. */
  acknowledged: number;
  /** Newest number that the destination has made durable: what may be trimmed. */
  durable: number;
  /** Newest number whose row was deleted. */
  trimmed: number;
  /** Waiting for the destination's answer to a hello: nothing is sent. */
  greeting: boolean;
  /** Bytes of rows `sent + 1 …`, as far as they are kept in memory. */
  readonly unsent: Ring<Uint8Array>;
  /** What of it is on the way: a section counts until its last message is acknowledged. */
  readonly onTheWay: Ring<SentSection>;
  /** The meta row must be written with the frame in hand. */
  touched: boolean;
}

/** How far the staged messages of a batch have come; for taking a message back. */
export interface OutboxMark {
  readonly staged: number;
}

/** What a frame takes for a message. */
function rowBytesOf(message: Uint8Array): number {
  return recordBytes(messageKeyBytes, message.length);
}

export class Outbox {
  readonly #task: number;
  readonly #storage: TaskStorage;
  readonly #epoch: number;
  readonly #window: StreamWindow;
  readonly #streams = new Map<number, Stream>();
  #staged: { readonly stream: Stream; readonly sequence: number; readonly bytes: Uint8Array }[] =
    [];
  #stagedBytes = 0;
  #bytesOnTheWay = 0;
  #unsentBytes = 0;
  #continued = 0;

  /** Recovers the streams of a task; every one of them greets its destination before it sends. */
  constructor(
    task: number,
    storage: TaskStorage,
    epoch: number,
    window: StreamWindow = streamWindow,
  ) {
    this.#task = task;
    this.#storage = storage;
    this.#epoch = epoch;
    this.#window = window;
    for (const numbers of readStreams(storage)) this.#open(numbers).greeting = true;
  }

  /** Streams that went on behind messages that a power cut took from this task: `goOn`. */
  get continued(): number {
    return this.#continued;
  }

  /** The streams as their destinations must know them. */
  get streams(): readonly SentStream[] {
    return Array.from(this.#streams.values(), ({ destination, next, durable }) => {
      return { destination, next, acknowledged: durable };
    });
  }

  /** Bytes of what is staged in the batch in hand: of its rows, as a frame has them. */
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
    const stream = this.#stream(destination);
    this.#staged.push({ stream, sequence: stream.next, bytes: message });
    this.#stagedBytes += rowBytesOf(message);
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
      this.#stagedBytes -= rowBytesOf(last.bytes);
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
        streamRecord(systemTable.outbox, this.#key(stream, sequence), bytes, true, nextVersion()),
      );
    }
    let budget: number = limits.outboxTrimRowsMax;
    for (const stream of this.#streams.values()) {
      const end = Math.min(stream.durable, stream.trimmed + budget);
      for (let sequence = stream.trimmed + 1; sequence <= end; sequence += 1) {
        const key = this.#key(stream, sequence);
        records.push(streamRecord(systemTable.outbox, key, undefined, false, nextVersion()));
        stream.touched = true;
        budget -= 1;
      }
      stream.trimmed = Math.max(stream.trimmed, end);
      if (!stream.touched) continue;
      records.push(this.#numbers(stream, nextVersion()));
    }
    return records;
  }

  /** The frame is published: its messages may be sent. */
  committed(): void {
    for (const { stream, bytes } of this.#staged) {
      // Only an unbroken run behind `sent` is kept; the rest is read back when the window moves.
      if (
        stream.unsent.length < this.#window.messages &&
        this.#unsentBytes < this.#window.bytes &&
        this.#runEnd(stream) === stream.durableNext
      ) {
        stream.unsent.push(bytes);
        this.#unsentBytes += bytes.length;
      }
      stream.durableNext += 1;
    }
    this.#staged = [];
    this.#stagedBytes = 0;
    for (const stream of this.#streams.values()) stream.touched = false;
  }

  /** Calls `send` for what the windows allow now, in order, in runs of dense numbers. */
  pump(send: (destination: number, firstSequence: number, body: Uint8Array) => void): void {
    const bytesMax = Math.min(limits.streamSectionBytesMax, this.#window.bytes);
    for (const stream of this.#streams.values()) {
      if (!this.#maySend(stream)) continue;
      const end = this.#windowEnd(stream);
      const firstSequence = stream.sent + 1;
      const body = new ByteWriter();
      while (stream.sent < end && body.length < bytesMax) {
        const bytes = this.#takeUnsent(stream) ?? this.#readBack(stream, stream.sent + 1);
        body.u32(bytes.length);
        body.bytes(bytes);
        stream.sent += 1;
      }
      stream.onTheWay.push({ end: stream.sent, bytes: body.length });
      this.#bytesOnTheWay += body.length;
      send(stream.destination, firstSequence, body.finish());
    }
  }

  /** Whether `pump` would send something. */
  get sendable(): boolean {
    for (const stream of this.#streams.values()) {
      if (this.#maySend(stream)) return true;
    }
    return false;
  }

  /**
   * What the destination has applied, and made durable of it. `resend`: it missed what follows.
   * @throws PartitaError STREAM_DIVERGED when it knows more than was sent or less than it
   * acknowledged
   */
  acknowledge(destination: number, { applied, durable, resend }: StreamAck): void {
    const stream = this.#stream(destination);
    if (applied >= stream.next || applied < stream.acknowledged) {
      throw new PartitaError("STREAM_DIVERGED", {
        source: this.#task,
        destination,
        applied,
        acknowledged: stream.acknowledged,
        next: stream.next,
      });
    }
    assert(durable <= applied, "a destination has made durable what it has not applied");
    stream.acknowledged = applied;
    stream.durable = Math.max(stream.durable, durable);
    const again = stream.greeting || resend;
    this.#arrived(stream, again ? Number.POSITIVE_INFINITY : applied);
    if (!again) return;
    stream.greeting = false;
    stream.sent = applied;
    while (this.#takeUnsent(stream) !== undefined);
  }

  /**
   * Before anything is sent: the destination has applied everything up to `next - 1`, of which a
   * power cut took some from this task. Numbers go on at `next`, since the destination would take
   * lower ones for duplicates. Returns the records that make it so, for the frame in hand.
   */
  goOn(destination: number, next: number, nextVersion: () => number): RecordWrite {
    const known = this.#streams.get(destination);
    assert(known === undefined || known.next < next, "a stream goes on behind its end");
    const trimmed = known?.trimmed ?? next - 1;
    const numbers = { destination, next, acknowledged: next - 1, trimmed };
    const stream = this.#open(numbers);
    stream.greeting = true;
    this.#continued += 1;
    return this.#numbers(stream, nextVersion());
  }

  /** The destination was started again: nothing is sent until it has said what it knows. */
  greet(destination: number): void {
    const stream = this.#streams.get(destination);
    if (stream !== undefined) stream.greeting = true;
  }

  /** Calls `send` for every stream that waits for an answer. */
  greetings(send: (destination: number) => void): void {
    for (const { greeting, destination } of this.#streams.values()) {
      if (greeting) send(destination);
    }
  }

  #stream(destination: number): Stream {
    const known = this.#streams.get(destination);
    return known ?? this.#open({ destination, next: 1, acknowledged: 0, trimmed: 0 });
  }

  #open({ destination, next, acknowledged, trimmed }: StreamNumbers): Stream {
    const stream: Stream = {
      destination,
      next,
      durableNext: next,
      sent: next - 1,
      acknowledged,
      durable: acknowledged,
      trimmed,
      greeting: false,
      unsent: new Ring(this.#window.messages),
      onTheWay: new Ring(this.#window.messages),
      touched: false,
    };
    this.#streams.set(destination, stream);
    return stream;
  }

  /** The last number that may be on the way now, bytes apart. */
  #windowEnd({ durableNext, acknowledged }: Stream): number {
    return Math.min(durableNext - 1, acknowledged + this.#window.messages);
  }

  #maySend(stream: Stream): boolean {
    if (stream.greeting || stream.sent >= this.#windowEnd(stream)) return false;
    // One section of each stream may always go: another one's destination may take its time.
    return this.#bytesOnTheWay < this.#window.bytes || stream.onTheWay.length === 0;
  }

  /** What was sent up to this number is on the way no longer. */
  #arrived({ onTheWay }: Stream, through: number): void {
    for (let first = onTheWay.peek(); first !== undefined; first = onTheWay.peek()) {
      if (first.end > through) return;
      onTheWay.shift();
      this.#bytesOnTheWay -= first.bytes;
    }
  }

  #takeUnsent({ unsent }: Stream): Uint8Array | undefined {
    const bytes = unsent.shift();
    this.#unsentBytes -= bytes?.length ?? 0;
    return bytes;
  }

  #runEnd(stream: Stream): number {
    return stream.sent + 1 + stream.unsent.length;
  }

  #readBack(stream: Stream, sequence: number): Uint8Array {
    const key = this.#key(stream, sequence);
    const stored = this.#storage.get(systemTable.outbox, key, hashKey(key));
    assert(
      stored !== undefined,
      () => `outbox row ${this.#task}->${stream.destination}:${sequence} is gone`,
    );
    return stored.value;
  }

  #key(stream: Stream, sequence: number): Uint8Array {
    return messageKey(this.#epoch, stream.destination, sequence);
  }

  #numbers({ destination, next, durable, trimmed }: Stream, version: number): RecordWrite {
    const numbers = encodeNumbers({ destination, next, acknowledged: durable, trimmed });
    const key = peerKey(this.#epoch, destination);
    return streamRecord(systemTable.outboxMeta, key, numbers, false, version);
  }
}
