// Stall messages — how a home task finds out which node invocations have been lost.
//
//   home ── probe ──► the task that emitted it ── probe, forwarded ──► the task that is to run it
//   that task ── missing ──► home, if it does not hold such a row
//
// The way of a probe is the way of the `run` message that it asks about, and of the ack: streams
// between tasks are in order, so what is missing is on no way any more.
// Owns: their layouts. Leaves to others: what they do (home/stalls.ts, node/probes.ts).

import type { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";
import type { InvocationId, NodeInvocationId } from "./invocation-id.js";
import { messageKinds as kinds } from "./message-kinds.js";
import { readId, readNodeId, writeNodeId, written } from "./wire-field.js";

/** A node invocation that is asked about. */
interface Subject {
  readonly invocationId: InvocationId;
  readonly nodeInvocationId: NodeInvocationId;
  /** Who has emitted it; `noScope` when home has sent it. */
  readonly parent: NodeInvocationId;
  /** The attempt of the invocation when home asked. */
  readonly attempt: number;
  /** One more than the attempt in which home had sent it by then; 0 when an emitter has. */
  readonly sent: number;
}

export interface ProbeMessage extends Subject {
  readonly kind: "probe";
  /** The task that is to run it. */
  readonly task: number;
}

export interface MissingMessage extends Subject {
  readonly kind: "missing";
}

/** A task to itself: look whether these invocations are stalled. Volatile. */
export interface LookMessage {
  readonly kind: "look";
  readonly ids: readonly InvocationId[];
}

/** A task to itself: it does not hold such a row. Volatile. */
export interface GoneMessage extends Subject {
  readonly kind: "gone";
}

export type StallMessage = ProbeMessage | MissingMessage | LookMessage | GoneMessage;

export function encodeStall(message: StallMessage): Uint8Array {
  return written((writer) => {
    writer.u8(kinds[message.kind]);
    if (message.kind === "look") {
      writer.u32(message.ids.length);
      for (const id of message.ids) writer.bytes(id);
      return;
    }
    writeSubject(writer, message);
    if (message.kind === "probe") writer.u16(message.task);
  });
}

/** A message whose kind, the first byte, is read; `undefined` when it is none of these. */
export function readStall(kind: number, reader: ByteReader): StallMessage | undefined {
  switch (kind) {
    case kinds.probe:
      return { kind: "probe", ...readSubject(reader), task: reader.u16() };
    case kinds.missing:
      return { kind: "missing", ...readSubject(reader) };
    case kinds.gone:
      return { kind: "gone", ...readSubject(reader) };
    case kinds.look: {
      const count = reader.u32();
      return { kind: "look", ids: Array.from({ length: count }, () => readId(reader)) };
    }
    default:
      return undefined;
  }
}

function writeSubject(writer: ByteWriter, subject: Subject): void {
  writer.bytes(subject.invocationId);
  writeNodeId(writer, subject.nodeInvocationId);
  writeNodeId(writer, subject.parent);
  writer.u32(subject.attempt);
  writer.u32(subject.sent);
}

function readSubject(reader: ByteReader): Subject {
  return {
    invocationId: readId(reader),
    nodeInvocationId: readNodeId(reader),
    parent: readNodeId(reader),
    attempt: reader.u32(),
    sent: reader.u32(),
  };
}
