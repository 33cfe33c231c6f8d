// Outcome — how an invocation ended, and the bytes in which clients are told.
//
// Owns: the layouts of outcomes, of the reply to an AwaitMessage and of notices. Leaves to
// others: who decides an outcome (execution.ts), the record that keeps it (invocation-record.ts),
// what clients make of it (client.ts).

import { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";
import { assert } from "../../base/invariant.js";
import { type FailureList, readFailures, writeFailures } from "./failure-list.js";
import type { InvocationId, NodeInvocationId } from "./invocation-id.js";
import { readId, readNodeId, readText, writeNodeId, writeText, written } from "./wire-field.js";

/** With a result, with a failure, or because it was cancelled. */
export type Outcome = ResultOutcome | FailedOutcome | { readonly kind: "cancelled" };

export interface ResultOutcome {
  readonly kind: "result";
  /** A user's value in bytes; none stand for `undefined`. */
  readonly value: Uint8Array;
}

export interface FailedOutcome extends FailureList {
  readonly kind: "failed";
  /** The whole text: `<reason> (last failure: <first line of the last error>)`. */
  readonly reason: string;
  /** How many of `failures` had happened then: the last of these is the one `reason` names. */
  readonly failuresThen: number;
}

/** Reply to an AwaitMessage. After `pending` the outcome comes as a notice. */
export type AwaitReply =
  | { readonly kind: "unknown" }
  | { readonly kind: "pending" }
  | { readonly kind: "ended"; readonly outcome: Outcome };

/** Home task to a thread that waits: the invocation has ended. */
export interface OutcomeNotice {
  readonly kind: "outcome";
  readonly invocationId: InvocationId;
  readonly outcome: Outcome;
}

/** A letter's task to a thread that has asked for a replay: it runs again. */
export interface ReplayedNotice {
  readonly kind: "replayed";
  readonly letterNo: number;
}

/** Home task to a thread that follows a stream: it is worth asking again. */
export interface StreamedNotice {
  readonly kind: "streamed";
  readonly invocationId: InvocationId;
  /** `noScope`: another node invocation streams, or this concerns all. */
  readonly nodeInvocationId: NodeInvocationId;
}

/** Home task to a thread that has cancelled it: nothing of the invocation runs any more. */
export interface StoppedNotice {
  readonly kind: "stopped";
  readonly invocationId: InvocationId;
}

/** Home task to a thread that waits for it: the invocation asks a human. */
export interface AskedNotice {
  readonly kind: "asked";
  readonly invocationId: InvocationId;
}

/** Home task to the thread of whoever has answered a question: what came of it. */
export interface AnsweredNotice {
  readonly kind: "answered";
  readonly token: number;
  /** failure.ts has its bytes; none when the answer was taken. */
  readonly error: Uint8Array;
}

export type Notice =
  | OutcomeNotice
  | ReplayedNotice
  | StreamedNotice
  | StoppedNotice
  | AskedNotice
  | AnsweredNotice;

/** Reply to a CancelMessage. After `stopping` a notice tells when it has stopped. */
export type Standing = "unknown" | "stopping" | "stopped";

const outcomes = { result: 1, failed: 2, cancelled: 3 } as const;
const replies = { unknown: 0, pending: 1, ended: 2 } as const;
const notices = {
  outcome: 1,
  replayed: 2,
  streamed: 3,
  stopped: 4,
  asked: 5,
  answered: 6,
} as const;
const standings = ["unknown", "stopping", "stopped"] as const;

export function encodeStanding(standing: Standing): Uint8Array {
  return Uint8Array.of(standings.indexOf(standing));
}

export function decodeStanding(bytes: Uint8Array): Standing {
  const standing = standings[bytes[0] ?? standings.length];
  assert(standing !== undefined, () => `standing ${bytes[0]} is not in the protocol`);
  return standing;
}

export function encodeReply(reply: AwaitReply): Uint8Array {
  return written((writer) => {
    writer.u8(replies[reply.kind]);
    if (reply.kind === "ended") writeOutcome(writer, reply.outcome);
  });
}

export function decodeReply(bytes: Uint8Array): AwaitReply {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  if (kind === replies.ended) return { kind: "ended", outcome: readOutcome(reader) };
  assert(kind === replies.unknown || kind === replies.pending, () => `reply ${kind} is unknown`);
  return { kind: kind === replies.unknown ? "unknown" : "pending" };
}

export function encodeNotice(notice: Notice): Uint8Array {
  return written((writer) => {
    writer.u8(notices[notice.kind]);
    switch (notice.kind) {
      case "replayed":
        writer.uint64(notice.letterNo);
        return;
      case "answered":
        writer.uint64(notice.token);
        writer.bytes(notice.error);
        return;
      case "asked":
      case "stopped":
        writer.bytes(notice.invocationId);
        return;
      case "streamed":
        writer.bytes(notice.invocationId);
        writeNodeId(writer, notice.nodeInvocationId);
        return;
      case "outcome":
        writer.bytes(notice.invocationId);
        writeOutcome(writer, notice.outcome);
    }
  });
}

/** What it returns are views of `bytes`. */
export function decodeNotice(bytes: Uint8Array): Notice {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  if (kind === notices.replayed) return { kind: "replayed", letterNo: reader.uint64() };
  if (kind === notices.streamed) {
    return { kind: "streamed", invocationId: readId(reader), nodeInvocationId: readNodeId(reader) };
  }
  if (kind === notices.stopped) return { kind: "stopped", invocationId: readId(reader) };
  if (kind === notices.asked) return { kind: "asked", invocationId: readId(reader) };
  if (kind === notices.answered) {
    return { kind: "answered", token: reader.uint64(), error: reader.rest() };
  }
  assert(kind === notices.outcome, () => `notice ${kind} is not in the protocol`);
  return { kind: "outcome", invocationId: readId(reader), outcome: readOutcome(reader) };
}

function writeOutcome(writer: ByteWriter, outcome: Outcome): void {
  writer.u8(outcomes[outcome.kind]);
  if (outcome.kind === "result") {
    writer.bytes(outcome.value);
    return;
  }
  if (outcome.kind === "cancelled") return;
  writeText(writer, outcome.reason);
  writer.u32(outcome.failuresThen);
  writeFailures(writer, outcome);
}

function readOutcome(reader: ByteReader): Outcome {
  const kind = reader.u8();
  if (kind === outcomes.result) return { kind: "result", value: reader.rest() };
  if (kind === outcomes.cancelled) return { kind: "cancelled" };
  assert(kind === outcomes.failed, () => `outcome ${kind} is not in the protocol`);
  const reason = readText(reader);
  const failuresThen = reader.u32();
  return { kind: "failed", reason, failuresThen, ...readFailures(reader) };
}
