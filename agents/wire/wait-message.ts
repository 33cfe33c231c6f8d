// Wait messages — what the task of a node is sent about what its nodes wait for.
//
//   a node ── wait ──► its task          it waits from now on: recorded, durable
//   home ── deliver ──► the task         somebody answers a question of one of its nodes
//   the task ── settle ──► itself        the node has looked at that answer
//   a child's home ── outcome ──►        the invocation that a node waits for has ended
//   a child's home ── childAsked ──►     ... or asks a human
//   a child's home ── childStopped ──►   ... or has stopped, as its node's task has asked
//   the task ── due, rest ──► itself     pauses are over; nodes do nothing but wait
//   the task ── repeat ──► itself        what they ask may be open nowhere
//
// Owns: their layouts, readers and writers. Leaves to others: what they do (node/waits.ts), what
// homes are sent (question-message.ts).
// Invariant M1 of message.ts.

import type { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";
import { assert } from "../../base/invariant.js";
import type { InvocationId } from "./invocation-id.js";
import { messageKinds as kinds } from "./message-kinds.js";
import type { QuestionId } from "./question-id.js";
import {
  type AnsweredBy,
  type QuestionOrigin,
  readAnsweredBy,
  readOrigin,
  readOriginIfAny,
  readPlace,
  readQuestionId,
  readWanted,
  type Wanted,
  type WaitPlace,
  writeAnsweredBy,
  writeOrigin,
  writePlace,
  writeWanted,
} from "./wait-fields.js";
import { readId, written } from "./wire-field.js";

/** A node, on its lane to its own task: it waits. Replied to when that is durable. */
export interface WaitMessage extends WaitPlace {
  readonly kind: "wait";
  /** By which later runs know the outcome, which is recorded at the next place. */
  readonly digest: number;
  readonly wanted: Wanted;
}

/** The task to itself: a node has taken an answer, with these bytes, or refused it, with these. */
export interface SettleMessage extends WaitPlace {
  readonly kind: "settle";
  readonly answerNo: number;
  readonly isTaken: boolean;
  readonly bytes: Uint8Array;
}

/** The task to itself: the first pauses are over. */
export interface DueMessage {
  readonly kind: "due";
}

/** The task to itself: these rows do nothing but wait; or, again, they do something else. */
export interface RestMessage {
  readonly kind: "rest";
  readonly isResting: boolean;
  readonly arrivalNos: readonly number[];
}

/** The task to itself, at a start: what these waits ask is to be asked once more. Volatile. */
export interface RepeatMessage {
  readonly kind: "repeat";
  readonly places: readonly WaitPlace[];
}

/** Home of the asker to its task: an answer. */
export interface DeliverMessage extends WaitPlace {
  readonly kind: "deliver";
  /** The asker's. */
  readonly invocationId: InvocationId;
  readonly question: QuestionId;
  /** Whose question was passed on; `undefined` for the node's own. */
  readonly origin: QuestionOrigin | undefined;
  readonly by: AnsweredBy;
  readonly value: Uint8Array;
}

/** To the task of a node that waits for it: what a wait came to. */
export interface OutcomeMessage extends WaitPlace {
  readonly kind: "outcome";
  /** Whose it is: only a wait for this invocation ends with it. */
  readonly child: InvocationId;
  readonly bytes: Uint8Array;
}

/** To the task of a node that waits for its result: an invocation asks a human. */
export interface ChildAskedMessage extends WaitPlace {
  readonly kind: "childAsked";
  readonly origin: QuestionOrigin;
  readonly prompt: Uint8Array;
}

/** To the same: it does not ask any more. `by`: because of this answer. */
export interface ChildClosedMessage extends WaitPlace {
  readonly kind: "childClosed";
  readonly origin: QuestionOrigin;
  readonly by: AnsweredBy | undefined;
}

/** To the task of a node that is to stop: nothing of this invocation, its own, runs any more. */
export interface ChildStoppedMessage extends WaitPlace {
  readonly kind: "childStopped";
  readonly child: InvocationId;
}

export type TaskWaitMessage =
  | WaitMessage
  | SettleMessage
  | DueMessage
  | RestMessage
  | RepeatMessage
  | DeliverMessage
  | OutcomeMessage
  | ChildAskedMessage
  | ChildClosedMessage
  | ChildStoppedMessage;

export function encodeTaskWait(message: TaskWaitMessage): Uint8Array {
  return written((writer) => {
    writer.u8(kinds[message.kind]);
    switch (message.kind) {
      case "due":
        return;
      case "rest":
        writer.u8(message.isResting ? 1 : 0);
        writer.u32(message.arrivalNos.length);
        for (const arrivalNo of message.arrivalNos) writer.uint64(arrivalNo);
        return;
      case "repeat":
        writer.u32(message.places.length);
        for (const place of message.places) writePlace(writer, place);
        return;
      default:
        writePlace(writer, message);
        writeRest(writer, message);
    }
  });
}

function writeRest(
  writer: ByteWriter,
  message: Exclude<TaskWaitMessage, DueMessage | RestMessage | RepeatMessage>,
): void {
  switch (message.kind) {
    case "wait":
      writer.u32(message.digest);
      writeWanted(writer, message.wanted);
      return;
    case "settle":
      writer.u32(message.answerNo);
      writer.u8(message.isTaken ? 1 : 0);
      writer.bytes(message.bytes);
      return;
    case "deliver":
      writer.bytes(message.invocationId);
      writer.bytes(message.question);
      writeOrigin(writer, message.origin);
      writeAnsweredBy(writer, message.by);
      writer.bytes(message.value);
      return;
    case "outcome":
      writer.bytes(message.child);
      writer.bytes(message.bytes);
      return;
    case "childAsked":
      writeOrigin(writer, message.origin);
      writer.bytes(message.prompt);
      return;
    case "childClosed":
      writeOrigin(writer, message.origin);
      writeAnsweredBy(writer, message.by);
      return;
    case "childStopped":
      writer.bytes(message.child);
  }
}

/** A message whose kind, the first byte, is read; `undefined` when it is none of these. */
export function readTaskWait(kind: number, reader: ByteReader): TaskWaitMessage | undefined {
  switch (kind) {
    case kinds.due:
      return { kind: "due" };
    case kinds.rest: {
      const isResting = reader.u8() === 1;
      const count = reader.u32();
      const arrivalNos = Array.from({ length: count }, () => reader.uint64());
      return { kind: "rest", isResting, arrivalNos };
    }
    case kinds.repeat: {
      const count = reader.u32();
      return { kind: "repeat", places: Array.from({ length: count }, () => readPlace(reader)) };
    }
    case kinds.wait:
      return {
        kind: "wait",
        ...readPlace(reader),
        digest: reader.u32(),
        wanted: readWanted(reader),
      };
    case kinds.settle: {
      const place = readPlace(reader);
      const answerNo = reader.u32();
      return {
        kind: "settle",
        ...place,
        answerNo,
        isTaken: reader.u8() === 1,
        bytes: reader.rest(),
      };
    }
    case kinds.deliver: {
      const place = readPlace(reader);
      const invocationId = readId(reader);
      const question = readQuestionId(reader);
      const origin = readOriginIfAny(reader);
      const by = readAnsweredBy(reader);
      assert(by !== undefined, "somebody answers");
      const asked = { ...place, invocationId, question, origin };
      return { kind: "deliver", ...asked, by, value: reader.rest() };
    }
    case kinds.outcome:
      return {
        kind: "outcome",
        ...readPlace(reader),
        child: readId(reader),
        bytes: reader.rest(),
      };
    case kinds.childAsked: {
      const place = readPlace(reader);
      return { kind: "childAsked", ...place, origin: readOrigin(reader), prompt: reader.rest() };
    }
    case kinds.childClosed: {
      const place = readPlace(reader);
      const origin = readOrigin(reader);
      return { kind: "childClosed", ...place, origin, by: readAnsweredBy(reader) };
    }
    case kinds.childStopped:
      return { kind: "childStopped", ...readPlace(reader), child: readId(reader) };
    default:
      return undefined;
  }
}
