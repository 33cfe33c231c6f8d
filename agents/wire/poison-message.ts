// Poison messages — what tasks are sent about node invocations that fail, by tasks, by themselves
// and by whoever looks after dead letters.
//
// Owns: their layouts, readers and writers. Leaves to others: all other messages (message.ts, which
// hands over here), what they do (failed-nodes.ts, execution.ts).
// Invariant M1 of message.ts.

import { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";
import { assert } from "../../base/invariant.js";
import { type FailureList, readFailures, writeFailures } from "./failure-list.js";
import type { InvocationId, NodeInvocationId } from "./invocation-id.js";
import { messageKinds as kinds } from "./message-kinds.js";
import { type RecordedOperations, readRecorded, writeRecorded } from "./recorded-operations.js";
import {
  readId,
  readName,
  readNodeId,
  readText,
  writeName,
  writeNodeId,
  writeText,
  written,
} from "./wire-field.js";

/** A task to itself: these rows are about to start in a life that follows a death. Volatile. */
export interface MarkMessage {
  readonly kind: "mark";
  readonly arrivalNos: readonly number[];
}

/** A task to itself: the row has met enough deaths and is not run any more. Volatile. */
export interface BuryMessage {
  readonly kind: "bury";
  readonly arrivalNo: number;
  readonly recorded: readonly RecordedOperations[];
}

/** Client to the letter's task. Replied to without bytes; a notice says that it runs again. */
export interface ReplayMessage {
  readonly kind: "replay";
  readonly letterNo: number;
}

/** To the home task: a dead letter is about to run again. */
export interface ReviveMessage {
  readonly kind: "revive";
  readonly letterNo: number;
  readonly invocationId: InvocationId;
  readonly nodeInvocationId: NodeInvocationId;
  /** As in its `run` message. */
  readonly scope: NodeInvocationId;
}

/** In place of an attempt, of an invocation that is forgotten: one in which nothing has run. */
export const anyLater = 0xffff_ffff;

/** The home task's answer to the letter's task: the record waits for it. */
export interface RevivedMessage {
  readonly kind: "revived";
  readonly letterNo: number;
  /** The attempt of the invocation that it belongs to now, or `anyLater`. */
  readonly attempt: number;
}

/** Client to the letter's task. Replied to without bytes. */
export interface DiscardMessage {
  readonly kind: "discard";
  readonly letterNo: number;
}

/** Client to a task: its dead letters from a number on. Replied to with a LetterPage. */
export interface LettersMessage {
  readonly kind: "letters";
  readonly from: number;
  readonly limit: number;
  /** Of this agent alone; "" for all. */
  readonly agent: string;
}

export type PoisonMessage =
  | MarkMessage
  | BuryMessage
  | ReplayMessage
  | ReviveMessage
  | RevivedMessage
  | DiscardMessage
  | LettersMessage;

export function encodePoison(message: PoisonMessage): Uint8Array {
  return written((writer) => {
    writer.u8(kinds[message.kind]);
    switch (message.kind) {
      case "mark":
        writer.u32(message.arrivalNos.length);
        for (const arrivalNo of message.arrivalNos) writer.uint64(arrivalNo);
        return;
      case "bury":
        writer.uint64(message.arrivalNo);
        writeRecorded(writer, message.recorded);
        return;
      case "revive":
        writer.uint64(message.letterNo);
        writer.bytes(message.invocationId);
        writeNodeId(writer, message.nodeInvocationId);
        writeNodeId(writer, message.scope);
        return;
      case "revived":
        writer.uint64(message.letterNo);
        writer.u32(message.attempt);
        return;
      case "letters":
        writer.uint64(message.from);
        writer.u32(message.limit);
        writeName(writer, message.agent);
        return;
      default:
        writer.uint64(message.letterNo);
    }
  });
}

/** A message whose kind, the first byte, is read. */
export function readPoison(kind: number, reader: ByteReader): PoisonMessage {
  switch (kind) {
    case kinds.mark: {
      const count = reader.u32();
      return { kind: "mark", arrivalNos: Array.from({ length: count }, () => reader.uint64()) };
    }
    case kinds.bury:
      return { kind: "bury", arrivalNo: reader.uint64(), recorded: readRecorded(reader) };
    case kinds.replay:
      return { kind: "replay", letterNo: reader.uint64() };
    case kinds.revive: {
      const letterNo = reader.uint64();
      const invocationId = readId(reader);
      const nodeInvocationId = readNodeId(reader);
      return {
        kind: "revive",
        letterNo,
        invocationId,
        nodeInvocationId,
        scope: readNodeId(reader),
      };
    }
    case kinds.revived:
      return { kind: "revived", letterNo: reader.uint64(), attempt: reader.u32() };
    case kinds.discard:
      return { kind: "discard", letterNo: reader.uint64() };
    case kinds.letters: {
      const from = reader.uint64();
      return { kind: "letters", from, limit: reader.u32(), agent: readName(reader) };
    }
    default:
      assert(false, () => `message kind ${kind} is not in the protocol`);
  }
}

/** What is kept of a dead letter beside its `run` message. */
export interface LetterInfo extends FailureList {
  readonly agent: string;
  /** A replay was asked for, and its home task was not heard of yet. */
  readonly replaying: boolean;
  /** Runs that it has had. */
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly reason: string;
  /** Its store operations: a replay repeats none of them. */
  readonly recorded: readonly RecordedOperations[];
}

export function writeLetterInfo(writer: ByteWriter, info: LetterInfo): void {
  writer.u8(info.replaying ? 1 : 0);
  writeName(writer, info.agent);
  writer.u32(info.attempts);
  writer.uint64(info.at);
  writeText(writer, info.reason);
  writeRecorded(writer, info.recorded);
  writeFailures(writer, info);
}

/** What it returns are views of the reader's bytes. */
export function readLetterInfo(reader: ByteReader): LetterInfo {
  const replaying = reader.u8() === 1;
  const agent = readName(reader);
  const attempts = reader.u32();
  const at = reader.uint64();
  const reason = readText(reader);
  const recorded = readRecorded(reader);
  return { agent, replaying, attempts, at, reason, recorded, ...readFailures(reader) };
}

/** One dead letter of a page. */
export interface ListedLetter {
  readonly letterNo: number;
  readonly info: LetterInfo;
  /** The `run` message (message.ts). */
  readonly run: Uint8Array;
}

/** Reply to a LettersMessage. */
export interface LetterPage {
  readonly letters: readonly ListedLetter[];
  /** Where the next page begins; 0 when there is none. */
  readonly next: number;
}

export function encodeLetterPage(page: LetterPage): Uint8Array {
  return written((writer) => {
    writer.uint64(page.next);
    writer.u32(page.letters.length);
    for (const { letterNo, info, run } of page.letters) {
      writer.uint64(letterNo);
      writeLetterInfo(writer, info);
      writer.lengthPrefixed(run);
    }
  });
}

/** What it returns are views of `bytes`. */
export function decodeLetterPage(bytes: Uint8Array): LetterPage {
  const reader = new ByteReader(bytes);
  const next = reader.uint64();
  const count = reader.u32();
  const letters = Array.from({ length: count }, () => {
    const letterNo = reader.uint64();
    const info = readLetterInfo(reader);
    return { letterNo, info, run: reader.lengthPrefixed() };
  });
  return { letters, next };
}
