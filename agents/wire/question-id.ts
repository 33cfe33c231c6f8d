// Question ids — names of the questions that nodes ask humans, as bytes and as text.
//
//   question   [asked at, milliseconds u48][node invocation 8][tag u64], big-endian
//              as text: tttttttttttt-nnnnnnnnnnnnnnnn-gggggggggggggggg-cccccccc, lower-case hex
//
// Owns: both layouts. Leaves to others: who asks and who answers (waits.ts, questions.ts).
//
// Invariants:
//   U1. The tag follows from the row, the operation and the attempt that ask, and from the question
//       that is passed on, if it is one: asking once gives one id, asking again another.
//   U2. Ids of one invocation sort by the time at which they were asked.
//   U3. The last part of the text is a check over the rest and the invocation: a text that was not
//       made by it names no question of this invocation, ever.

import { PartitaError } from "../../base/errors.js";
import { show } from "../../base/show.js";
import { hashKey } from "../../store/key-hash.js";
import {
  deriveNodeId,
  formatInvocationId,
  type InvocationId,
  invocationIdBytes,
  type NodeInvocationId,
} from "./invocation-id.js";

/** Twenty-two bytes. */
export type QuestionId = Uint8Array;

export const questionIdBytes = 22;

const two16 = 2 ** 16;
const two32 = 2 ** 32;
const textForm = /^([0-9a-f]{12})-([0-9a-f]{16})-([0-9a-f]{16})-([0-9a-f]{8})$/;

/** The id of what an operation of a node asks (U1). */
export function newQuestionId(of: {
  readonly askedMs: number;
  readonly nodeInvocationId: NodeInvocationId;
  readonly attempt: number;
  readonly arrivalNo: number;
  readonly index: number;
  /** The question that is passed on; empty when it is the node's own. */
  readonly passedOn: Uint8Array;
}): QuestionId {
  const seed = new Uint8Array(20 + of.passedOn.length);
  const seedView = new DataView(seed.buffer);
  seedView.setUint32(0, Math.floor(of.arrivalNo / two32));
  seedView.setUint32(4, of.arrivalNo % two32);
  seedView.setUint32(8, of.index);
  seedView.setUint32(12, of.attempt);
  seed.set(of.passedOn, 20);
  const tag = deriveNodeId(seed);
  const id = new Uint8Array(questionIdBytes);
  const view = new DataView(id.buffer);
  const ms = Math.max(0, Math.floor(of.askedMs));
  view.setUint16(0, Math.floor(ms / two32) % two16);
  view.setUint32(2, ms % two32);
  view.setUint32(6, of.nodeInvocationId.high);
  view.setUint32(10, of.nodeInvocationId.low);
  view.setUint32(14, tag.high);
  view.setUint32(18, tag.low);
  return id;
}

/** When it was asked: milliseconds since the epoch. */
export function askedMsOf(id: QuestionId): number {
  const view = new DataView(id.buffer, id.byteOffset, id.byteLength);
  return view.getUint16(0) * two32 + view.getUint32(2);
}

/** The node invocation that asked. */
export function askerOf(id: QuestionId): NodeInvocationId {
  const view = new DataView(id.buffer, id.byteOffset, id.byteLength);
  return { high: view.getUint32(6), low: view.getUint32(10) };
}

/** The text users see and keep. */
export function formatQuestionId(invocationId: InvocationId, id: QuestionId): string {
  const hex = Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString("hex");
  const check = checkOf(invocationId, id).toString(16).padStart(8, "0");
  return `${hex.slice(0, 12)}-${hex.slice(12, 28)}-${hex.slice(28)}-${check}`;
}

/**
 * The id of a text that `formatQuestionId` made for this invocation.
 * @throws PartitaError QUESTION_UNKNOWN for anything else (U3)
 */
export function parseQuestionId(invocationId: InvocationId, text: unknown): QuestionId {
  const match = typeof text === "string" ? textForm.exec(text) : null;
  if (match !== null) {
    const id = new Uint8Array(Buffer.from(`${match[1]}${match[2]}${match[3]}`, "hex"));
    if (checkOf(invocationId, id) === Number.parseInt(match[4] ?? "", 16)) return id;
  }
  const question = typeof text === "string" ? text : show(text);
  const invocation = formatInvocationId(invocationId);
  throw new PartitaError("QUESTION_UNKNOWN", { invocationId: invocation, question });
}

function checkOf(invocationId: InvocationId, id: QuestionId): number {
  const checked = new Uint8Array(invocationIdBytes + questionIdBytes);
  checked.set(invocationId);
  checked.set(id, invocationIdBytes);
  return hashKey(checked);
}
