// Attempt messages — what tasks and clients are sent when an invocation fails, is tried again, or
// is to stop.
//
//   the task of a node ── failed ──► home ── fence ──► all tasks      the next attempt
//                                       ├─── giveUp ─► that task      a dead letter
//                                       └─── drop ───► that task      nobody waits for it
//   client ── cancel ──► home ── fence, with a stop ──► all tasks
//   the task of a node ── cancel ──► home of its own child
//   home ── lift ──► all tasks                                        nothing of it is left
//
// Owns: their layouts, readers and writers. Leaves to others: what they do (home/attempts.ts,
// node/fences.ts, node/failed-nodes.ts), dead letters (poison-message.ts).
// Invariant M1 of message.ts.

import { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";
import { assert } from "../../base/invariant.js";
import type { InvocationId, NodeInvocationId } from "./invocation-id.js";
import { messageKinds as kinds } from "./message-kinds.js";
import { readId, readName, readNodeId, writeName, writeNodeId, written } from "./wire-field.js";

/** To the home task: a node invocation has failed; its row is parked and waits for the word. */
export interface FailedMessage {
  readonly kind: "failed";
  readonly invocationId: InvocationId;
  readonly nodeInvocationId: NodeInvocationId;
  /** Which row of its task's queue. */
  readonly arrivalNo: number;
  /** The attempt of the invocation that the run belonged to. */
  readonly attempt: number;
  /** Another attempt would end in the same way. */
  readonly final: boolean;
  /** What it has done (node-trace.ts); no bytes when nothing is known of it. */
  readonly trace: Uint8Array;
  /** failure.ts has its bytes. */
  readonly error: Uint8Array;
}

/**
 * Why an invocation's nodes are to stop: it was cancelled, or what they do counts no more because
 * it begins again from its root, or has ended.
 */
export type StopReason = "cancelled" | "retried";

/** Home to every task: which attempt counts, or that nothing of those up to it goes on. */
export interface FenceMessage {
  readonly kind: "fence";
  readonly invocationId: InvocationId;
  /** What ran before it is an orphan; with a stop, it and what is older stops. */
  readonly attempt: number;
  readonly stop: StopReason | undefined;
  /** How long what has failed waits before it runs again. */
  readonly pauseMs: number;
}

/** A row of a task's queue; its number alone may be that of another, behind a power cut. */
interface NamedRow {
  readonly arrivalNo: number;
  readonly nodeInvocationId: NodeInvocationId;
}

/** Home to a task: the parked row becomes a dead letter. */
export interface GiveUpMessage extends NamedRow {
  readonly kind: "giveUp";
}

/** Home to a task: whatever the row comes to, nobody waits for it. It goes, and no ack comes. */
export interface DropMessage extends NamedRow {
  readonly kind: "drop";
}

/** Home to every task: nothing of the invocation is left, its fence can go. */
export interface LiftMessage {
  readonly kind: "lift";
  readonly invocationId: InvocationId;
  /** Of this attempt and those before it. */
  readonly attempt: number;
}

/**
 * To the home task: stop it. A client is replied to with a StandReply (outcome.ts), a node's task
 * is told when it has stopped, if it asks for that.
 */
export interface CancelMessage {
  readonly kind: "cancel";
  readonly agent: string;
  readonly invocationId: InvocationId;
  /** The row that waits for the stop: of which task, and its number there. */
  readonly by: StoppingRow | undefined;
}

/** A row of a task that waits until a child has stopped. */
export interface StoppingRow {
  readonly task: number;
  readonly arrivalNo: number;
}

/** A task to itself: the graphs of agents have changed since the last launch. Volatile. */
export interface UpdateMessage {
  readonly kind: "update";
}

export type AttemptMessage =
  | FailedMessage
  | FenceMessage
  | GiveUpMessage
  | DropMessage
  | LiftMessage
  | CancelMessage
  | UpdateMessage;

const stops = { none: 0, cancelled: 1, retried: 2 } as const;

export function encodeAttempt(message: AttemptMessage): Uint8Array {
  return written((writer) => {
    writer.u8(kinds[message.kind]);
    writeAttempt(writer, message);
  });
}

function writeAttempt(writer: ByteWriter, message: AttemptMessage): void {
  switch (message.kind) {
    case "failed":
      writer.bytes(message.invocationId);
      writeNodeId(writer, message.nodeInvocationId);
      writer.uint64(message.arrivalNo);
      writer.u32(message.attempt);
      writer.u8(message.final ? 1 : 0);
      writer.lengthPrefixed(message.trace);
      writer.bytes(message.error);
      return;
    case "fence":
      writer.bytes(message.invocationId);
      writer.u32(message.attempt);
      writer.u8(stops[message.stop ?? "none"]);
      writer.u32(message.pauseMs);
      return;
    case "giveUp":
    case "drop":
      writer.uint64(message.arrivalNo);
      writeNodeId(writer, message.nodeInvocationId);
      return;
    case "lift":
      writer.bytes(message.invocationId);
      writer.u32(message.attempt);
      return;
    case "cancel":
      writeName(writer, message.agent);
      writer.bytes(message.invocationId);
      if (message.by === undefined) return;
      writer.u16(message.by.task);
      writer.uint64(message.by.arrivalNo);
      return;
    case "update":
  }
}

/** A message whose kind, the first byte, is read; `undefined` when it is none of these. */
export function readAttempt(kind: number, reader: ByteReader): AttemptMessage | undefined {
  switch (kind) {
    case kinds.failed:
      return {
        kind: "failed",
        invocationId: readId(reader),
        nodeInvocationId: readNodeId(reader),
        arrivalNo: reader.uint64(),
        attempt: reader.u32(),
        final: reader.u8() === 1,
        trace: reader.lengthPrefixed(),
        error: reader.rest(),
      };
    case kinds.fence:
      return {
        kind: "fence",
        invocationId: readId(reader),
        attempt: reader.u32(),
        stop: readStop(reader),
        pauseMs: reader.u32(),
      };
    case kinds.giveUp:
      return { kind: "giveUp", ...readRow(reader) };
    case kinds.drop:
      return { kind: "drop", ...readRow(reader) };
    case kinds.lift:
      return { kind: "lift", invocationId: readId(reader), attempt: reader.u32() };
    case kinds.cancel:
      return {
        kind: "cancel",
        agent: readName(reader),
        invocationId: readId(reader),
        by: reader.done ? undefined : { task: reader.u16(), arrivalNo: reader.uint64() },
      };
    case kinds.update:
      return { kind: "update" };
    default:
      return undefined;
  }
}

function readRow(reader: ByteReader): NamedRow {
  return { arrivalNo: reader.uint64(), nodeInvocationId: readNodeId(reader) };
}

/** What a task keeps of a fence. */
export interface Fence {
  readonly attempt: number;
  readonly stop: StopReason | undefined;
  /** When what has failed runs again: milliseconds since the epoch. */
  readonly dueMs: number;
}

export function encodeFence({ attempt, stop, dueMs }: Fence): Uint8Array {
  return written((writer) => {
    writer.u32(attempt);
    writer.u8(stops[stop ?? "none"]);
    writer.uint64(Math.ceil(dueMs));
  });
}

export function decodeFence(bytes: Uint8Array): Fence {
  const reader = new ByteReader(bytes);
  return { attempt: reader.u32(), stop: readStop(reader), dueMs: reader.uint64() };
}

function readStop(reader: ByteReader): StopReason | undefined {
  const stop = reader.u8();
  if (stop === stops.none) return undefined;
  if (stop === stops.cancelled) return "cancelled";
  assert(stop === stops.retried, () => `reason ${stop} of a stop is not in the protocol`);
  return "retried";
}
