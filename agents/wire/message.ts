// Messages — every byte that a task is sent on behalf of agents, by clients, tasks and itself.
//
// One interface for each message, told apart by `kind`: the first byte on the wire.
// Owns: their layouts, readers and writers. Leaves to others: acks (ack.ts), those about failing
// node invocations (poison-message.ts), what messages do (execution.ts), how they travel (the
// runtime, task-program.ts), what is told to clients (outcome.ts), users' values in them, which are
// bytes already (wire-field.ts).
//
// Invariants:
//   M1. Decoded ids, keys and values are views of the message: whoever keeps them keeps its bytes.
//   M2. A `run` message is also the durable row of its node invocation (node-queue.ts): one layout.

import { ByteReader } from "../../base/byte-reader.js";
import { assert } from "../../base/invariant.js";
import { operationPrefixBytes } from "../../runtime/operation-id.js";
import type { MessageOrigin, Turn } from "../../runtime/task-program.js";
import { type AckMessage, readAck } from "./ack.js";
import { type InvocationId, isZeroId, type NodeInvocationId, noScope } from "./invocation-id.js";
import { messageKinds as kinds } from "./message-kinds.js";
import { type AttemptMessage, readAttempt } from "./attempt-message.js";
import { type MetadataMessage, readMetadataMessage } from "./metadata-message.js";
import { type PoisonMessage, readPoison } from "./poison-message.js";
import { type QuestionMessage, readQuestion } from "./question-message.js";
import { readWaitsFor, type WaitsForMessage } from "./chain-message.js";
import { type ForkFamilyMessage, readForkMessage } from "./fork-message.js";
import { readTraceMessage, type TraceMessage } from "./trace-message.js";
import { readStall, type StallMessage } from "./stall-message.js";
import { readStream, type StreamMessage } from "./stream-message.js";
import { readTaskWait, type TaskWaitMessage } from "./wait-message.js";
import { readIndexes, writeIndexes } from "./recorded-operations.js";
import {
  noBytes,
  readId,
  readKey,
  readName,
  readNodeId,
  writeKey,
  writeName,
  writeNodeId,
  written,
} from "./wire-field.js";

/** Client to home task: begin. Replied to, without bytes, when the invocation is durable. */
export interface InitiateMessage {
  readonly kind: "initiate";
  readonly agent: string;
  readonly invocationId: InvocationId;
  /** Send the outcome to the caller's thread as a notice. */
  readonly subscribe: boolean;
  /** What all of its node invocations carry along (RunMessage). */
  readonly carried: Uint8Array;
  /** Encoded key of the entry node; `undefined` when it is plain. */
  readonly key: Uint8Array | undefined;
  readonly input: Uint8Array;
}

/** To the task that is to run a node, from the home task or the task of the emitter. */
export interface RunMessage {
  readonly kind: "run";
  readonly agent: string;
  readonly invocationId: InvocationId;
  readonly node: string;
  readonly nodeInvocationId: NodeInvocationId;
  /** The innermost scope that it is in: the node invocation of its scatter; `noScope` for none. */
  readonly scope: NodeInvocationId;
  /** The attempt of the invocation in which it was emitted. */
  readonly attempt: number;
  /** What goes from each emitter to what it emits; opaque here, usually empty. */
  readonly carried: Uint8Array;
  /** Encoded key, which this task owns; `undefined` when the node is plain. */
  readonly key: Uint8Array | undefined;
  readonly message: Uint8Array;
}

/** To a task that has recorded operations of node invocations: they are done, it forgets them. */
export interface ForgetMessage {
  readonly kind: "forget";
  readonly done: readonly DoneOperations[];
}

export interface DoneOperations {
  /** Names the node invocation: operationPrefix of invocation-id.ts. */
  readonly prefix: Uint8Array;
  readonly indexes: readonly number[];
}

/** A task to itself: more rows of trees that are forgotten are to be deleted. Volatile. */
export interface CollectMessage {
  readonly kind: "collect";
}

/** One emit of a node invocation. */
export interface Emit {
  readonly node: string;
  readonly key: Uint8Array | undefined;
  readonly message: Uint8Array;
}

/** Client to home task: how does it stand? Replied to with an AwaitReply (outcome.ts). */
export interface AwaitMessage {
  readonly kind: "await";
  readonly agent: string;
  readonly invocationId: InvocationId;
  /** While it is pending: send the outcome to the caller's thread as a notice, when it is there. */
  readonly subscribe: boolean;
}

export type AgentMessage =
  | InitiateMessage
  | RunMessage
  | AckMessage
  | AwaitMessage
  | ForgetMessage
  | CollectMessage
  | AttemptMessage
  | StallMessage
  | WaitsForMessage
  | PoisonMessage
  | StreamMessage
  | MetadataMessage
  | TaskWaitMessage
  | QuestionMessage
  | TraceMessage
  | ForkFamilyMessage;

export function encodeInitiate(message: InitiateMessage): Uint8Array {
  return written((writer) => {
    writer.u8(kinds.initiate);
    writeName(writer, message.agent);
    writer.bytes(message.invocationId);
    writer.u8(message.subscribe ? 1 : 0);
    writer.lengthPrefixed(message.carried);
    writeKey(writer, message.key);
    writer.bytes(message.input);
  });
}

/** Which parts of a `run` message are there; the others are zero or empty. */
const parts = { scope: 1, attempt: 2, carried: 4, key: 8 } as const;

export function encodeRun(message: RunMessage): Uint8Array {
  return written((writer) => {
    writer.u8(kinds.run);
    writeName(writer, message.agent);
    writer.bytes(message.invocationId);
    writeName(writer, message.node);
    writeNodeId(writer, message.nodeInvocationId);
    const { scope, attempt, carried, key } = message;
    const hasScope = !isZeroId(scope);
    // Of most runs these are empty, and short messages are cheap ones.
    writer.u8(
      (hasScope ? parts.scope : 0) |
        (attempt > 0 ? parts.attempt : 0) |
        (carried.length > 0 ? parts.carried : 0) |
        (key === undefined ? 0 : parts.key),
    );
    if (hasScope) writeNodeId(writer, scope);
    if (attempt > 0) writer.u32(attempt);
    if (carried.length > 0) writer.lengthPrefixed(carried);
    if (key !== undefined) writeKey(writer, key);
    writer.bytes(message.message);
  });
}

export function encodeForget({ done }: ForgetMessage): Uint8Array {
  return written((writer) => {
    writer.u8(kinds.forget);
    for (const { prefix, indexes } of done) {
      writer.bytes(prefix);
      writeIndexes(writer, indexes);
    }
  });
}

export function encodeCollect({ kind }: CollectMessage): Uint8Array {
  return Uint8Array.of(kinds[kind]);
}

export function encodeAwait(message: AwaitMessage): Uint8Array {
  return written((writer) => {
    writer.u8(kinds.await);
    writeName(writer, message.agent);
    writer.bytes(message.invocationId);
    writer.u8(message.subscribe ? 1 : 0);
  });
}

/** Any message that a task can be sent. */
export function decodeAgentMessage(bytes: Uint8Array): AgentMessage {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  switch (kind) {
    case kinds.initiate:
      return readInitiate(reader);
    case kinds.run:
      return readRun(reader);
    case kinds.ack:
      return readAck(reader);
    case kinds.await:
      return {
        kind: "await",
        agent: readName(reader),
        invocationId: readId(reader),
        subscribe: reader.u8() === 1,
      };
    case kinds.forget:
      return readForget(reader);
    case kinds.collect:
      return { kind: "collect" };
    case kinds.metadata:
      return readMetadataMessage(reader);
    case kinds.trace:
      return readTraceMessage(reader);
    default:
      return (
        readAttempt(kind, reader) ??
        readStall(kind, reader) ??
        readWaitsFor(kind, reader) ??
        readStream(kind, reader) ??
        readForkMessage(kind, reader) ??
        readTaskWait(kind, reader) ??
        readQuestion(kind, reader) ??
        readPoison(kind, reader)
      );
  }
}

/** A row of the queue (M2). */
export function decodeRun(bytes: Uint8Array): RunMessage {
  const message = decodeAgentMessage(bytes);
  assert(message.kind === "run", () => `a row of the queue holds a message "${message.kind}"`);
  return message;
}

/** Who sent a message that only clients send. */
export function laneOf(turn: Turn): MessageOrigin & { readonly kind: "lane" } {
  const { origin } = turn;
  assert(origin.kind === "lane", "only clients begin invocations and look after them");
  return origin;
}

function readForget(reader: ByteReader): ForgetMessage {
  const done: DoneOperations[] = [];
  while (!reader.done) {
    const prefix = reader.bytes(operationPrefixBytes);
    done.push({ prefix, indexes: readIndexes(reader) });
  }
  return { kind: "forget", done };
}

function readInitiate(reader: ByteReader): InitiateMessage {
  return {
    kind: "initiate",
    agent: readName(reader),
    invocationId: readId(reader),
    subscribe: reader.u8() === 1,
    carried: reader.lengthPrefixed(),
    key: readKey(reader),
    input: reader.rest(),
  };
}

function readRun(reader: ByteReader): RunMessage {
  const agent = readName(reader);
  const invocationId = readId(reader);
  const node = readName(reader);
  const nodeInvocationId = readNodeId(reader);
  const there = reader.u8();
  return {
    kind: "run",
    agent,
    invocationId,
    node,
    nodeInvocationId,
    scope: there & parts.scope ? readNodeId(reader) : noScope,
    attempt: there & parts.attempt ? reader.u32() : 0,
    carried: there & parts.carried ? reader.lengthPrefixed() : noBytes,
    key: there & parts.key ? readKey(reader) : undefined,
    message: reader.rest(),
  };
}
