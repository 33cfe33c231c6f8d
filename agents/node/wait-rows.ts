// Wait rows — what a task keeps of the waits of its nodes, until they have ended.
//
//   [01][row u64][operation u32]               a wait (WaitRow)
//   [02][row u64][operation u32][number u32]   an answer that the node, or another topology, has
//                                              not looked at yet
//   [03][row u64][invocation 16]               one of its node's own children (own-children.ts)
//
// Owns: keys and layouts. Leaves to others: when rows come and go (waits.ts).

import { ByteReader } from "../../base/byte-reader.js";
import { assert } from "../../base/invariant.js";
import type { Turn } from "../../runtime/task-program.js";
import type { InvocationId } from "../wire/invocation-id.js";
import type { QuestionId } from "../wire/question-id.js";
import {
  type AnsweredBy,
  type Belonging,
  type NeighbourChild,
  readAnsweredBy,
  readBelonging,
  readNeighbourChild,
  readQuestionId,
  type Wanted,
  type WaitPlace,
  writeAnsweredBy,
  writeBelonging,
  writeNeighbourChild,
} from "../wire/wait-fields.js";
import { readId, readName, writeName, written } from "../wire/wire-field.js";

/** Table of these rows. Part of the on-disk format. */
export const waitTable = 13;

const prefixes = { wait: 1, answer: 2, child: 3 } as const;
const two32 = 2 ** 32;

/** One wait. */
export interface WaitRow {
  /** By which later runs know its outcome. */
  readonly digest: number;
  /** Its node does nothing but wait: one of its waits says so. */
  readonly rests: boolean;
  readonly wanted: WaitedFor;
}

/** What is kept of what is waited for. */
export type WaitedFor = WaitedAnswer | WaitedPause | WaitedChild | WaitedNeighbour;

/** Answers that wait: numbers of the oldest that was not looked at, and of the next to come. */
interface WaitingAnswers {
  readonly firstAnswer: number;
  readonly nextAnswer: number;
}

export interface WaitedAnswer extends WaitingAnswers {
  readonly kind: "answer";
  readonly question: QuestionId;
  readonly isChecked: boolean;
  /** To ask once more with, where home alone may lose the question (asked-again.ts). */
  readonly prompt: Uint8Array | undefined;
}

export interface WaitedNeighbour extends WaitingAnswers, NeighbourChild {
  readonly kind: "neighbour";
  /** Its questions that were passed on, and are open. */
  readonly asked: readonly QuestionId[];
}

export interface WaitedPause {
  readonly kind: "pause";
  readonly dueMs: number;
}

export interface WaitedChild {
  readonly kind: "result" | "step" | "receipt" | "begin";
  readonly agent: string;
  readonly child: InvocationId;
  readonly belongs: Belonging;
  /** Some of its questions were passed on. */
  readonly passesOn: boolean;
}

const waitedKinds = {
  answer: 1,
  pause: 2,
  result: 3,
  step: 4,
  receipt: 5,
  neighbour: 6,
  begin: 7,
} as const;

/** What a row keeps of a wait; `undefined` when nothing is waited for. `isWeak`: with prompts. */
export function waitedForOf(wanted: Wanted, isWeak: boolean): WaitedFor | undefined {
  switch (wanted.kind) {
    case "answer":
      return {
        ...wanted,
        prompt: isWeak ? wanted.prompt : undefined,
        firstAnswer: 0,
        nextAnswer: 0,
      };
    case "pause":
      return wanted;
    case "neighbour":
      return { ...wanted, asked: [], firstAnswer: 0, nextAnswer: 0 };
    case "nothing":
    case "begun":
      return undefined;
    default: {
      const { kind, agent, child } = wanted;
      const belongs = "belongs" in wanted ? wanted.belongs : "apart";
      return { kind, agent, child, belongs, passesOn: false };
    }
  }
}

/** The child that a node has begun with what it waits for, or asks for. */
export function ownChildOf(
  wanted: Wanted | WaitedFor,
): (OwnChild & { readonly child: InvocationId }) | undefined {
  switch (wanted.kind) {
    case "begun":
    case "neighbour": {
      const { topology, agent, child, isOwn } = wanted;
      return isOwn ? { topology, agent, child, isNamed: false } : undefined;
    }
    case "nothing":
    case "begin":
    case "result": {
      const { agent, child, belongs } = wanted;
      if (belongs === "apart") return undefined;
      return { topology: "", agent, child, isNamed: belongs === "named" };
    }
    default:
      return undefined;
  }
}

export function encodeWait({ digest, rests, wanted }: WaitRow): Uint8Array {
  return written((writer) => {
    writer.u32(digest);
    writer.u8(rests ? 1 : 0);
    writer.u8(waitedKinds[wanted.kind]);
    switch (wanted.kind) {
      case "answer":
        writer.bytes(wanted.question);
        writer.u8(wanted.isChecked ? 1 : 0);
        writer.u32(wanted.firstAnswer);
        writer.u32(wanted.nextAnswer);
        writer.u8(wanted.prompt === undefined ? 0 : 1);
        if (wanted.prompt !== undefined) writer.bytes(wanted.prompt);
        return;
      case "pause":
        writer.uint64(wanted.dueMs);
        return;
      case "neighbour":
        writeNeighbourChild(writer, wanted);
        writer.u32(wanted.firstAnswer);
        writer.u32(wanted.nextAnswer);
        for (const question of wanted.asked) writer.bytes(question);
        return;
      default:
        writeName(writer, wanted.agent);
        writer.bytes(wanted.child);
        writeBelonging(writer, wanted.belongs);
        writer.u8(wanted.passesOn ? 1 : 0);
    }
  });
}

/** What it returns are views of `bytes`. */
export function decodeWait(bytes: Uint8Array): WaitRow {
  const reader = new ByteReader(bytes);
  const digest = reader.u32();
  return { digest, rests: reader.u8() === 1, wanted: readWaitedFor(reader) };
}

function readWaitedFor(reader: ByteReader): WaitedFor {
  const kind = reader.u8();
  switch (kind) {
    case waitedKinds.answer: {
      const question = readQuestionId(reader);
      const isChecked = reader.u8() === 1;
      const firstAnswer = reader.u32();
      const nextAnswer = reader.u32();
      const prompt = reader.u8() === 1 ? reader.rest() : undefined;
      return { kind: "answer", question, isChecked, firstAnswer, nextAnswer, prompt };
    }
    case waitedKinds.pause:
      return { kind: "pause", dueMs: reader.uint64() };
    case waitedKinds.neighbour: {
      const child = readNeighbourChild(reader);
      const firstAnswer = reader.u32();
      const nextAnswer = reader.u32();
      const asked: QuestionId[] = [];
      while (!reader.done) asked.push(readQuestionId(reader));
      return { kind: "neighbour", ...child, firstAnswer, nextAnswer, asked };
    }
    case waitedKinds.result:
      return { kind: "result", ...readChild(reader) };
    case waitedKinds.step:
      return { kind: "step", ...readChild(reader) };
    case waitedKinds.begin:
      return { kind: "begin", ...readChild(reader) };
    default:
      assert(kind === waitedKinds.receipt, () => `a wait of kind ${kind} is not in the format`);
      return { kind: "receipt", ...readChild(reader) };
  }
}

function readChild(reader: ByteReader): Omit<WaitedChild, "kind"> {
  const agent = readName(reader);
  const child = readId(reader);
  return { agent, child, belongs: readBelonging(reader), passesOn: reader.u8() === 1 };
}

/** An invocation that a node has begun. */
export interface OwnChild {
  /** "" for the node's own topology. */
  readonly topology: string;
  readonly agent: string;
  /** It was begun under an id that was given to it. */
  readonly isNamed: boolean;
}

export function encodeChild({ topology, agent, isNamed }: OwnChild): Uint8Array {
  return written((writer) => {
    writeName(writer, topology);
    writeName(writer, agent);
    writer.u8(isNamed ? 1 : 0);
  });
}

export function decodeChild(bytes: Uint8Array): OwnChild {
  const reader = new ByteReader(bytes);
  return { topology: readName(reader), agent: readName(reader), isNamed: reader.u8() === 1 };
}

/** An answer that waits for its node. */
export interface AnswerRow {
  readonly by: AnsweredBy;
  readonly value: Uint8Array;
}

export function encodeAnswer({ by, value }: AnswerRow): Uint8Array {
  return written((writer) => {
    writeAnsweredBy(writer, by);
    writer.bytes(value);
  });
}

/** What it returns are views of `bytes`. */
export function decodeAnswer(bytes: Uint8Array): AnswerRow {
  const reader = new ByteReader(bytes);
  const by = readAnsweredBy(reader);
  assert(by !== undefined, "somebody answers");
  return { by, value: reader.rest() };
}

export function waitKey(place: WaitPlace): Uint8Array {
  return placeKey(prefixes.wait, place, 0);
}

/** The place of a wait, from its key. */
export function placeOf(key: Uint8Array): WaitPlace {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return { arrivalNo: getUint64(view, 1), index: view.getUint32(9) };
}

export function answerKey(place: WaitPlace, answerNo: number): Uint8Array {
  const key = placeKey(prefixes.answer, place, 4);
  new DataView(key.buffer).setUint32(13, answerNo);
  return key;
}

/** Whether a wait is one for an answer to that question. */
export function asks(
  row: WaitRow,
  question: QuestionId,
): row is WaitRow & { readonly wanted: WaitedAnswer } {
  return row.wanted.kind === "answer" && Buffer.compare(row.wanted.question, question) === 0;
}

/** Whether it is a wait for the outcome, or the next step, of an invocation. */
export function isForOutcome(wanted: WaitedFor): wanted is WaitedNeighbour | WaitedChild {
  const { kind } = wanted;
  return kind === "result" || kind === "step" || kind === "neighbour";
}

/** Whether it is a wait for this invocation. */
export function isFor({ wanted }: WaitRow, child: InvocationId): boolean {
  return "child" in wanted && Buffer.compare(wanted.child, child) === 0;
}

/** Answers that wait: none of them does any more. */
export function takeAnswers(
  turn: Turn,
  place: WaitPlace,
  { firstAnswer, nextAnswer }: WaitingAnswers,
): readonly AnswerRow[] {
  const taken: AnswerRow[] = [];
  for (let no = firstAnswer; no < nextAnswer; no += 1) {
    const answer = turn.get(waitTable, answerKey(place, no));
    if (answer === undefined) continue;
    taken.push(decodeAnswer(answer.slice()));
    turn.delete(waitTable, answerKey(place, no));
  }
  return taken;
}

/** All waits. */
export const waitsRange = rangeOf(prefixes.wait);

/** All children that nodes have begun. */
export const childrenRange = rangeOf(prefixes.child);

/** Of a child that the node of a row has begun. */
export function childKey(arrivalNo: number, child: InvocationId): Uint8Array {
  const key = new Uint8Array(9 + child.length);
  key[0] = prefixes.child;
  setUint64(new DataView(key.buffer), 1, arrivalNo);
  key.set(child, 9);
  return key;
}

/** Of which row and child a key is. */
export function childOfKey(key: Uint8Array): {
  readonly arrivalNo: number;
  readonly child: InvocationId;
} {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return { arrivalNo: getUint64(view, 1), child: key.subarray(9) };
}

function rangeOf(prefix: number): { readonly from: Uint8Array; readonly to: Uint8Array } {
  return { from: Uint8Array.of(prefix), to: Uint8Array.of(prefix + 1) };
}

function placeKey(prefix: number, { arrivalNo, index }: WaitPlace, more: number): Uint8Array {
  const key = new Uint8Array(13 + more);
  const view = new DataView(key.buffer);
  key[0] = prefix;
  setUint64(view, 1, arrivalNo);
  view.setUint32(9, index);
  return key;
}

function setUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / two32));
  view.setUint32(at + 4, value % two32);
}

function getUint64(view: DataView, at: number): number {
  return view.getUint32(at) * two32 + view.getUint32(at + 4);
}
