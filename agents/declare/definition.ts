// Definition — an agent as its tasks and clients use it: names looked up, types erased.
//
// Owns: turning what `agent({...}).implement({...})` was given into maps, once it is known to be
// sound, and the structure that threads compare. Leaves to others: finding everything that is not
// sound (definition-problems.ts), types (agent.ts, node.ts), running nodes (node-runner.ts).
//
// Invariant N1. `defineAgent` is called only with parts in which `agentProblems` has found nothing.

import { assert } from "../../base/invariant.js";
import { limits } from "../../base/limits.js";
import type { ProgramEntry, TopologyNames } from "../../runtime/task-program.js";
import type { Schema } from "../../store/schema.js";
import type { DynamicKey } from "../../store/tuple-key.js";
import { nodeOptions } from "./node.js";

/** Where an agent's declaration keeps its definition. */
export const agentDefinition: unique symbol = Symbol.for("partita.agentDefinition");

/** A schema whatever it is for. */
export type AnySchema = Schema<unknown, unknown>;

/** What the builder was given, unchecked. */
export interface AgentParts {
  /** The argument of `agent`. */
  readonly shape: unknown;
  /** The argument of `implement`. */
  readonly functions: unknown;
}

/** One node of a sound agent. */
export interface NodeDefinition {
  readonly name: string;
  readonly input: AnySchema;
  /** Names of the nodes it may emit to, in the order of the declaration. */
  readonly targets: readonly string[];
  /** `undefined` when the node is plain. */
  readonly key: ((message: unknown) => DynamicKey) | undefined;
  /** The user's function; returns a promise or nothing. */
  readonly run: (context: unknown, message: unknown) => unknown;
}

/** A sound agent, bound to the names of a topology. */
export interface AgentDefinition {
  readonly nodes: ReadonlyMap<string, NodeDefinition>;
  readonly entry: NodeDefinition;
  readonly result: AnySchema;
  /** The agent's own name of a store → the topology's. */
  readonly stores: ReadonlyMap<string, string>;
  /** The agent's own name of a compute function → the topology's. */
  readonly compute: ReadonlyMap<string, string>;
  /** How often a node invocation that threw is run again. */
  readonly maxRetries: number;
  /** The pause before the first of these. */
  readonly retryBackoffMs: number;
}

/** The options of `agent()`, once sound. */
interface SoundShape {
  readonly stores?: Readonly<Record<string, object>>;
  readonly compute?: Readonly<Record<string, object>>;
  readonly nodes: Readonly<Record<string, { readonly [nodeOptions]: unknown }>>;
  readonly entry: string;
  readonly result: AnySchema;
  readonly maxRetries?: number;
  readonly retryBackoffMs?: number;
}

/** The options of `node()`, once sound. */
interface SoundNode {
  readonly input: AnySchema;
  readonly to?: readonly string[];
  readonly key?: (message: unknown) => DynamicKey;
}

/** The definition of an entry of a topology, which is an agent that `topology()` found sound. */
export function definitionOf(entry: ProgramEntry): AgentDefinition {
  const definition: unknown = Reflect.get(entry, agentDefinition);
  assert(definition !== undefined, "an entry of a topology is an agent found to be sound");
  // cast: only declarations made by agent.ts have the symbol
  return definition as AgentDefinition;
}

/** The definition of sound parts (N1). */
export function defineAgent(parts: AgentParts, names: TopologyNames): AgentDefinition {
  // cast: agentProblems has looked at every part of it (N1)
  const shape = parts.shape as SoundShape;
  // cast: as above; each function takes the context and the message of its node
  const functions = parts.functions as Readonly<Record<string, NodeDefinition["run"]>>;
  const nodes = new Map<string, NodeDefinition>();
  for (const [name, declared] of Object.entries(shape.nodes)) {
    // cast: as above
    const options = declared[nodeOptions] as SoundNode;
    const run = functions[name];
    assert(run !== undefined, () => `node "${name}" has no function`);
    const targets = Object.freeze([...(options.to ?? [])]);
    nodes.set(name, Object.freeze({ name, input: options.input, targets, key: options.key, run }));
  }
  const entry = nodes.get(shape.entry);
  assert(entry !== undefined, () => `there is no node "${shape.entry}" to begin with`);
  return Object.freeze({
    nodes,
    entry,
    result: shape.result,
    stores: boundNames(shape.stores, names.storeName),
    compute: boundNames(shape.compute, names.computeName),
    maxRetries: shape.maxRetries ?? limits.maxRetriesDefault,
    retryBackoffMs: shape.retryBackoffMs ?? 0,
  });
}

/** Plain data that is equal for equal structure, whatever the order of its parts. */
export function shapeOf(definition: AgentDefinition): unknown {
  const nodes = [...definition.nodes.values()].map(({ name, targets, key }) => ({
    name,
    targets: [...targets].sort(),
    keyed: key !== undefined,
  }));
  return {
    nodes: nodes.sort((a, b) => (a.name < b.name ? -1 : 1)),
    entry: definition.entry.name,
    stores: sortedPairs(definition.stores),
    compute: sortedPairs(definition.compute),
  };
}

function boundNames(
  references: Readonly<Record<string, object>> = {},
  nameOf: (declaration: object) => string | undefined,
): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(references).map(([own, declaration]) => {
      const name = nameOf(declaration);
      assert(name !== undefined, () => `the topology does not declare "${own}"`);
      return [own, name];
    }),
  );
}

function sortedPairs(names: ReadonlyMap<string, string>): readonly (readonly string[])[] {
  return [...names].sort(([a], [b]) => (a < b ? -1 : 1));
}
