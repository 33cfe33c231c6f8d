// Applier — applies what a task's mailbox holds, message by message, to the batch in hand.
//
// Owns: how far the mailbox is taken, what becomes of a message that is refused or has come before,
// and that a message which throws leaves nothing behind. Leaves to others: when a batch begins and
// ends (task.ts), what a request does (requests.ts), what a program's message means (agents).
//
// Invariants:
//   A1. Messages of one lane, of one stream, and therefore for one key are applied in order, once.
//   A2. A request that is refused has changed nothing; its caller gets the error, others go on. A
//       throw on any other message has nobody to tell, and damaged data is no refusal: `next`
//       throws, and the process ends.
//   A3. Every key a message names hashes into this task's range.

import { ByteReader } from "../base/byte-reader.js";
import { toWire } from "../base/error-wire.js";
import { PartitaError } from "../base/errors.js";
import { assert, InvariantViolation } from "../base/invariant.js";
import { encodeValue } from "../store/value.js";
import type { Batch } from "./batch.js";
import { isDamage } from "./fail-stop.js";
import { LookAhead } from "./look-ahead.js";
import type { Mailbox } from "./mailbox.js";
import type { Marks } from "./marks.js";
import { operation, Request, status, writeReply } from "./lane-encoding.js";
import { applyRequest, type RequestParts } from "./requests.js";
import type { MessageOrigin, OwnWork, TaskProgram } from "./task-program.js";
import { TaskTurn, type TurnParts } from "./turn.js";

/** What messages are taken from and applied to. */
export interface ApplierParts {
  readonly mailbox: Mailbox;
  readonly marks: Marks;
  readonly turn: TurnParts;
  /** Without a program. */
  readonly request: Omit<RequestParts, "program">;
}

export class Applier {
  readonly #parts: ApplierParts;
  readonly #requestParts: RequestParts;
  /** The one in hand: each is applied before the next is read. */
  readonly #request = new Request();
  readonly #ahead: LookAhead;
  #program: TaskProgram | undefined;
  /** How far the oldest section of the mailbox is taken. */
  #reader: ByteReader | undefined;
  /** Of the next message of that section, when it is a stream's. */
  #sequence = 0;
  #refused = 0;
  #duplicates = 0;

  constructor(parts: ApplierParts) {
    this.#parts = parts;
    this.#ahead = new LookAhead(parts.request.overlay);
    this.#requestParts = { ...parts.request, program: noProgram };
  }

  get program(): TaskProgram | undefined {
    return this.#program;
  }

  /** Requests that were answered with an error. */
  get refused(): number {
    return this.#refused;
  }

  /** Messages of streams that had come before. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** Once: a program is made with a port to its task, so it comes later. */
  install(program: TaskProgram): void {
    assert(this.#program === undefined, "a task has one program");
    this.#program = program;
  }

  /** Takes the next message of the mailbox and applies it; false when there is none. */
  next(batch: Batch): boolean {
    const { mailbox } = this.#parts;
    const section = mailbox.peek();
    if (section === undefined) return false;
    const { origin, work } = section;
    if (work !== undefined) {
      this.#applyProgram(batch, origin, work);
      mailbox.shift();
      return true;
    }
    if (this.#reader === undefined) {
      this.#reader = new ByteReader(section.body);
      this.#sequence = section.firstSequence;
      this.#ahead.begin();
    }
    const reader = this.#reader;
    if (origin.kind === "lane") {
      this.#request.keyHash = this.#ahead.next(reader);
      this.#applyRequest(batch, origin, reader);
    } else {
      const message = reader.bytes(reader.u32());
      if (origin.kind === "self") this.#applyProgram(batch, origin, message);
      else this.#applyStreamed(batch, origin, message);
    }
    if (reader.done) {
      mailbox.shift();
      this.#reader = undefined;
    }
    return true;
  }

  /** What the messages of a batch have left for its end (`Turn.lastly`). */
  finish(batch: Batch): void {
    for (const work of batch.lastly) this.#applyProgram(batch, { kind: "self" }, work);
  }

  #applyRequest(batch: Batch, origin: MessageOrigin & { kind: "lane" }, reader: ByteReader): void {
    const request = this.#request;
    request.read(reader);
    const replies = batch.repliesTo(origin.thread);
    const bytesBefore = replies.length;
    try {
      const isProgram = request.kind === operation.program;
      const parts = isProgram ? this.#programParts(batch, origin) : this.#requestParts;
      applyRequest(parts, request, replies);
    } catch (error) {
      if (!PartitaError.is(error) || isDamage(error)) throw error;
      this.#refused += 1;
      writeReply(replies, status.error, encodeValue(toWire(error)));
    }
    batch.replyBytes += replies.length - bytesBefore;
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
    const { marks } = this.#parts;
    const source = origin.task;
    const sequence = this.#sequence;
    this.#sequence += 1;
    const arrival = marks.arrival(source, sequence);
    if (arrival === "next") {
      this.#applyProgram(batch, origin, message);
      marks.advance(source, sequence);
    } else if (arrival === "duplicate") this.#duplicates += 1;
    const resend = arrival === "gap" && marks.asksAgain(source);
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
    const { turn: parts, request } = this.#parts;
    const { overlay, outbox } = parts;
    const mark = outbox.mark();
    const actions = batch.actions.length;
    const turn = new TaskTurn(request.taskId, origin, parts, batch);
    overlay.savepoint();
    try {
      const reply = applied(program, turn, message);
      for (let own = turn.takeOwn(); own !== undefined; own = turn.takeOwn()) {
        turn.origin = { kind: "self" };
        applied(program, turn, own);
      }
      overlay.release();
      turn.end();
      return reply;
    } catch (error) {
      overlay.rollback();
      outbox.rollback(mark);
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
