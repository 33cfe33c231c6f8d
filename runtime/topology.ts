// Topology — the immutable logical declaration of stores, agents and compute functions.
//
// Owns: the value users write and pass to `launch`, and that every thread imports from its module.
// Leaves to others: finding all problems of a declaration (topology-problems.ts), numbers and
// threads (compile.ts).

import { PartitaError } from "../base/errors.js";
import { nameShown } from "./call-checks.js";
import type { AnyStoreDeclaration } from "./plan.js";
import { topologyDiagram } from "./topology-diagram.js";
import type { TopologyParts } from "./topology-parts.js";
import { topologyProblems } from "./topology-problems.js";

/**
 * An immutable declaration: names and types of stores, agents and compute functions.
 * `Parts` keeps the exact types for `launch`.
 */
export interface Topology<Parts extends TopologyParts = TopologyParts> {
  readonly kind: "topology";
  readonly name: string;
  /** URL of the module that exports this topology: every task thread imports it. */
  readonly module: string;
  readonly parts: Parts;
  /**
   * A drawing as Mermaid text: each agent with its nodes, its scopes and what it uses. For a README
   * or https://mermaid.live.
   */
  toMermaid(): string;
}

/**
 * Declares a topology.
 *
 * `module` is `import.meta.url` of the module that exports it: functions do not cross threads, so
 * every task thread imports that module, which therefore must have no side effects of its own.
 * `stores`, `agents` and `compute` give names to declarations; an agent refers to a store or a
 * compute function by value, and the topology must hold that very value under some name.
 *
 * @throws PartitaError TOPOLOGY_INVALID with every problem found: code, path, what would be valid
 */
export function topology<const Parts extends TopologyParts>(
  name: string,
  module: string,
  parts: Parts,
): Topology<Parts> {
  const problems = topologyProblems(name, module, parts);
  if (problems.length > 0) {
    throw new PartitaError("TOPOLOGY_INVALID", { topology: nameShown(name), problems });
  }
  const kept = Object.freeze({ ...parts });
  const toMermaid = (): string => topologyDiagram(parts);
  return Object.freeze({ kind: "topology", name, module, parts: kept, toMermaid });
}

/** Whether a value is a topology, and has that name. */
export function isTopology(value: unknown, name?: string): value is Topology {
  return (
    typeof value === "object" &&
    value !== null &&
    "kind" in value &&
    value.kind === "topology" &&
    "parts" in value &&
    "name" in value &&
    (name === undefined || value.name === name)
  );
}

/** The stores of a topology by name. */
export function storesOf(declared: Topology): ReadonlyMap<string, AnyStoreDeclaration> {
  // cast: topology() has refused whatever is no store declaration; their types differ, the shape
  // does not.
  const stores = (declared.parts.stores ?? {}) as Readonly<Record<string, AnyStoreDeclaration>>;
  return new Map(Object.entries(stores));
}
