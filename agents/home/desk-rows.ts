// Desk rows — what the home task of an invocation keeps of the questions that it asks, and of the
// nodes that wait for it.
//
//   [invocation 16][04][00]               the desk: numbers given and counts, while there is any,
//                                         and a question that was asked when no other was open
//   [invocation 16][04][01][question 22]  another open question, with its number
//   [invocation 16][04][02][number u32]   which question has the number
//   [invocation 16][04][03][number u32]   a node that waits (Caller)
//
// Owns: keys, layouts and the numbers, by which rows are found in a turn, which has no pages.
// Leaves to others: when rows come and go (questions.ts).
//
// Invariants:
//   K1. Numbers rise in the order of arrival; those from `first` on that have a row are all there
//       is.
//   K2. The desk row is there as long as there is a question or a caller, and goes with the last.

import { ByteReader } from "../../base/byte-reader.js";
import { assert } from "../../base/invariant.js";
import type { Turn } from "../../runtime/task-program.js";
import { type InvocationId, invocationIdBytes } from "../wire/invocation-id.js";
import type { QuestionId } from "../wire/question-id.js";
import {
  type Caller,
  type QuestionRow,
  readCaller,
  readQuestionRow,
  writeCaller,
  writeQuestionRow,
} from "../wire/question-message.js";
import { readQuestionId } from "../wire/wait-fields.js";
import { written } from "../wire/wire-field.js";
import { treeTable } from "./tree.js";

const deskKind = 4;
const parts = { desk: 0, question: 1, questionNo: 2, caller: 3 } as const;

/** Numbers that were given to one sort of rows. */
interface Numbers {
  /** No row has a smaller one. */
  readonly first: number;
  /** The next to be given. */
  readonly next: number;
  readonly count: number;
}

interface Desk {
  readonly questions: Numbers;
  readonly callers: Numbers;
  /** One of the questions: most invocations ask one at a time, and need no other row for it. */
  readonly inline: OpenQuestion | undefined;
}

/** An open question and its number. */
export interface OpenQuestion {
  readonly no: number;
  readonly question: QuestionId;
  readonly row: QuestionRow;
}

const none: Numbers = { first: 0, next: 0, count: 0 };

export function addQuestion(
  turn: Turn,
  of: InvocationId,
  question: QuestionId,
  row: QuestionRow,
): void {
  const desk = readDesk(turn, of);
  const no = desk.questions.next;
  const questions = added(desk.questions);
  if (desk.questions.count === 0) {
    writeDesk(turn, of, { ...desk, questions, inline: { no, question, row } });
    return;
  }
  const bytes = written((writer) => {
    writer.u32(no);
    writeQuestionRow(writer, row);
  });
  turn.put(treeTable, keyOf(of, parts.question, question), bytes);
  turn.put(treeTable, keyOf(of, parts.questionNo, numberBytes(no)), question);
  writeDesk(turn, of, { ...desk, questions });
}

/** What is needed of a turn to look. */
type Readable = Pick<Turn, "get">;

/** An open question; `undefined` when it is not open. */
export function findQuestion(
  turn: Readable,
  of: InvocationId,
  question: QuestionId,
): OpenQuestion | undefined {
  return findIn(turn, of, readDesk(turn, of), question);
}

function findIn(
  turn: Readable,
  of: InvocationId,
  { inline, questions }: Desk,
  question: QuestionId,
): OpenQuestion | undefined {
  if (inline !== undefined && Buffer.compare(inline.question, question) === 0) return inline;
  if (questions.count === 0) return undefined;
  const bytes = turn.get(treeTable, keyOf(of, parts.question, question));
  if (bytes === undefined) return undefined;
  const reader = new ByteReader(bytes);
  return { no: reader.u32(), question, row: readQuestionRow(reader) };
}

export function removeQuestion(turn: Turn, of: InvocationId, { no, question }: OpenQuestion): void {
  const desk = readDesk(turn, of);
  const inline = desk.inline?.no === no ? undefined : desk.inline;
  if (inline === desk.inline) {
    turn.delete(treeTable, keyOf(of, parts.question, question));
    turn.delete(treeTable, keyOf(of, parts.questionNo, numberBytes(no)));
  }
  // The one in the desk has the smallest number: it was asked when no other was open.
  const isThere = (other: number): boolean => questionOfNo(turn, of, other) !== undefined;
  writeDesk(turn, of, { ...desk, inline, questions: removed(desk.questions, no, isThere) });
}

/** Open questions in the order in which they were asked, with numbers from `from` on. */
export function* openQuestions(
  turn: Turn,
  of: InvocationId,
  from = 0,
): Generator<OpenQuestion, void> {
  const desk = readDesk(turn, of);
  const { first, next } = desk.questions;
  for (let no = Math.max(first, from); no < next; no += 1) {
    if (desk.inline?.no === no) yield desk.inline;
    const question = questionOfNo(turn, of, no);
    const found = question === undefined ? undefined : findIn(turn, of, desk, question);
    if (found !== undefined) yield found;
  }
}

export function addCaller(turn: Turn, of: InvocationId, caller: Caller): void {
  const desk = readDesk(turn, of);
  const bytes = written((writer) => writeCaller(writer, caller));
  turn.put(treeTable, keyOf(of, parts.caller, numberBytes(desk.callers.next)), bytes);
  writeDesk(turn, of, { ...desk, callers: added(desk.callers) });
}

/** Nodes that wait, in the order in which they began to. */
export function callersOf(
  turn: Turn,
  of: InvocationId,
): readonly { readonly no: number; readonly caller: Caller }[] {
  const { first, next } = readDesk(turn, of).callers;
  const callers: { no: number; caller: Caller }[] = [];
  for (let no = first; no < next; no += 1) {
    const bytes = turn.get(treeTable, keyOf(of, parts.caller, numberBytes(no)));
    if (bytes !== undefined) callers.push({ no, caller: readCaller(new ByteReader(bytes)) });
  }
  return callers;
}

export function removeCaller(turn: Turn, of: InvocationId, no: number): void {
  const desk = readDesk(turn, of);
  turn.delete(treeTable, keyOf(of, parts.caller, numberBytes(no)));
  const isThere = (other: number): boolean =>
    turn.get(treeTable, keyOf(of, parts.caller, numberBytes(other))) !== undefined;
  writeDesk(turn, of, { ...desk, callers: removed(desk.callers, no, isThere) });
}

function questionOfNo(turn: Turn, of: InvocationId, no: number): QuestionId | undefined {
  const bytes = turn.get(treeTable, keyOf(of, parts.questionNo, numberBytes(no)));
  return bytes === undefined ? undefined : readQuestionId(new ByteReader(bytes));
}

function added({ first, next, count }: Numbers): Numbers {
  return { first: count === 0 ? next : first, next: next + 1, count: count + 1 };
}

function removed(numbers: Numbers, no: number, isThere: (no: number) => boolean): Numbers {
  const { next, count } = numbers;
  assert(count > 0, "what is removed was there");
  let { first } = numbers;
  if (no === first) while (first < next && !isThere(first)) first += 1;
  return { first, next, count: count - 1 };
}

function readDesk(turn: Readable, of: InvocationId): Desk {
  const bytes = turn.get(treeTable, keyOf(of, parts.desk, noPart));
  if (bytes === undefined) return { questions: none, callers: none, inline: undefined };
  const reader = new ByteReader(bytes);
  const numbers = (): Numbers => {
    return { first: reader.u32(), next: reader.u32(), count: reader.u32() };
  };
  const questions = numbers();
  const callers = numbers();
  return { questions, callers, inline: reader.done ? undefined : readInline(reader) };
}

function readInline(reader: ByteReader): OpenQuestion {
  const no = reader.u32();
  const question = readQuestionId(reader);
  return { no, question, row: readQuestionRow(reader) };
}

function writeDesk(turn: Turn, of: InvocationId, { questions, callers, inline }: Desk): void {
  const key = keyOf(of, parts.desk, noPart);
  if (questions.count + callers.count === 0) {
    turn.delete(treeTable, key);
    return;
  }
  const bytes = written((writer) => {
    for (const { first, next, count } of [questions, callers]) {
      writer.u32(first);
      writer.u32(next);
      writer.u32(count);
    }
    if (inline === undefined) return;
    writer.u32(inline.no);
    writer.bytes(inline.question);
    writeQuestionRow(writer, inline.row);
  });
  turn.put(treeTable, key, bytes);
}

const noPart = new Uint8Array(0);

function keyOf(of: InvocationId, part: number, rest: Uint8Array): Uint8Array {
  const key = new Uint8Array(invocationIdBytes + 2 + rest.length);
  key.set(of);
  key[invocationIdBytes] = deskKind;
  key[invocationIdBytes + 1] = part;
  key.set(rest, invocationIdBytes + 2);
  return key;
}

function numberBytes(no: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, no);
  return bytes;
}
