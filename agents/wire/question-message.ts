// Question messages — what home tasks are sent about questions, and about nodes that wait for their
// invocations.
//
//   a node's task ── asked ──► home             one of its nodes asks a human
//   ... ── closed, withdrawn ──► home           it does not any more
//   client ── answer ──► home                   ... and is told by a notice what came of it
//   a node's task ── answered ──► home          for that notice
//   a node's task ── begin, attach ──► home     begin an invocation for a node; tell a node of it
//   client ── step, questions ──► home          how does it stand, what does it ask?
//
// Owns: their layouts, readers and writers. Leaves to others: what they do (home/desk.ts,
// home/questions.ts), replies (question-list.ts), what the tasks of nodes are sent
// (wait-message.ts).
// Invariant M1 of message.ts.

import type { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";
import { assert } from "../../base/invariant.js";
import { type CallId, callIdBytes } from "../../runtime/call-id.js";
import type { InvocationId, NodeInvocationId } from "./invocation-id.js";
import { messageKinds as kinds } from "./message-kinds.js";
import { askedMsOf, newQuestionId, type QuestionId } from "./question-id.js";
import {
  type AnsweredBy,
  type QuestionOrigin,
  readAnsweredBy,
  readOriginIfAny,
  readPlace,
  readQuestionId,
  type WaitPlace,
  writeAnsweredBy,
  writeOrigin,
  writePlace,
} from "./wait-fields.js";
import { readId, readKey, readName, writeKey, writeName, written } from "./wire-field.js";

/** A question at home, as long as it is open. */
export interface QuestionRow extends WaitPlace {
  readonly node: string;
  /** Where the node runs that asks. */
  readonly task: number;
  readonly attempt: number;
  /** Whose question it is, when the node passes it on. */
  readonly origin: QuestionOrigin | undefined;
  readonly prompt: Uint8Array;
}

/** The attempt of what is asked in all of them: a question that is passed on. */
export const anyAttempt = 0xffff_ffff;

export interface AskedMessage extends QuestionRow {
  readonly kind: "asked";
  readonly invocationId: InvocationId;
  readonly question: QuestionId;
}

/** `by`: because this answer was taken; else because nobody waits for one any more. */
export interface ClosedMessage {
  readonly kind: "closed";
  readonly invocationId: InvocationId;
  readonly question: QuestionId;
  readonly by: AnsweredBy | undefined;
}

/**
 * From a client on a lane, from a node's task for one of its nodes, or from one that passes a
 * question on.
 */
export interface AnswerMessage {
  readonly kind: "answer";
  readonly agent: string;
  readonly invocationId: InvocationId;
  readonly question: QuestionId;
  /** The thread of a client is known to the home where it comes in. */
  readonly by: AnsweredBy;
  readonly value: Uint8Array;
}

/** All questions that a row of a task asks, or passes on with one operation, are closed. */
export interface WithdrawnMessage extends WaitPlace {
  readonly kind: "withdrawn";
  readonly invocationId: InvocationId;
  readonly task: number;
}

/** To the home where an answer came in: what came of it. */
export interface AnsweredMessage {
  readonly kind: "answered";
  readonly by: AnsweredBy;
  /** failure.ts has its bytes; none when the answer was taken. */
  readonly error: Uint8Array;
}

/** A node that waits for an invocation. */
export interface Caller extends WaitPlace {
  readonly task: number;
  /**
   * Until it has ended; until it asks a human as well; until nothing of it runs any more; or until
   * it has begun.
   */
  readonly until: "result" | "step" | "stopped" | "begun";
}

export interface AttachMessage {
  readonly kind: "attach";
  readonly agent: string;
  readonly invocationId: InvocationId;
  readonly caller: Caller;
}

/**
 * As `initiate` of message.ts, from a node: known already, it is only attached to. `call`: the id
 * under which it is begun, as a client begins it who has that id.
 */
export interface BeginMessage {
  readonly kind: "begin";
  readonly agent: string;
  readonly invocationId: InvocationId;
  readonly caller: Caller | undefined;
  readonly call: CallId | undefined;
  readonly carried: Uint8Array;
  readonly key: Uint8Array | undefined;
  readonly input: Uint8Array;
}

/** Replied to with a StepReply. After `pending` comes a notice. */
export interface StepMessage {
  readonly kind: "step";
  readonly agent: string;
  readonly invocationId: InvocationId;
}

/** Replied to with a QuestionPage. */
export interface QuestionsMessage {
  readonly kind: "questions";
  readonly agent: string;
  readonly invocationId: InvocationId;
  /** From this number on. */
  readonly from: number;
  /** The client's thread is told, once, when the questions have changed. */
  readonly subscribe: boolean;
}

export type QuestionMessage =
  | AskedMessage
  | ClosedMessage
  | AnswerMessage
  | WithdrawnMessage
  | AnsweredMessage
  | AttachMessage
  | BeginMessage
  | StepMessage
  | QuestionsMessage;

/** Which parts of a `begin` message are there. */
const beginParts = { caller: 1, call: 2 } as const;

export function encodeQuestion(message: QuestionMessage): Uint8Array {
  return written((writer) => {
    writer.u8(kinds[message.kind]);
    switch (message.kind) {
      case "asked":
        writer.bytes(message.invocationId);
        writer.bytes(message.question);
        writeQuestionRow(writer, message);
        return;
      case "closed":
        writer.bytes(message.invocationId);
        writer.bytes(message.question);
        writeAnsweredBy(writer, message.by);
        return;
      case "withdrawn":
        writer.bytes(message.invocationId);
        writer.u16(message.task);
        writePlace(writer, message);
        return;
      case "answered":
        writeAnsweredBy(writer, message.by);
        writer.bytes(message.error);
        return;
      default:
        writeName(writer, message.agent);
        writer.bytes(message.invocationId);
        writeOfAgent(writer, message);
    }
  });
}

function writeOfAgent(
  writer: ByteWriter,
  message: AnswerMessage | AttachMessage | BeginMessage | StepMessage | QuestionsMessage,
): void {
  switch (message.kind) {
    case "answer":
      writer.bytes(message.question);
      writeAnsweredBy(writer, message.by);
      writer.bytes(message.value);
      return;
    case "attach":
      writeCaller(writer, message.caller);
      return;
    case "begin":
      writer.u8(
        (message.caller === undefined ? 0 : beginParts.caller) |
          (message.call === undefined ? 0 : beginParts.call),
      );
      if (message.caller !== undefined) writeCaller(writer, message.caller);
      if (message.call !== undefined) writer.bytes(message.call);
      writer.lengthPrefixed(message.carried);
      writeKey(writer, message.key);
      writer.bytes(message.input);
      return;
    case "questions":
      writer.u32(message.from);
      writer.u8(message.subscribe ? 1 : 0);
      return;
    case "step":
  }
}

/** A message whose kind, the first byte, is read; `undefined` when it is none of these. */
export function readQuestion(kind: number, reader: ByteReader): QuestionMessage | undefined {
  switch (kind) {
    case kinds.asked: {
      const invocationId = readId(reader);
      const question = readQuestionId(reader);
      return { kind: "asked", invocationId, question, ...readQuestionRow(reader) };
    }
    case kinds.closed: {
      const invocationId = readId(reader);
      const question = readQuestionId(reader);
      return { kind: "closed", invocationId, question, by: readAnsweredBy(reader) };
    }
    case kinds.withdrawn: {
      const invocationId = readId(reader);
      return { kind: "withdrawn", invocationId, task: reader.u16(), ...readPlace(reader) };
    }
    case kinds.answered:
      return { kind: "answered", by: readAnswerer(reader), error: reader.rest() };
    case kinds.answer:
    case kinds.attach:
    case kinds.begin:
    case kinds.step:
    case kinds.questions:
      return readOfAgent(kind, reader);
    default:
      return undefined;
  }
}

function readOfAgent(kind: number, reader: ByteReader): QuestionMessage {
  const agent = readName(reader);
  const invocationId = readId(reader);
  switch (kind) {
    case kinds.answer: {
      const question = readQuestionId(reader);
      const by = readAnswerer(reader);
      return { kind: "answer", agent, invocationId, question, by, value: reader.rest() };
    }
    case kinds.attach:
      return { kind: "attach", agent, invocationId, caller: readCaller(reader) };
    case kinds.begin: {
      const there = reader.u8();
      const caller = (there & beginParts.caller) === 0 ? undefined : readCaller(reader);
      const call = (there & beginParts.call) === 0 ? undefined : reader.bytes(callIdBytes);
      const carried = reader.lengthPrefixed();
      const begun = { caller, call, carried, key: readKey(reader), input: reader.rest() };
      return { kind: "begin", agent, invocationId, ...begun };
    }
    case kinds.questions: {
      const from = reader.u32();
      return { kind: "questions", agent, invocationId, from, subscribe: reader.u8() === 1 };
    }
    default:
      return { kind: "step", agent, invocationId };
  }
}

export function writeQuestionRow(writer: ByteWriter, row: QuestionRow): void {
  writeName(writer, row.node);
  writer.u16(row.task);
  writePlace(writer, row);
  writer.u32(row.attempt);
  writeOrigin(writer, row.origin);
  writer.bytes(row.prompt);
}

export function readQuestionRow(reader: ByteReader): QuestionRow {
  const node = readName(reader);
  const task = reader.u16();
  const place = readPlace(reader);
  const attempt = reader.u32();
  const origin = readOriginIfAny(reader);
  return { node, task, ...place, attempt, origin, prompt: reader.rest() };
}

const untils = ["result", "step", "stopped", "begun"] as const;

export function writeCaller(writer: ByteWriter, caller: Caller): void {
  writer.u16(caller.task);
  writePlace(writer, caller);
  writer.u8(untils.indexOf(caller.until));
}

export function readCaller(reader: ByteReader): Caller {
  const task = reader.u16();
  const place = readPlace(reader);
  const until = untils[reader.u8()];
  assert(until !== undefined, "what a caller waits for is in the protocol");
  return { task, ...place, until };
}

function readAnswerer(reader: ByteReader): AnsweredBy {
  const by = readAnsweredBy(reader);
  assert(by !== undefined, "somebody answers");
  return by;
}

/** The id under which a node passes on a question: the same in every attempt. */
export function passedOnId(
  nodeInvocationId: NodeInvocationId,
  place: WaitPlace,
  { invocationId, question }: QuestionOrigin,
): QuestionId {
  const passedOn = new Uint8Array(invocationId.length + question.length);
  passedOn.set(invocationId);
  passedOn.set(question, invocationId.length);
  const askedMs = askedMsOf(question);
  return newQuestionId({ nodeInvocationId, attempt: anyAttempt, ...place, askedMs, passedOn });
}
