// Folding — the states of open scopes: inputs that have come, joined by the gather's aggregator.
//
// A state is in memory alone and can be made again from the rows at any time, so it costs no writes
// while it grows. Owns: the states that are kept, and making them anew. Leaves to others: what a
// state is good for (scopes.ts), recording inputs (tree.ts).
//
// Invariants:
//   F1. A state has folded the inputs of the first `producers` node invocations, in the order of
//       their arrival, each of its own in the order of its emits. One that has folded others (a
//       message was taken back, something threw), or for another attempt, is made again.
//   F2. At most `limits.foldedScopesMax` states are kept, with about `limits.foldedBytesMax` bytes
//       of inputs; those that were used longest ago go first. One that is larger stays while it is
//       the newest.

import { assert } from "../../base/invariant.js";
import { limits } from "../../base/limits.js";
import { optionInvalid } from "../../base/options.js";
import { ByteReader } from "../../base/byte-reader.js";
import { type AggregatorDefinition, isFinished } from "../declare/aggregator.js";
import { decodeNodeRecord } from "../wire/ack.js";
import {
  formatNodeId,
  type InvocationId,
  invocationName,
  type NodeInvocationId,
} from "../wire/invocation-id.js";
import { decodeMessage, readNodeId } from "../wire/wire-field.js";
import type { Accounts } from "./accounts.js";
import { nodeOf } from "./parts.js";
import { inputKey, treeTable } from "./tree.js";

/** A state: with all inputs so far, or complete before its time; or what its making has thrown. */
export type Folded =
  | { readonly kind: "open" | "finished"; readonly state: unknown }
  | { readonly kind: "threw"; readonly error: unknown };

interface Kept {
  state: unknown;
  /** Of the invocation: the next one begins with a fresh initial value. */
  readonly attempt: number;
  producers: number;
  bytes: number;
}

export class Folding {
  /** By name of invocation and scope; the one used last is the last. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  /** The state with all inputs that a scope has been given (F1). */
  fold(accounts: Accounts, scope: NodeInvocationId, aggregator: AggregatorDefinition): Folded {
    const { invocationId: of, attempt } = accounts;
    const { producers } = accounts.scope(scope);
    const name = nameOf(of, scope);
    const found = this.#take(name);
    const isGood = found !== undefined && found.producers <= producers;
    let kept = isGood && found.attempt === attempt ? found : undefined;
    try {
      kept ??= { state: initialOf(aggregator), attempt, producers: 0, bytes: 0 };
    } catch (error) {
      return { kind: "threw", error };
    }
    for (; kept.producers < producers; kept.producers += 1) {
      const inputs = inputsOf(accounts, scope, kept.producers);
      const ended = foldInto(kept, inputs, aggregator);
      if (ended !== undefined) return ended;
    }
    this.#keep(name, kept);
    return { kind: "open", state: kept.state };
  }

  /** No more inputs of a scope count. */
  forget(of: InvocationId, scope: NodeInvocationId): void {
    this.#take(nameOf(of, scope));
  }

  #take(name: string): Kept | undefined {
    const kept = this.#kept.get(name);
    if (kept === undefined) return undefined;
    this.#kept.delete(name);
    this.#bytes -= kept.bytes;
    return kept;
  }

  #keep(name: string, kept: Kept): void {
    this.#kept.set(name, kept);
    this.#bytes += kept.bytes;
    for (const oldest of this.#kept.keys()) {
      const { size } = this.#kept;
      const fits = size <= limits.foldedScopesMax && this.#bytes <= limits.foldedBytesMax;
      if (fits || oldest === name) return;
      this.#take(oldest);
    }
  }
}

/**
 * A fresh state. Before the first input there is nothing to end early: a scope that is to be over
 * at once has no use for its inputs, and a state that says so would be taken for one to go on with.
 * @throws PartitaError OPTION_INVALID, and what `init` throws
 */
function initialOf({ name, init }: AggregatorDefinition): unknown {
  const state = init();
  if (!isFinished(state)) return state;
  throw optionInvalid(name, "init", "finished(…)", "a state: only a step ends its scope early");
}

/** Returns how it came to an end, if it did. */
function foldInto(
  kept: Kept,
  inputs: readonly Uint8Array[],
  { step }: AggregatorDefinition,
): Folded | undefined {
  try {
    for (const input of inputs) {
      const next = step(kept.state, decodeMessage(input));
      if (isFinished(next)) return { kind: "finished", state: next.state };
      kept.state = next;
      kept.bytes += input.length;
    }
    return undefined;
  } catch (error) {
    return { kind: "threw", error };
  }
}

/** The inputs of the `no`-th node invocation that has given some. */
function inputsOf(
  { turn, invocationId: of, record: { parts } }: Accounts,
  scope: NodeInvocationId,
  no: number,
): readonly Uint8Array[] {
  const producer = turn.get(treeTable, inputKey(of, scope, no));
  assert(producer !== undefined, () => `input ${no} of scope ${formatNodeId(scope)} is gone`);
  const record = nodeOf(turn, of, readNodeId(new ByteReader(producer)), parts);
  assert(record !== undefined, () => `who gave input ${no} to a scope has no record`);
  const { emits } = decodeNodeRecord(record);
  return emits.flatMap(({ task, message }) => (task === undefined ? [message] : []));
}

function nameOf(of: InvocationId, scope: NodeInvocationId): string {
  return `${invocationName(of)}${formatNodeId(scope)}`;
}
