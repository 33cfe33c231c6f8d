// Fork messages — what the home task is sent to copy an invocation with changes, and to tell of it.
//
// Owns: their layouts. Leaves to others: all other messages (message.ts), what home does
// (home/forks.ts), checking changes (client/fork-client.ts).
// Invariant M1 of message.ts.

import { ByteReader } from "../../base/byte-reader.js";
import type { InvocationId, NodeInvocationId } from "./invocation-id.js";
import { messageKinds } from "./message-kinds.js";
import {
  readId,
  readKey,
  readName,
  readNodeId,
  writeKey,
  writeName,
  writeNodeId,
  written,
} from "./wire-field.js";

/** A node invocation of the parent that gets another message in the fork. */
export interface ForkChange {
  readonly id: NodeInvocationId;
  readonly node: string;
  readonly key: Uint8Array | undefined;
  readonly message: Uint8Array;
}

/** Client to the parent's home task. Replied to, without bytes, when the fork is durable. */
export interface ForkMessage {
  readonly kind: "fork";
  readonly agent: string;
  readonly parent: InvocationId;
  /** Of the fork; it has the same home. */
  readonly invocationId: InvocationId;
  readonly changes: readonly ForkChange[];
}

/** A home task to itself: the next step of a copy. Volatile: what is done is in rows. */
export interface ForkStepMessage {
  readonly kind: "forkStep";
  readonly invocationId: InvocationId;
}

/** Client to the home task: whose fork is it, and what are its forks? Replied to with Kin. */
export interface KinMessage {
  readonly kind: "kin";
  readonly agent: string;
  readonly invocationId: InvocationId;
}

export interface Kin {
  readonly parent: InvocationId | undefined;
  /** In the order in which they began. */
  readonly forks: readonly InvocationId[];
}

export type ForkFamilyMessage = ForkMessage | ForkStepMessage | KinMessage;

export function encodeForkMessage(message: ForkFamilyMessage): Uint8Array {
  return written((writer) => {
    writer.u8(messageKinds[message.kind]);
    writer.bytes(message.invocationId);
    if (message.kind === "forkStep") return;
    writeName(writer, message.agent);
    if (message.kind === "kin") return;
    writer.bytes(message.parent);
    writer.u32(message.changes.length);
    for (const { id, node, key, message: changed } of message.changes) {
      writeNodeId(writer, id);
      writeName(writer, node);
      writeKey(writer, key);
      writer.lengthPrefixed(changed);
    }
  });
}

/** A message whose kind, the first byte, is read; `undefined` when it is none of these. */
export function readForkMessage(kind: number, reader: ByteReader): ForkFamilyMessage | undefined {
  switch (kind) {
    case messageKinds.forkStep:
      return { kind: "forkStep", invocationId: readId(reader) };
    case messageKinds.kin:
      return { kind: "kin", invocationId: readId(reader), agent: readName(reader) };
    case messageKinds.fork: {
      const invocationId = readId(reader);
      const agent = readName(reader);
      const parent = readId(reader);
      const count = reader.u32();
      const changes = Array.from({ length: count }, () => ({
        id: readNodeId(reader),
        node: readName(reader),
        key: readKey(reader),
        message: reader.lengthPrefixed(),
      }));
      return { kind: "fork", agent, parent, invocationId, changes };
    }
    default:
      return undefined;
  }
}

export function encodeKin({ parent, forks }: Kin): Uint8Array {
  return written((writer) => {
    writer.u8(parent === undefined ? 0 : 1);
    if (parent !== undefined) writer.bytes(parent);
    for (const fork of forks) writer.bytes(fork);
  });
}

/** What it returns are views of `bytes`. */
export function decodeKin(bytes: Uint8Array): Kin {
  const reader = new ByteReader(bytes);
  const parent = reader.u8() === 1 ? readId(reader) : undefined;
  const forks: InvocationId[] = [];
  while (!reader.done) forks.push(readId(reader));
  return { parent, forks };
}
