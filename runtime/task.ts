// Task — one partition's state machine: it takes what its mailbox holds and says what follows.
//
// `step()` applies messages to the overlay and returns a Batch; the host makes its frame durable,
// calls `committed(batch)` and lets out what waited behind the gate. No I/O, no threads, no clock
// of its own:
// everything nondeterministic comes in through the constructor, so a simulator runs this very code.
// Owns: the order of application and the bounds of a batch. Leaves to others: what a request does
// (requests.ts), what a program's message means (agents), durability (storage).
//
// Invariants:
//   A0. One batch in hand: `step` is not called again before `committed`.
//   A1. Messages of one lane, of one stream, and therefore for one key are applied in order, once.
//   A2. A request that is refused has changed nothing; its caller gets the error, others go on. A
//       throw on any other message has nobody to tell, and damaged data is no refusal: `step`
//       throws, and the process ends.
//   A3. Every key a message names hashes into this task's range.

import { ByteReader } from "../base/byte-reader.js";
import { toWire } from "../base/error-wire.js";
import { PartitaError } from "../base/errors.js";
import { assert, InvariantViolation } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import type { RecordWrite, TaskStorage } from "../store/storage.js";
import type { Durability } from "../store/task-storage.js";
import { encodeValue } from "../store/value.js";
import { Batch } from "./batch.js";
import { type Boot, bootRecord, readBoot } from "./boot.js";
import { CallRecords, type CallRetention } from "./call-records.js";
import { isDamage } from "./fail-stop.js";
import type { Continuation, TaskStreams } from "./handshake.js";
import { createNotesMemory, HandlerNotes } from "./handler-notes.js";
import { Mailbox, type ReceivedSection } from "./mailbox.js";
import { Marks } from "./marks.js";
import { Outbox } from "./outbox.js";
import { Overlay } from "./overlay.js";
import type { PlannedStore } from "./plan.js";
import { operation, Request, type StreamAck, status, writeReply } from "./protocol.js";
import { applyRequest, type RequestParts } from "./requests.js";
import { checkStreamRows } from "./stream-rows.js";
import type { System } from "./system.js";
import type { MessageOrigin, OwnWork, TaskProgram } from "./task-program.js";
import { TaskTurn, type TurnParts } from "./turn.js";

/** What a task is made of. */
export interface TaskParts {
  readonly taskId: number;
  readonly taskCount: number;
  readonly threadCount: number;
  /** Of the range map. */
  readonly epoch: number;
  readonly storage: TaskStorage;
  /** How the storage syncs. */
  readonly durability: Durability;
  readonly stores: ReadonlyMap<number, PlannedStore>;
  readonly system: System;
  readonly batchBytesMax: number;
  /** One value: its frame must fit an arena. */
  readonly valueBytesMax: number;
  /** Messages of one stream on the way. Default: the limit. */
  readonly streamWindowMessages?: number;
  /** Default: the limits. */
  readonly callRetention?: CallRetention;
  /** Default: notes that nobody reads. */
  readonly notes?: HandlerNotes;
}

/** Figures of one task since it was opened. */
export interface TaskStats {
  readonly batches: number;
  readonly messages: number;
  readonly refused: number;
  readonly duplicates: number;
}

export class Task {
  readonly taskId: number;
  /** This start. */
  readonly boot: Boot;
  readonly outbox: Outbox;
  /** What its thread is about to run, for the watchdog. */
  readonly notes: HandlerNotes;
  readonly #parts: TaskParts;
  readonly #overlay: Overlay;
  readonly #calls: CallRecords;
  readonly #marks: Marks;
  readonly #mailbox: Mailbox;
  readonly #turnParts: TurnParts;
  readonly #requestParts: RequestParts;
  /** The one in hand: each is applied before the next is read. */
  readonly #request = new Request();
  #program: TaskProgram | undefined;
  /** How far the oldest section of the mailbox is taken. */
  #reader: ByteReader | undefined;
  #sequence = 0;
  #batch: Batch | undefined;
  #batches = 0;
  #messages = 0;
  #refused = 0;
  #duplicates = 0;

  constructor(parts: TaskParts) {
    this.taskId = parts.taskId;
    this.#parts = parts;
    this.notes = parts.notes ?? new HandlerNotes(createNotesMemory(0), 0);
    this.#overlay = new Overlay(parts.storage, {
      rowsMax: limits.cacheEntriesMax,
      bytesMax: limits.cacheBytesMax,
      ownRowsMax: limits.ownCacheEntriesMax,
      ownBytesMax: limits.ownCacheBytesMax,
      valueBytesMax: parts.valueBytesMax,
    });
    this.boot = readBoot(parts.storage);
    checkStreamRows(parts.taskId, parts.storage, parts.epoch, this.boot.unclean);
    this.#marks = new Marks(parts.storage, parts.epoch);
    const now = (): number => parts.system.now();
    const mayForget = this.isWeak || this.boot.lossy;
    const { callRetention } = parts;
    this.#calls = new CallRecords(parts.storage, this.#overlay, now, callRetention, mayForget);
    const windowMessages = parts.streamWindowMessages ?? limits.streamWindowMessages;
    this.outbox = new Outbox(parts.taskId, parts.storage, parts.epoch, windowMessages);
    this.#requestParts = {
      taskId: parts.taskId,
      taskCount: parts.taskCount,
      stores: parts.stores,
      overlay: this.#overlay,
      calls: this.#calls,
      notes: this.notes,
      program: noProgram,
    };
    this.#turnParts = { overlay: this.#overlay, outbox: this.outbox, calls: this.#calls };
    const senders = (parts.threadCount + 1) * limits.laneMessagesMax;
    const streams = parts.taskCount * (windowMessages + 1);
    this.#mailbox = new Mailbox(senders + streams + 2 * limits.runningNodesMax);
  }

  /** The program is made with a port to this task, so it comes after it; once. */
  install(program: TaskProgram): void {
    assert(this.#program === undefined, "a task has one program");
    this.#program = program;
  }

  /** In a mode of durability whose newest frames a power cut can take. */
  get isWeak(): boolean {
    return this.#parts.durability !== "durable";
  }

  /** Whether `step` would find something to do. */
  get hasWork(): boolean {
    return this.#batch === undefined && this.#mailbox.length > 0;
  }

  /** Nothing waits, nothing is in hand, nothing runs, nothing is unacknowledged. */
  get quiet(): boolean {
    return (
      this.#batch === undefined &&
      this.#mailbox.length === 0 &&
      this.outbox.unacknowledged === 0 &&
      (this.#program?.running ?? 0) === 0
    );
  }

  stats(): TaskStats {
    return {
      batches: this.#batches,
      messages: this.#messages,
      refused: this.#refused,
      duplicates: this.#duplicates,
    };
  }

  /** Puts what arrived into the mailbox. The bytes are kept until they are applied. */
  accept(section: ReceivedSection): void {
    if (section.body.length > 0 || section.work !== undefined) this.#mailbox.push(section);
  }

  /** What may be said to a source of its messages. */
  ackOf(source: number, resend: boolean): StreamAck {
    const [applied, durable] = [this.#marks.committed(source), this.#marks.durable(source)];
    return { applied, durable, resend };
  }

  /** The source begins anew from the answer it gets: it need not be asked for a gap before. */
  greetedBy(source: number): void {
    this.#marks.forgetAsked(source);
  }

  /** Sources of whose messages more has become durable since the last call. */
  takeDurable(): readonly number[] {
    this.#marks.settle();
    return this.#marks.takeMoved();
  }

  /**
   * Applies what has arrived, bounded by count, bytes and time, and returns what follows from it.
   * `undefined` when there was nothing.
   */
  step(): Batch | undefined {
    assert(this.#batch === undefined, "one batch in hand at a time");
    if (this.#mailbox.length === 0) return undefined;
    const batch = new Batch();
    const deadline = this.#parts.system.elapsed() + limits.batchTimeMs;
    while (this.#applyNext(batch)) {
      batch.messages += 1;
      if (batch.messages >= limits.batchMessagesMax) break;
      if (this.#overlay.bytes + this.outbox.stagedBytes >= this.#parts.batchBytesMax) break;
      if (batch.messages % 64 === 0 && this.#parts.system.elapsed() >= deadline) break;
    }
    for (const work of batch.lastly) this.#applyProgram(batch, { kind: "self" }, work);
    this.#calls.endBatch();
    const nextVersion = (): number => this.#overlay.nextVersion();
    if (this.#overlay.changed || this.outbox.changed || this.#marks.changed) {
      const { records, clears } = this.#overlay.writes();
      const others = this.#marks.writes(nextVersion);
      others.push(...this.outbox.writes(nextVersion));
      batch.records = others.length === 0 ? records : [...records, ...others];
      batch.clears = clears;
    }
    this.#batch = batch;
    return batch;
  }

  /** What this task knows of others, to be judged before it begins. */
  streams(): TaskStreams {
    const { taskId, boot, outbox } = this;
    const { lossy } = boot;
    return { task: taskId, lossy, marks: this.#marks.entries, streams: outbox.streams };
  }

  /**
   * The records of this start, for a frame of their own: it serves, with streams that go on as the
   * handshake has found, or has come to its orderly end.
   */
  bootRecords(clean: boolean, continuations: readonly Continuation[] = []): RecordWrite[] {
    const state = { count: this.boot.count, clean, weak: this.isWeak };
    const nextVersion = (): number => this.#overlay.nextVersion();
    const streams = continuations
      .filter(({ source }) => source === this.taskId)
      .map(({ destination, next }) => this.outbox.goOn(destination, next, nextVersion));
    return [bootRecord(state, nextVersion()), ...streams];
  }

  /** The batch's frame is durable and visible. */
  committed(batch: Batch): void {
    assert(this.#batch === batch, "another batch is in hand");
    this.#batch = undefined;
    this.#batches += 1;
    this.#messages += batch.messages;
    this.#overlay.committed();
    this.#marks.commit();
    this.outbox.committed();
  }

  /** Takes one message of the mailbox and applies it; false when there is none. */
  #applyNext(batch: Batch): boolean {
    const section = this.#mailbox.peek();
    if (section === undefined) return false;
    const { origin, work } = section;
    if (work !== undefined) {
      this.#applyProgram(batch, origin, work);
      this.#mailbox.shift();
      return true;
    }
    if (this.#reader === undefined) {
      this.#reader = new ByteReader(section.body);
      this.#sequence = section.firstSequence;
    }
    const reader = this.#reader;
    if (origin.kind === "lane") this.#applyRequest(batch, origin, reader);
    else {
      const message = reader.bytes(reader.u32());
      if (origin.kind === "self") this.#applyProgram(batch, origin, message);
      else this.#applyStreamed(batch, origin, message);
    }
    if (reader.done) {
      this.#mailbox.shift();
      this.#reader = undefined;
    }
    return true;
  }

  #applyRequest(batch: Batch, origin: MessageOrigin & { kind: "lane" }, reader: ByteReader): void {
    const request = this.#request;
    request.read(reader);
    const replies = batch.repliesTo(origin.thread);
    try {
      const isProgram = request.kind === operation.program;
      const parts = isProgram ? this.#programParts(batch, origin) : this.#requestParts;
      applyRequest(parts, request, replies);
    } catch (error) {
      if (!PartitaError.is(error) || isDamage(error)) throw error;
      this.#refused += 1;
      writeReply(replies, status.error, encodeValue(toWire(error)));
    }
  }

  /** Apart from `#applyRequest`, which would allocate what the closure holds for every request. */
  #programParts(batch: Batch, origin: MessageOrigin): RequestParts {
    const program = (message: Uint8Array) => this.#applyProgram(batch, origin, message);
    return { ...this.#requestParts, program };
  }

  #applyStreamed(
    batch: Batch,
    origin: MessageOrigin & { kind: "task" },
    message: Uint8Array,
  ): void {
    const source = origin.task;
    const sequence = this.#sequence;
    this.#sequence += 1;
    const arrival = this.#marks.arrival(source, sequence);
    if (arrival === "next") {
      this.#applyProgram(batch, origin, message);
      this.#marks.advance(source, sequence);
    } else if (arrival === "duplicate") this.#duplicates += 1;
    const resend = arrival === "gap" && this.#marks.asksAgain(source);
    batch.acks.set(source, resend || (batch.acks.get(source) ?? false));
  }

  /** Applies a program's message and, within the same batch, what it sends to this task itself. */
  #applyProgram(
    batch: Batch,
    origin: MessageOrigin,
    message: Uint8Array | OwnWork,
  ): Uint8Array | undefined {
    const program = this.#program;
    assert(program !== undefined, "a program's message reached a task without a program");
    const mark = this.outbox.mark();
    const actions = batch.actions.length;
    const turn = new TaskTurn(this.taskId, origin, this.#turnParts, batch);
    this.#overlay.savepoint();
    try {
      const reply = applied(program, turn, message);
      for (let own = turn.takeOwn(); own !== undefined; own = turn.takeOwn()) {
        turn.origin = { kind: "self" };
        applied(program, turn, own);
      }
      this.#overlay.release();
      turn.end();
      return reply;
    } catch (error) {
      this.#overlay.rollback();
      this.outbox.rollback(mark);
      batch.actions.length = actions;
      turn.discard();
      throw error;
    }
  }
}

function noProgram(): never {
  throw new InvariantViolation("only a program's request has a message for it");
}

function applied(
  program: TaskProgram,
  turn: TaskTurn,
  message: Uint8Array | OwnWork,
): Uint8Array | undefined {
  if (typeof message !== "function") return program.apply(turn, message);
  message(turn);
  return undefined;
}
