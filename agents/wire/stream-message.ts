// Stream messages — what the home task is sent, and answers, about the chunks of its invocations.
//
// Owns: their layouts, readers and writers. Leaves to others: all other messages (message.ts), what
// home does with these (home/streams.ts), who sends them (node/chunk-sender.ts,
// client/stream-client.ts).
// Invariant M1 of message.ts.

import { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";
import { assert } from "../../base/invariant.js";
import type { InvocationId, NodeInvocationId } from "./invocation-id.js";
import { messageKinds } from "./message-kinds.js";
import {
  readId,
  readList,
  readName,
  readNodeId,
  writeList,
  writeName,
  writeNodeId,
  written,
} from "./wire-field.js";

/**
 * One run of a node invocation, whatever made it: a crash, a retry, a replay. Of two, that of the
 * later life of the task is the later one.
 */
export interface RunNumber {
  /** Which life of the task it belongs to. */
  readonly boot: number;
  /** Which run of that life. */
  readonly no: number;
}

/**
 * Task of a node to the home task, on a lane: chunks of one run. Replied to, without bytes, when
 * they are durable; sent again when the home task died meanwhile.
 */
export interface ChunksMessage {
  readonly kind: "chunks";
  readonly agent: string;
  readonly invocationId: InvocationId;
  readonly nodeInvocationId: NodeInvocationId;
  readonly node: string;
  /** The attempt of the invocation that the run belongs to. */
  readonly attempt: number;
  readonly run: RunNumber;
  /** The index of the first of them. */
  readonly first: number;
  readonly chunks: readonly Uint8Array[];
}

/**
 * Client to the home task: what is new of one node invocation's chunks? Replied to with a
 * FollowReply.
 */
export interface FollowMessage {
  readonly kind: "follow";
  readonly agent: string;
  readonly invocationId: InvocationId;
  readonly node: string;
  readonly nodeInvocationId: NodeInvocationId;
  /** Of the list that the caller has a part of. */
  readonly generation: number;
  /** How much of that list it has: the index that comes next. */
  readonly from: number;
}

/**
 * Client to the home task: which node invocations of a node have streamed, in the order of their
 * first chunks? Replied to with a StreamsReply.
 */
export interface StreamsMessage {
  readonly kind: "streams";
  readonly agent: string;
  readonly invocationId: InvocationId;
  readonly node: string;
  /** How many of them the caller knows. */
  readonly from: number;
  readonly limit: number;
}

export type StreamMessage = ChunksMessage | FollowMessage | StreamsMessage;

/**
 * How what was asked for stands behind what the reply holds:
 * - `more`: ask again at once;
 * - `open`: a notice tells when it is worth asking again;
 * - `completed`: the node invocation has finished;
 * - `failed`: the invocation has failed, and the node invocation has not finished;
 * - `ended`: the whole tree has finished, and nothing more can come;
 * - `unknown`: there is no such invocation;
 * - `other`: the node invocation is one of another node.
 */
export type StreamState = keyof typeof states;

export interface FollowReply {
  readonly state: StreamState;
  readonly generation: number;
  /** The index of the first chunk: 0 after a reset. */
  readonly from: number;
  readonly chunks: readonly Uint8Array[];
}

export interface StreamsReply {
  readonly state: StreamState;
  readonly ids: readonly NodeInvocationId[];
}

const states = {
  more: 0,
  open: 1,
  completed: 2,
  failed: 3,
  ended: 4,
  unknown: 5,
  other: 6,
} as const;
const stateNames: readonly string[] = Object.keys(states);

export function encodeStream(message: StreamMessage): Uint8Array {
  return written((writer) => {
    writer.u8(messageKinds[message.kind]);
    writeName(writer, message.agent);
    writer.bytes(message.invocationId);
    writeName(writer, message.node);
    switch (message.kind) {
      case "chunks":
        writeNodeId(writer, message.nodeInvocationId);
        writer.u32(message.attempt);
        writer.u32(message.run.boot);
        writer.u32(message.run.no);
        writer.u32(message.first);
        writeList(writer, message.chunks);
        return;
      case "follow":
        writeNodeId(writer, message.nodeInvocationId);
        writer.u32(message.generation);
        writer.u32(message.from);
        return;
      case "streams":
        writer.u32(message.from);
        writer.u32(message.limit);
    }
  });
}

/** A message whose kind, the first byte, is read; `undefined` when it is none of these. */
export function readStream(kind: number, reader: ByteReader): StreamMessage | undefined {
  switch (kind) {
    case messageKinds.chunks:
      return {
        kind: "chunks",
        ...readSubject(reader),
        nodeInvocationId: readNodeId(reader),
        attempt: reader.u32(),
        run: { boot: reader.u32(), no: reader.u32() },
        first: reader.u32(),
        chunks: readList(reader),
      };
    case messageKinds.follow:
      return {
        kind: "follow",
        ...readSubject(reader),
        nodeInvocationId: readNodeId(reader),
        generation: reader.u32(),
        from: reader.u32(),
      };
    case messageKinds.streams:
      return { kind: "streams", ...readSubject(reader), from: reader.u32(), limit: reader.u32() };
    default:
      return undefined;
  }
}

function readSubject(reader: ByteReader): Pick<StreamMessage, "agent" | "invocationId" | "node"> {
  return { agent: readName(reader), invocationId: readId(reader), node: readName(reader) };
}

export function encodeFollowReply({ state, generation, from, chunks }: FollowReply): Uint8Array {
  return written((writer) => {
    writer.u8(states[state]);
    writer.u32(generation);
    writer.u32(from);
    writeList(writer, chunks);
  });
}

/** What it returns are views of `bytes`. */
export function decodeFollowReply(bytes: Uint8Array): FollowReply {
  const reader = new ByteReader(bytes);
  const state = readState(reader);
  return { state, generation: reader.u32(), from: reader.u32(), chunks: readList(reader) };
}

export function encodeStreamsReply({ state, ids }: StreamsReply): Uint8Array {
  return written((writer) => {
    writer.u8(states[state]);
    writeIds(writer, ids);
  });
}

export function decodeStreamsReply(bytes: Uint8Array): StreamsReply {
  const reader = new ByteReader(bytes);
  const state = readState(reader);
  const count = reader.u32();
  return { state, ids: Array.from({ length: count }, () => readNodeId(reader)) };
}

function writeIds(writer: ByteWriter, ids: readonly NodeInvocationId[]): void {
  writer.u32(ids.length);
  for (const id of ids) writeNodeId(writer, id);
}

function readState(reader: ByteReader): StreamState {
  const state = reader.u8();
  const name = stateNames[state];
  assert(name !== undefined, () => `stream state ${state} is not in the protocol`);
  // cast: the names are the keys of the table.
  return name as StreamState;
}
