// Question list — what clients and nodes are told of open questions.
//
// Owns: the layouts of pages of questions, and of the step that an invocation is at. Leaves to
// others: which questions are open (home/questions.ts), outcomes (outcome.ts).

import { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";
import { type AwaitReply, decodeReply, encodeReply } from "./outcome.js";
import type { QuestionId } from "./question-id.js";
import { readQuestionId } from "./wait-fields.js";
import { readName, writeName, written } from "./wire-field.js";

/** An open question, as clients are told of it. */
export interface ListedQuestion {
  readonly question: QuestionId;
  readonly node: string;
  readonly prompt: Uint8Array;
}

function writeListed(writer: ByteWriter, { question, node, prompt }: ListedQuestion): void {
  writer.bytes(question);
  writeName(writer, node);
  writer.lengthPrefixed(prompt);
}

function readListed(reader: ByteReader): ListedQuestion {
  const question = readQuestionId(reader);
  return { question, node: readName(reader), prompt: reader.lengthPrefixed() };
}

/** Reply to a QuestionsMessage. */
export interface QuestionPage {
  readonly isKnown: boolean;
  /** Where the next page begins; 0 when there is none. */
  readonly next: number;
  readonly questions: readonly ListedQuestion[];
}

export function encodeQuestionPage(page: QuestionPage): Uint8Array {
  return written((writer) => {
    writer.u8(page.isKnown ? 1 : 0);
    writer.u32(page.next);
    writer.u32(page.questions.length);
    for (const listed of page.questions) writeListed(writer, listed);
  });
}

/** What it returns are views of `bytes`. */
export function decodeQuestionPage(bytes: Uint8Array): QuestionPage {
  const reader = new ByteReader(bytes);
  const isKnown = reader.u8() === 1;
  const next = reader.u32();
  const count = reader.u32();
  return { isKnown, next, questions: Array.from({ length: count }, () => readListed(reader)) };
}

/**
 * How an invocation stands: as AwaitReply says, or it asks a human. Or there is none of whoever
 * asks, since it was not begun (refusal-bytes.ts).
 */
export type StepReply =
  | AwaitReply
  | { readonly kind: "asks"; readonly asked: ListedQuestion }
  | { readonly kind: "refused"; readonly error: Uint8Array };

const stepKinds = { standing: 0, asks: 1, refused: 2 } as const;

export function encodeStep(step: StepReply): Uint8Array {
  if (step.kind === "asks") {
    return written((writer) => {
      writer.u8(stepKinds.asks);
      writeListed(writer, step.asked);
    });
  }
  const isRefused = step.kind === "refused";
  const bytes = isRefused ? step.error : encodeReply(step);
  return written((writer) => {
    writer.u8(isRefused ? stepKinds.refused : stepKinds.standing);
    writer.bytes(bytes);
  });
}

/** What it returns are views of `bytes`. */
export function decodeStep(bytes: Uint8Array): StepReply {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  if (kind === stepKinds.asks) return { kind: "asks", asked: readListed(reader) };
  if (kind === stepKinds.refused) return { kind: "refused", error: reader.rest() };
  return decodeReply(reader.rest());
}

/** What an invocation came to, and the attempt of the node's invocation in which it was told. */
export function inAttempt(attempt: number, bytes: Uint8Array): Uint8Array {
  return written((writer) => {
    writer.u32(attempt);
    writer.bytes(bytes);
  });
}

/** What `inAttempt` has made. What it returns are views of `bytes`. */
export function readInAttempt(bytes: Uint8Array): {
  readonly attempt: number;
  readonly reply: StepReply;
} {
  const reader = new ByteReader(bytes);
  return { attempt: reader.u32(), reply: decodeStep(reader.rest()) };
}
