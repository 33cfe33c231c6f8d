// Task — one partition's state machine: it takes what its mailbox holds and says what follows.
//
// `step()` applies messages to the overlay and returns a Batch; the host makes its frame durable,
// calls `committed(batch)` and lets out what waited behind the gate. No I/O, no threads, no clock
// of its own: everything nondeterministic comes in through the constructor, so a simulator runs
// this very code.
// Owns: the loop of batches, their bounds, and what begins and ends with a start of the task.
// Leaves to others: applying one message (applier.ts), durability (storage).
//
// Invariants:
//   A0. One batch in hand: `step` is not called again before `committed`.
//   A4. A batch is bounded by count, bytes and time; what is left stays in the mailbox, in order.
//       Bytes are those of its frame, of the rows it has read, and of its replies, each by itself.

import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import type { RecordWrite, TaskStorage } from "../store/storage.js";
import type { Durability } from "../store/task-storage.js";
import { Applier } from "./applier.js";
import { Batch } from "./batch.js";
import { type Boot, bootRecord, readBoot } from "./boot.js";
import { CallRecords, type CallRetention } from "./call-records.js";
import type { Continuation, TaskStreams } from "./handshake.js";
import { createNotesMemory, HandlerNotes } from "./handler-notes.js";
import { Mailbox, type ReceivedSection } from "./mailbox.js";
import { Marks } from "./marks.js";
import { Outbox, type StreamWindow, streamWindow } from "./outbox.js";
import { Overlay } from "./overlay.js";
import type { PlannedStore } from "./plan.js";
import type { StreamAck } from "./stream-encoding.js";
import { checkStreamRows } from "./stream-rows.js";
import type { System } from "./system.js";
import type { TaskProgram } from "./task-program.js";

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
  /** Default: production's. */
  readonly streamWindow?: StreamWindow;
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
  readonly #applier: Applier;
  #batch: Batch | undefined;
  #batches = 0;
  #messages = 0;

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
    const window = parts.streamWindow ?? streamWindow;
    this.outbox = new Outbox(parts.taskId, parts.storage, parts.epoch, window);
    const senders = (parts.threadCount + 1) * limits.laneMessagesMax;
    const streams = parts.taskCount * (window.messages + 1);
    this.#mailbox = new Mailbox(senders + streams + 2 * limits.runningNodesMax);
    const { taskId, taskCount, stores } = parts;
    const { outbox, notes } = this;
    const [overlay, calls] = [this.#overlay, this.#calls];
    this.#applier = new Applier({
      mailbox: this.#mailbox,
      marks: this.#marks,
      turn: { overlay, outbox, calls },
      request: { taskId, taskCount, stores, overlay, calls, notes },
    });
  }

  /** The program is made with a port to this task, so it comes after it; once. */
  install(program: TaskProgram): void {
    this.#applier.install(program);
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
      (this.#applier.program?.running ?? 0) === 0
    );
  }

  stats(): TaskStats {
    return {
      batches: this.#batches,
      messages: this.#messages,
      refused: this.#applier.refused,
      duplicates: this.#applier.duplicates,
    };
  }

  /** Puts what arrived into the mailbox. The bytes are kept until they are applied. */
  accept(section: ReceivedSection): void {
    assert(section.body.length > 0 || section.work !== undefined, "a section without messages");
    this.#mailbox.push(section);
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
    while (this.#applier.next(batch)) {
      batch.messages += 1;
      if (batch.messages >= limits.batchMessagesMax) break;
      if (this.#isFull(batch)) break;
      if (batch.messages % 64 === 0 && this.#parts.system.elapsed() >= deadline) break;
    }
    this.#applier.finish(batch);
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

  #isFull(batch: Batch): boolean {
    const { batchBytesMax } = this.#parts;
    const { bytes, readBytes } = this.#overlay;
    if (bytes + this.outbox.stagedBytes >= batchBytesMax) return true;
    return batch.replyBytes >= batchBytesMax || readBytes >= batchBytesMax;
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
}
