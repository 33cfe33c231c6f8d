// Fork client — makes invocations from others: finds what is to change, checks the new messages.
//
// Owns: which node invocations changes name, and what of them is refused. Leaves to others: the
// copy (home/forks.ts), walking over the parent's tree (trace-client.ts).
// Invariants C1 and C3 of client.ts.

import { PartitaError } from "../../base/errors.js";
import { optionInvalid } from "../../base/options.js";
import { parseCallId } from "../../runtime/call-id.js";
import { encodeDynamicKey } from "../../store/tuple-key.js";
import type { NodeDefinition } from "../declare/node-definition.js";
import { encodeForkMessage, type ForkChange } from "../wire/fork-message.js";
import {
  formatInvocationId,
  type InvocationId,
  invocationIdOfCall,
  newInvocationId,
  type NodeInvocationId,
  parseNodeId,
  placementOf,
} from "../wire/invocation-id.js";
import { encodeMessage } from "../wire/wire-field.js";
import type { AgentCalls } from "./outcome-question.js";
import { traceOf } from "./trace-client.js";
import { checkWaitOptions, unlessAborted, type WaitOptions, waited } from "./waiting.js";

/**
 * New messages by node invocation; of a gather `{ state, carry }`. All that was downstream of these
 * runs again.
 */
export type ForkChanges = Readonly<Record<string, unknown>>;

/** Options of calls that begin a fork. */
export interface ForkOptions extends WaitOptions {
  /**
   * Names the call, as in `InvokeOptions`: calls with the same id begin one fork. So what was cut
   * off by TASK_EXITED can be called again.
   */
  readonly id?: string;
}

/** @throws PartitaError OPTION_INVALID, OPTION_UNKNOWN; or the signal's reason */
export function checkForkOptions(operation: string, options: ForkOptions): void {
  checkWaitOptions(operation, options, ["signal", "id"]);
}

/** Begins a fork; resolves with its id when it is durable. */
export async function beginFork(
  calls: AgentCalls,
  parent: InvocationId,
  changes: ForkChanges,
  options: ForkOptions,
): Promise<InvocationId> {
  const { agent, port } = calls;
  const { id } = options;
  const call =
    id === undefined ? undefined : parseCallId(`fork of agent "${agent}"`, id, port.now());
  const wanted = wantedOf(calls, parent, changes);
  const found = await foundIn(calls, parent, wanted, options.signal);
  options.signal?.throwIfAborted();
  port.assertWritable();
  const placement = placementOf(parent);
  const invocationId =
    call === undefined ? newInvocationId(placement, port) : invocationIdOfCall(placement, call);
  const message = encodeForkMessage({ kind: "fork", agent, parent, invocationId, changes: found });
  const asked = port.request(port.ownerOf(placement), message, call);
  await waited(unlessAborted(asked, options));
  return invocationId;
}

type Wanted = ReadonlyMap<string, { readonly id: NodeInvocationId; readonly message: unknown }>;

function wantedOf(calls: AgentCalls, parent: InvocationId, changes: ForkChanges): Wanted {
  const where = `fork of agent "${calls.agent}"`;
  if (typeof changes !== "object" || changes === null || Array.isArray(changes)) {
    throw optionInvalid(where, "changes", changes, "an object of messages by node invocation id");
  }
  return new Map(
    Object.entries(changes).map(([text, message]) => {
      const id = parseNodeId(text);
      if (id === undefined) throw unknown(calls, parent, text);
      return [text, { id, message }];
    }),
  );
}

/** A node invocation on the way to one that is wanted. */
interface Seen {
  readonly emitter: string | undefined;
  readonly node: string;
}

/** Walks over the parent's tree until all are found. */
async function foundIn(
  calls: AgentCalls,
  parent: InvocationId,
  wanted: Wanted,
  signal: AbortSignal | undefined,
): Promise<readonly ForkChange[]> {
  const found = new Map<string, ForkChange>();
  const seen = new Map<string, Seen>();
  for await (const one of traceOf(calls, parent, signal)) {
    if (found.size === wanted.size) break;
    const { nodeInvocationId: text, parent: emitter, node } = one;
    seen.set(text, { emitter, node });
    const change = wanted.get(text);
    if (change !== undefined) found.set(text, changeOf(calls, node, change));
  }
  const missing = [...wanted.keys()].find((text) => !found.has(text));
  if (missing !== undefined) throw unknown(calls, parent, missing);
  const paths = Array.from(found.keys(), (text) => pathOf(calls, seen, text));
  const behind = paths.find((path) => paths.some((other) => runsBehind(path, other)));
  if (behind === undefined) return [...found.values()];
  const valid = "node invocations of which none runs again because of another";
  throw optionInvalid(`fork of agent "${calls.agent}"`, "changes", behind.text, valid);
}

/** Where a node invocation stands. */
interface Path {
  readonly text: string;
  /** What has led to it. */
  readonly emitters: ReadonlySet<string>;
  /** Scatters in whose scopes it is. */
  readonly scopes: ReadonlySet<string>;
  /** Scatters whose gathers have led to it. */
  readonly gathered: ReadonlySet<string>;
}

function pathOf({ definition }: AgentCalls, seen: ReadonlyMap<string, Seen>, text: string): Path {
  const emitters = new Set<string>();
  const scopes = new Set<string>();
  const gathered = new Set<string>();
  const kindOf = (id: string): string | undefined =>
    definition.nodes.get(seen.get(id)?.node ?? "")?.kind;
  for (let id = text; ; ) {
    const emitter = seen.get(id)?.emitter;
    if (emitter === undefined) return { text, emitters, scopes, gathered };
    // The scatter stands for its gather too: the gather is in no scope of it.
    if (kindOf(emitter) === "scatter") {
      if (kindOf(id) !== "gather") scopes.add(emitter);
      else if (id !== text) gathered.add(emitter);
    }
    emitters.add(emitter);
    id = emitter;
  }
}

/** Whether one runs again, or not at all, because the other is changed. */
function runsBehind(one: Path, other: Path): boolean {
  if (one === other) return false;
  if (one.emitters.has(other.text)) return true;
  return [...one.gathered].some((scatter) => other.scopes.has(scatter));
}

function changeOf(
  { agent, definition }: AgentCalls,
  node: string,
  { id, message }: { readonly id: NodeInvocationId; readonly message: unknown },
): ForkChange {
  const declared = definition.nodes.get(node);
  if (declared === undefined) {
    throw new PartitaError("NODE_UNKNOWN", { agent, node, known: [...definition.nodes.keys()] });
  }
  const where = `message of the fork to node "${node}"`;
  const valid =
    declared.kind === "gather" ? gathered(where, message) : declared.check(message, where);
  return { id, node, key: keyOf(declared, valid), message: encodeMessage(valid, where) };
}

function keyOf({ key }: NodeDefinition, message: unknown): Uint8Array | undefined {
  return key === undefined ? undefined : encodeDynamicKey(key(message));
}

function gathered(where: string, message: unknown): unknown {
  if (typeof message !== "object" || message === null || !("state" in message)) {
    throw optionInvalid(where, "message", message, "an object with the properties state and carry");
  }
  return { state: message.state, carry: "carry" in message ? message.carry : undefined };
}

function unknown({ agent }: AgentCalls, parent: InvocationId, text: string): PartitaError {
  const invocationId = formatInvocationId(parent);
  const details = { agent, invocationId, node: null, nodeInvocationId: text };
  return new PartitaError("NODE_INVOCATION_UNKNOWN", details);
}
