// Wait fields — the parts that messages and rows about waits are made of.
//
// Owns: what a node can wait for, who answers, where a question comes from, and how they stand in
// bytes. Leaves to others: the messages (wait-message.ts, question-message.ts), the rows
// (node/wait-rows.ts, home/questions.ts).
// Invariant M1 of message.ts.

import type { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";
import { assert } from "../../base/invariant.js";
import { type CallId, callIdBytes } from "../../runtime/call-id.js";
import type { InvocationId } from "./invocation-id.js";
import { type QuestionId, questionIdBytes } from "./question-id.js";
import { readId, readKey, readName, writeKey, writeName } from "./wire-field.js";

/** The operation of a node that waits: its row on this task, and its number. */
export interface WaitPlace {
  readonly arrivalNo: number;
  readonly index: number;
}

/** Stands for all operations of a row. */
export const wholeRow = 0xffff_ffff;

/** Who answers a question, and is told whether the answer was taken. */
export type Answerer =
  | { readonly kind: "client"; readonly thread: number; readonly token: number }
  | ({ readonly kind: "node"; readonly task: number } & WaitPlace);

/** An answerer, and at which invocation he came in: its home tells him. */
export interface AnsweredBy {
  readonly invocationId: InvocationId;
  readonly answerer: Answerer;
}

/** How another invocation is begun. */
export interface Beginning {
  readonly key: Uint8Array | undefined;
  readonly metadata: Uint8Array;
  readonly input: Uint8Array;
  /** The id that was given to it (runtime/call-id.ts). */
  readonly call: CallId | undefined;
}

/**
 * Whose an invocation is: not the node's; the node's own, which stops with it; or begun under an id
 * that was given to it, so that others may count on it too: it is told to stop, and nobody waits
 * for that.
 */
export type Belonging = "apart" | "own" | "named";

/** An invocation of another topology, which has begun. */
export interface NeighbourChild {
  readonly topology: string;
  readonly agent: string;
  readonly child: InvocationId;
  /** The node has begun it: it is cancelled with it. */
  readonly isOwn: boolean;
}

/** What a node waits for. */
export type Wanted =
  /** A human's answer. `isChecked`: the node has a schema for it. */
  | {
      readonly kind: "answer";
      readonly question: QuestionId;
      readonly isChecked: boolean;
      readonly prompt: Uint8Array;
    }
  | { readonly kind: "pause"; readonly dueMs: number }
  /** The outcome of an invocation, which is begun if it is not yet. */
  | {
      readonly kind: "result";
      readonly agent: string;
      readonly child: InvocationId;
      readonly belongs: Belonging;
      readonly beginning: Beginning | undefined;
    }
  /** The outcome of an invocation of another topology of the process. */
  | ({ readonly kind: "neighbour" } & NeighbourChild)
  /** Its outcome, or that it asks a human. */
  | { readonly kind: "step"; readonly agent: string; readonly child: InvocationId }
  /** That an answer to its question was taken. */
  | {
      readonly kind: "receipt";
      readonly agent: string;
      readonly child: InvocationId;
      readonly question: QuestionId;
      readonly value: Uint8Array;
    }
  /** Nothing: the invocation is begun, and the node goes on. */
  | {
      readonly kind: "nothing";
      readonly agent: string;
      readonly child: InvocationId;
      readonly belongs: Belonging;
      readonly beginning: Beginning;
    }
  /** That an invocation has begun, under an id that was given to it. */
  | {
      readonly kind: "begin";
      readonly agent: string;
      readonly child: InvocationId;
      readonly belongs: Belonging;
      readonly beginning: Beginning;
    }
  /** Nothing: an invocation of another topology has been begun. */
  | ({ readonly kind: "begun" } & NeighbourChild);

/** A question that is passed on: an invocation's, at its home. */
export interface QuestionOrigin {
  readonly invocationId: InvocationId;
  readonly question: QuestionId;
}

const wantedKinds = {
  answer: 1,
  pause: 2,
  result: 3,
  step: 4,
  receipt: 5,
  nothing: 6,
  neighbour: 7,
  begun: 8,
  begin: 9,
} as const;
const belongings = ["apart", "own", "named"] as const;
const answererKinds = { client: 1, node: 2 } as const;

export function writeWanted(writer: ByteWriter, wanted: Wanted): void {
  writer.u8(wantedKinds[wanted.kind]);
  switch (wanted.kind) {
    case "answer":
      writer.bytes(wanted.question);
      writer.u8(wanted.isChecked ? 1 : 0);
      writer.bytes(wanted.prompt);
      return;
    case "pause":
      writer.uint64(wanted.dueMs);
      return;
    case "neighbour":
    case "begun":
      writeNeighbourChild(writer, wanted);
      return;
    default:
      writeName(writer, wanted.agent);
      writer.bytes(wanted.child);
  }
  if (wanted.kind === "receipt") {
    writer.bytes(wanted.question);
    writer.bytes(wanted.value);
  } else if (wanted.kind !== "step") {
    const { beginning } = wanted;
    writeBelonging(writer, wanted.belongs);
    writer.u8(beginning === undefined ? 0 : 1);
    if (beginning === undefined) return;
    writeKey(writer, beginning.key);
    writer.lengthPrefixed(beginning.metadata);
    writeCall(writer, beginning.call);
    writer.bytes(beginning.input);
  }
}

export function readWanted(reader: ByteReader): Wanted {
  const kind = reader.u8();
  if (kind === wantedKinds.answer) {
    const question = readQuestionId(reader);
    return { kind: "answer", question, isChecked: reader.u8() === 1, prompt: reader.rest() };
  }
  if (kind === wantedKinds.pause) return { kind: "pause", dueMs: reader.uint64() };
  if (kind === wantedKinds.neighbour) return { kind: "neighbour", ...readNeighbourChild(reader) };
  if (kind === wantedKinds.begun) return { kind: "begun", ...readNeighbourChild(reader) };
  const agent = readName(reader);
  const child = readId(reader);
  if (kind === wantedKinds.step) return { kind: "step", agent, child };
  if (kind === wantedKinds.receipt) {
    return {
      kind: "receipt",
      agent,
      child,
      question: readQuestionId(reader),
      value: reader.rest(),
    };
  }
  const belongs = readBelonging(reader);
  const beginning = reader.u8() === 1 ? readBeginning(reader) : undefined;
  if (kind === wantedKinds.result) return { kind: "result", agent, child, belongs, beginning };
  const isBegun = kind === wantedKinds.nothing || kind === wantedKinds.begin;
  const isKnown = isBegun && beginning !== undefined;
  assert(isKnown, () => `what is waited for, ${kind}, is not in the protocol`);
  const waits = kind === wantedKinds.begin;
  return { kind: waits ? "begin" : "nothing", agent, child, belongs, beginning };
}

export function writeBelonging(writer: ByteWriter, belongs: Belonging): void {
  writer.u8(belongings.indexOf(belongs));
}

export function readBelonging(reader: ByteReader): Belonging {
  const belongs = belongings[reader.u8()];
  assert(belongs !== undefined, "an invocation belongs to its node or not");
  return belongs;
}

export function writeNeighbourChild(writer: ByteWriter, of: NeighbourChild): void {
  writeName(writer, of.topology);
  writeName(writer, of.agent);
  writer.bytes(of.child);
  writer.u8(of.isOwn ? 1 : 0);
}

export function readNeighbourChild(reader: ByteReader): NeighbourChild {
  const topology = readName(reader);
  const agent = readName(reader);
  return { topology, agent, child: readId(reader), isOwn: reader.u8() === 1 };
}

function readBeginning(reader: ByteReader): Beginning {
  const key = readKey(reader);
  const metadata = reader.lengthPrefixed();
  return { key, metadata, call: readCall(reader), input: reader.rest() };
}

function writeCall(writer: ByteWriter, call: CallId | undefined): void {
  writer.u8(call === undefined ? 0 : 1);
  if (call !== undefined) writer.bytes(call);
}

function readCall(reader: ByteReader): CallId | undefined {
  return reader.u8() === 1 ? reader.bytes(callIdBytes) : undefined;
}

export function readQuestionId(reader: ByteReader): QuestionId {
  return reader.bytes(questionIdBytes);
}

export function writePlace(writer: ByteWriter, { arrivalNo, index }: WaitPlace): void {
  writer.uint64(arrivalNo);
  writer.u32(index);
}

export function readPlace(reader: ByteReader): WaitPlace {
  return { arrivalNo: reader.uint64(), index: reader.u32() };
}

export function writeOrigin(writer: ByteWriter, origin: QuestionOrigin | undefined): void {
  writer.u8(origin === undefined ? 0 : 1);
  if (origin === undefined) return;
  writer.bytes(origin.invocationId);
  writer.bytes(origin.question);
}

export function readOriginIfAny(reader: ByteReader): QuestionOrigin | undefined {
  if (reader.u8() === 0) return undefined;
  return { invocationId: readId(reader), question: readQuestionId(reader) };
}

export function readOrigin(reader: ByteReader): QuestionOrigin {
  const origin = readOriginIfAny(reader);
  assert(origin !== undefined, "a question that is passed on comes from somewhere");
  return origin;
}

export function writeAnsweredBy(writer: ByteWriter, by: AnsweredBy | undefined): void {
  if (by === undefined) {
    writer.u8(0);
    return;
  }
  const { answerer } = by;
  writer.u8(answererKinds[answerer.kind]);
  writer.bytes(by.invocationId);
  if (answerer.kind === "client") {
    writer.u16(answerer.thread);
    writer.uint64(answerer.token);
  } else {
    writer.u16(answerer.task);
    writePlace(writer, answerer);
  }
}

export function readAnsweredBy(reader: ByteReader): AnsweredBy | undefined {
  const kind = reader.u8();
  if (kind === 0) return undefined;
  const invocationId = readId(reader);
  if (kind === answererKinds.client) {
    const answerer = { kind: "client", thread: reader.u16(), token: reader.uint64() } as const;
    return { invocationId, answerer };
  }
  assert(kind === answererKinds.node, () => `answerer ${kind} is not in the protocol`);
  return { invocationId, answerer: { kind: "node", task: reader.u16(), ...readPlace(reader) } };
}
