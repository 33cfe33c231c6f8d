// Trace client — walks over the tree of an invocation, breadth first, a page at a time.
//
// Owns: the order, and what is shown of a node invocation. Leaves to others: what home tells
// (home/traces.ts), what users see (trace.ts).
//
// Invariants:
//   B1. A node invocation comes behind all that are nearer to the entry, and behind those that its
//       emitter emitted before it. A gather comes behind what its scatter emitted.
//   B2. What is held is the ids of what was seen and not yet asked for, and one page.

import { hashKey } from "../../store/key-hash.js";
import { decodeNodeRecord, type NodeRecord } from "../wire/ack.js";
import { decodeFailure, type Failure, failureDetails } from "../wire/failure.js";
import {
  formatNodeId,
  gatherNodeId,
  type InvocationId,
  isZeroId,
  type NodeInvocationId,
  noScope,
  placementOf,
} from "../wire/invocation-id.js";
import { decodeRun } from "../wire/message.js";
import { decodeTrace, type NodeTimes } from "../wire/node-trace.js";
import { decodeInfo } from "../wire/operation-info.js";
import {
  type AskedNode,
  decodeTracePage,
  encodeTraceMessage,
  type KnownNode,
} from "../wire/trace-message.js";
import { decodeMessage } from "../wire/wire-field.js";
import type { AgentCalls } from "./outcome-question.js";
import type { NestedOperation, NodeTrace, TracedGather } from "./trace.js";
import { waited } from "./waiting.js";

/** A node invocation that is known of, and was not asked for. */
interface Seen extends AskedNode {
  readonly parent: NodeInvocationId | undefined;
  readonly node: string;
  readonly task: number;
  /** Its message, unless home keeps it. */
  readonly message: Uint8Array | undefined;
  readonly isGather: boolean;
}

/** Failures of the invocation, as far as its record has room for them. */
interface Failed {
  readonly failures: readonly Failure[];
  readonly failuresLost: number;
}

/** Node invocations of one question. */
const pageNodes = 64;

/** What the home task has answered, and what is known of its topology. */
export interface TraceAnswer {
  readonly page: Uint8Array;
  /** Name of the entry node of the agent. */
  readonly entry: string;
  ownerOf(keyHash: number): number;
}

/** The way to the home tasks of the invocations of an agent. */
export interface TraceSource {
  readonly agent: string;
  ask(message: Uint8Array): Promise<TraceAnswer>;
}

export function traceOf(
  { agent, definition, port }: AgentCalls,
  invocationId: InvocationId,
  signal: AbortSignal | undefined,
): AsyncGenerator<NodeTrace, void> {
  const home = port.ownerOf(placementOf(invocationId));
  const { name: entry } = definition.entry;
  const ask = async (message: Uint8Array): Promise<TraceAnswer> => {
    const page = await port.request(home, message);
    return { page, entry, ownerOf: (keyHash) => port.ownerOf(keyHash) };
  };
  return traceFrom({ agent, ask }, invocationId, signal);
}

export async function* traceFrom(
  { agent, ask }: TraceSource,
  invocationId: InvocationId,
  signal: AbortSignal | undefined,
): AsyncGenerator<NodeTrace, void> {
  const root = { id: noScope, gathered: noScope, isGather: false };
  // Its node and task come with the first answer.
  let seen: Seen[] = [{ ...root, parent: undefined, node: "", task: 0, message: undefined }];
  let failed: Failed | undefined;
  while (seen.length > 0) {
    signal?.throwIfAborted();
    const nodes = seen.slice(0, pageNodes);
    const asked = encodeTraceMessage({ kind: "trace", agent, invocationId, nodes });
    const { page: bytes, entry, ownerOf } = await waited(ask(asked));
    const page = decodeTracePage(bytes);
    const home = ownerOf(placementOf(invocationId));
    failed ??= { ...page.failed, failures: page.failed.failures.map(decodeFailure) };
    const found: Seen[] = [];
    for (const [index, known] of page.nodes.entries()) {
      const one = nodes[index];
      if (one === undefined) break;
      signal?.throwIfAborted();
      const record = known.record.length === 0 ? undefined : decodeNodeRecord(known.record);
      const origin = known.origin.length === 0 ? undefined : decodeRun(known.origin);
      const isRoot = one.parent === undefined;
      const sentTo = isRoot ? home : one.task;
      const task = origin?.key === undefined ? sentTo : ownerOf(hashKey(origin.key));
      const message = origin?.message ?? one.message;
      const id = isZeroId(one.id) ? page.root : one.id;
      const node = origin?.node ?? (isRoot ? entry : one.node);
      yield shown({ ...one, id, node, task, message }, known, record, failed);
      if (record !== undefined) found.push(...childrenOf(id, record, home));
    }
    seen = [...seen.slice(page.nodes.length), ...found];
  }
}

/** What a node invocation has started (B1). */
function childrenOf(id: NodeInvocationId, record: NodeRecord, home: number): Seen[] {
  const children = record.emits.flatMap(({ id: child, node, task, message }): Seen[] => {
    if (task === undefined) return [];
    return [{ id: child, gathered: noScope, parent: id, node, task, message, isGather: false }];
  });
  const { gather } = record;
  if (gather === "") return children;
  const ended = { id: gatherNodeId(id), gathered: id, parent: id, isGather: true };
  return [...children, { ...ended, node: gather, task: home, message: undefined }];
}

function shown(
  seen: Seen,
  known: KnownNode,
  record: NodeRecord | undefined,
  { failures, failuresLost }: Failed,
): NodeTrace {
  const { id, parent, node, message, isGather } = seen;
  const nodeInvocationId = formatNodeId(id);
  const given = message === undefined ? undefined : decodeMessage(message);
  const last = record === undefined ? undefined : decodeTrace(record.trace);
  const runs = [...known.failed.map(decodeTrace), last].filter((run) => run !== undefined);
  const end = record?.end;
  return Object.freeze({
    nodeInvocationId,
    parent: parent === undefined ? undefined : formatNodeId(parent),
    node,
    task: record?.task ?? seen.task,
    status: record === undefined ? "open" : "finished",
    message: given,
    emits: (record?.emits ?? []).map((emit) => ({
      nodeInvocationId: emit.task === undefined ? undefined : formatNodeId(emit.id),
      task: emit.task,
      node: emit.node,
      message: decodeMessage(emit.message),
    })),
    result: end?.kind === "result" ? { value: decodeMessage(end.value) } : undefined,
    startedAt: last?.startedMs,
    finishedAt: last?.finishedMs,
    attempt: record?.attempt,
    failures: failures
      .filter((failure) => failure.nodeInvocationId === nodeInvocationId)
      .map(failureDetails),
    failuresLost,
    operations: runs.flatMap(operationsOf),
    operationsLost: runs.reduce((sum, { operationsLost }) => sum + operationsLost, 0),
    gather: isGather ? gatherOf(known, given) : undefined,
  });
}

function operationsOf({ operations }: NodeTimes): readonly NestedOperation[] {
  return operations.map(({ type, startedMs, finishedMs, info }) => {
    return { type, startedAt: startedMs, finishedAt: finishedMs, info: decodeInfo(info) };
  });
}

function gatherOf({ inputCount, inputs }: KnownNode, given: unknown): TracedGather {
  // cast: home makes this message (GatherMessage); there is none until the gather starts.
  const { state, carry } = (given ?? {}) as { readonly state?: unknown; readonly carry?: unknown };
  return { inputCount, inputs: inputs.map(decodeMessage), carry, state };
}
