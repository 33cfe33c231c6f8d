// Definition — an agent as its tasks and clients use it: names looked up, types erased.
//
// Owns: turning what `agent({...}).implement({...})` was given into maps, once it is known to be
// sound, and the structure that threads compare. Leaves to others: finding everything that is not
// sound (definition-problems.ts), types (agent.ts, node.ts), one node (node-definition.ts),
// running nodes (node-runner.ts).
//
// Invariant N1. `defineAgent` is called only with parts in which `agentProblems` has found nothing.

import { assert } from "../../base/invariant.js";
import { limits } from "../../base/limits.js";
import type { ProgramEntry, TopologyNames, TopologyReference } from "../../runtime/task-program.js";
import { isNeighbourAgentRef, type NeighbourAgentRef } from "./agent-ref.js";
import { agentNameOf } from "./definition-problems.js";
import {
  type AnySchema,
  defineNodes,
  type DeclaredNode,
  type NodeDefinition,
} from "./node-definition.js";
import type { UpdateMode } from "./shape.js";
import { isStoreRef, type StoreRef } from "./store-ref.js";

export type { NodeDefinition } from "./node-definition.js";

/** Where an agent's declaration keeps its definition. */
export const agentDefinition: unique symbol = Symbol.for("partita.agentDefinition");

/** What the builder was given, unchecked. */
export interface AgentParts {
  /** The argument of `agent`. */
  readonly shape: unknown;
  /** The argument of `implement`. */
  readonly functions: unknown;
}

/** An agent that another one calls. */
export interface AgentTarget {
  /** The name that the topology gives it. */
  readonly agent: string;
}

/** An agent of another topology. */
export interface NeighbourTarget extends AgentTarget {
  readonly topology: string;
}

/** What an agent uses of other topologies, by its own names. */
export interface NeighbourParts {
  readonly agents: ReadonlyMap<string, NeighbourTarget>;
  readonly stores: ReadonlyMap<string, StoreRef<unknown, unknown>>;
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
  /** The agent's own name of an agent that it calls → that agent. */
  readonly agents: ReadonlyMap<string, AgentTarget>;
  readonly neighbours: NeighbourParts;
  /** The agent's own name of an object → the topology's. */
  readonly objects: ReadonlyMap<string, string>;
  /** Retries of an invocation. */
  readonly maxRetries: number;
  /** The pause before the first of these. */
  readonly retryBackoffMs: number;
  /** Time without progress after which a lost node invocation is looked for. */
  readonly stallThresholdMs: number;
  readonly updateMode: UpdateMode;
  /** What the user calls this version of its functions. */
  readonly version: number;
  /** Records that a task keeps of it beside pending ones; `undefined` when it does not say. */
  readonly maxInvocationsPerTask: number | undefined;
}

/** The options of `agent()`, once sound. */
interface SoundShape {
  readonly stores?: Readonly<Record<string, object>>;
  readonly compute?: Readonly<Record<string, object>>;
  readonly agents?: Readonly<Record<string, object>>;
  readonly objects?: Readonly<Record<string, object>>;
  readonly nodes: Readonly<Record<string, DeclaredNode>>;
  readonly entry: string;
  readonly result: AnySchema;
  readonly maxRetries?: number;
  readonly retryBackoffMs?: number;
  readonly stallThresholdMs?: number;
  readonly updateMode?: UpdateMode;
  readonly version?: number;
  readonly maxInvocationsPerTask?: number;
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
  // cast: as above; each function takes the context and what its node is given
  const functions = parts.functions as Readonly<Record<string, NodeDefinition["run"]>>;
  const nodes = defineNodes(shape.nodes, shape.entry, functions);
  const entry = nodes.get(shape.entry);
  assert(entry !== undefined, () => `there is no node "${shape.entry}" to begin with`);
  const [agents, otherAgents] = divided(shape.agents, isNeighbourAgentRef);
  const [stores, otherStores] = divided(shape.stores, isStoreRef);
  const agentNames = boundNames(agents, (agent) => agentNameOf(agent, names));
  return Object.freeze({
    nodes,
    entry,
    result: shape.result,
    stores: boundNames(stores, names.storeName),
    compute: boundNames(shape.compute, names.computeName),
    agents: new Map(Array.from(agentNames, ([own, agent]) => [own, { agent }])),
    neighbours: { agents: new Map(otherAgents.map(neighbourTarget)), stores: new Map(otherStores) },
    objects: boundNames(shape.objects, names.objectName),
    maxRetries: shape.maxRetries ?? limits.maxRetriesDefault,
    retryBackoffMs: shape.retryBackoffMs ?? 0,
    stallThresholdMs: shape.stallThresholdMs ?? limits.stallThresholdMs,
    updateMode: shape.updateMode ?? "continue",
    version: shape.version ?? 0,
    maxInvocationsPerTask: shape.maxInvocationsPerTask,
  });
}

/** Plain data that is equal for equal structure, whatever the order of its parts. */
export function shapeOf(definition: AgentDefinition): unknown {
  const nodes = [...definition.nodes.values()].map(({ name, kind, targets, key }) => ({
    name,
    kind,
    targets: [...targets].sort(),
    keyed: key !== undefined,
  }));
  return {
    nodes: nodes.sort((a, b) => (a.name < b.name ? -1 : 1)),
    entry: definition.entry.name,
    stores: sortedPairs(definition.stores),
    compute: sortedPairs(definition.compute),
    agents: sortedPairs(new Map([...definition.agents].map(([own, { agent }]) => [own, agent]))),
    objects: sortedPairs(definition.objects),
    neighbours: sortedPairs(neighbourNames(definition)),
  };
}

/** Everything that an agent refers to. */
export function referencesOf(definition: AgentDefinition): readonly TopologyReference[] {
  const { stores, compute, agents, objects } = definition;
  const named = (part: TopologyReference["part"], names: Iterable<string>) =>
    Array.from(new Set(names), (name) => ({ part, name }));
  return [
    ...named("stores", stores.values()),
    ...named("compute", compute.values()),
    ...named(
      "agents",
      Array.from(agents.values(), ({ agent }) => agent),
    ),
    ...named("objects", objects.values()),
    ...named("neighbours", neighbourNames(definition).values()),
  ];
}

/** Declarations of the agent's own topology, and references to others. */
function divided<Other extends object>(
  references: Readonly<Record<string, object>> = {},
  isOther: (reference: unknown) => reference is Other,
): readonly [Readonly<Record<string, object>>, readonly (readonly [string, Other])[]] {
  const entries = Object.entries(references);
  const others = entries.flatMap(([own, reference]) =>
    isOther(reference) ? [[own, reference] as const] : [],
  );
  return [Object.fromEntries(entries.filter(([, reference]) => !isOther(reference))), others];
}

function neighbourTarget([own, { topology, name }]: readonly [
  string,
  NeighbourAgentRef<unknown, unknown>,
]): readonly [string, NeighbourTarget] {
  return [own, { topology: typeof topology === "string" ? topology : topology.name, agent: name }];
}

/** The agent's own names of what it uses of other topologies → both names there. */
function neighbourNames({ neighbours }: AgentDefinition): ReadonlyMap<string, string> {
  return new Map([
    ...Array.from(neighbours.agents, ([own, { topology, agent }]) => {
      return [`agents.${own}`, `${topology}/${agent}`] as const;
    }),
    ...Array.from(neighbours.stores, ([own, { topology, name }]) => {
      return [`stores.${own}`, `${topology.name}/${name}`] as const;
    }),
  ]);
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
