// Traces — what a home task can say of the node invocations of an invocation, a page at a time.
//
// Owns: looking it up, and keeping what failed runs have done. Leaves to others: the rows
// (tree.ts), which node invocations there are (client/trace-client.ts walks from the entry).

import { PartitaError } from "../../base/errors.js";
import { ByteReader } from "../../base/byte-reader.js";
import { limits } from "../../base/limits.js";
import type { Turn } from "../../runtime/task-program.js";
import { decodeNodeRecord } from "../wire/ack.js";
import type { FailedMessage } from "../wire/attempt-message.js";
import { noFailures } from "../wire/failure-list.js";
import {
  formatInvocationId,
  type InvocationId,
  isZeroId,
  type NodeInvocationId,
} from "../wire/invocation-id.js";
import {
  type AskedNode,
  encodeTracePage,
  type KnownNode,
  type TraceMessage,
} from "../wire/trace-message.js";
import { noBytes, readNodeId } from "../wire/wire-field.js";
import { decodeRecord, invocationTable } from "./invocation-record.js";
import { decodeScope } from "./scope-record.js";
import { noteExtras, standingOf } from "./standing.js";
import { nodeOf, originOf } from "./parts.js";
import { failedRunKey, inputKey, scopeKey, treeTable } from "./tree.js";

/** Inputs of a gather that a trace shows. */
const inputsShown = 10;

/** @throws PartitaError INVOCATION_UNKNOWN */
export function tracePage(
  turn: Turn,
  { agent, invocationId: id, nodes: asked }: TraceMessage,
): Uint8Array {
  const standing = standingOf(turn, id);
  if (standing?.agent !== agent) {
    throw new PartitaError("INVOCATION_UNKNOWN", { agent, invocationId: formatInvocationId(id) });
  }
  const { root, attempt } = standing;
  const nodes: KnownNode[] = [];
  let bytes = 0;
  for (const { id: node, gathered } of asked.slice(0, limits.streamPageRows)) {
    if (nodes.length > 0 && bytes >= limits.pageBytesMax) break;
    const asking = { id: isZeroId(node) ? root : node, gathered };
    const known = knownNode(turn, id, asking, attempt);
    nodes.push(known);
    bytes += bytesOf(known);
  }
  const [first] = asked;
  const row = first !== undefined && isZeroId(first.id) ? turn.get(invocationTable, id) : undefined;
  const failed = row === undefined ? noFailures : decodeRecord(row);
  return encodeTracePage({ nodes, root, failed });
}

/** Keeps what a run has done that has failed. */
export function keepFailedRun(
  turn: Turn,
  { invocationId: id, nodeInvocationId: node, attempt, trace }: FailedMessage,
): void {
  if (trace.length === 0 || standingOf(turn, id) === undefined) return;
  turn.put(treeTable, failedRunKey(id, node, attempt), trace);
  noteExtras(turn, id);
}

function knownNode(
  turn: Turn,
  id: InvocationId,
  { id: node, gathered }: AskedNode,
  attempt: number,
): KnownNode {
  const record = nodeOf(turn, id, node) ?? noBytes;
  const origin = originOf(turn, id, node) ?? noBytes;
  const failed: Uint8Array[] = [];
  for (let no = 0; no <= attempt; no += 1) {
    const trace = turn.get(treeTable, failedRunKey(id, node, no));
    if (trace !== undefined) failed.push(trace);
  }
  const scope = isZeroId(gathered) ? undefined : turn.get(treeTable, scopeKey(id, gathered));
  if (scope === undefined) return { record, origin, failed, inputCount: 0, inputs: [] };
  const { inputs: inputCount, producers } = decodeScope(scope);
  return { record, origin, failed, inputCount, inputs: firstInputs(turn, id, gathered, producers) };
}

function firstInputs(
  turn: Turn,
  id: InvocationId,
  scope: NodeInvocationId,
  producers: number,
): readonly Uint8Array[] {
  const inputs: Uint8Array[] = [];
  for (let no = 0; no < producers && inputs.length < inputsShown; no += 1) {
    const producer = turn.get(treeTable, inputKey(id, scope, no));
    if (producer === undefined) break;
    const record = nodeOf(turn, id, readNodeId(new ByteReader(producer)));
    if (record === undefined) continue;
    for (const { task, message } of decodeNodeRecord(record).emits) {
      if (task === undefined && inputs.length < inputsShown) inputs.push(message);
    }
  }
  return inputs;
}

function bytesOf({ record, origin, failed, inputs }: KnownNode): number {
  const lists = [...failed, ...inputs].reduce((sum, { length }) => sum + length, 0);
  return record.length + origin.length + lists;
}
