// Definition problems — everything wrong with an agent's definition, found at once.
//
// `topology()` asks each of its agents and reports what all of them answer together. Nothing is
// assumed of what a JavaScript caller passed.
// Owns: names, options, edges, reachability, implementations, references. Leaves to others: the
// options of nodes (node-problems.ts), the rules of scopes (scopes.ts), the topology's own parts
// (runtime/topology-problems.ts).
//
// Each problem has a path (`agents.transfer.nodes.debit.to`), names the offender, and lists what
// would have been valid.

import { limits } from "../../base/limits.js";
import { isName } from "../../base/name.js";
import { show } from "../../base/show.js";
import type { TopologyNames, TopologyProblem } from "../../runtime/task-program.js";
import { isTopology } from "../../runtime/topology.js";
import { isAgentRef, isNeighbourAgentRef } from "./agent-ref.js";
import type { AgentParts } from "./definition.js";
import { checkNode } from "./node-problems.js";
import {
  type AddProblem,
  checkName,
  checkOneOf,
  checkSchemaOption,
  checkWhole,
  optionBag,
  unknownOptions,
} from "./option-problems.js";
import { isStoreRef } from "./store-ref.js";
import { type GraphNode, pathsFrom, scopesOf } from "./scopes.js";

const agentOptionNames = [
  "stores",
  "compute",
  "agents",
  "objects",
  "nodes",
  "entry",
  "result",
  "maxRetries",
  "retryBackoffMs",
  "stallThresholdMs",
  "updateMode",
  "version",
  "maxInvocationsPerTask",
] as const;

const updateModes = ["continue", "restart", "drop"] as const;

/** All problems, in the order of the declaration; empty when the agent is sound. */
export function agentProblems(
  parts: AgentParts,
  path: string,
  names: TopologyNames,
): readonly TopologyProblem[] {
  const problems: TopologyProblem[] = [];
  const add: AddProblem = (code, at, message, valid = []) => {
    problems.push({ code, path: at === "" ? path : `${path}.${at}`, message, valid });
  };
  const shape = optionBag(parts.shape);
  if (shape === undefined) {
    add("AGENT_INVALID", "", `agent() was given ${show(parts.shape)}`, ["an object of options"]);
    return problems;
  }
  unknownOptions(shape, agentOptionNames, "", add);
  for (const [option, declared, nameOf] of [
    ["stores", names.storeNames, names.storeName],
    ["compute", names.computeNames, names.computeName],
    ["agents", names.agentNames, (agent) => agentNameOf(agent, names)],
    ["objects", names.objectNames, names.objectName],
  ] as const satisfies readonly References[]) {
    checkReferences(option, shape[option], declared, nameOf, add);
  }
  const nodes = checkNodes(shape["nodes"], add);
  checkEdges(nodes, shape["entry"], add);
  checkSchemaOption(shape["result"], "result", add);
  checkFigures(shape, add);
  checkFunctions(nodes, parts.functions, add);
  return problems;
}

/** The name that the topology gives to an agent that is referred to by value or by name. */
export function agentNameOf(agent: object, names: TopologyNames): string | undefined {
  if (!isAgentRef(agent)) return names.agentName(agent);
  return names.agentNames.find((name) => name === agent.name);
}

type References = readonly [
  option: string,
  declared: readonly string[],
  nameOf: (declaration: object) => string | undefined,
];

function checkReferences(
  option: string,
  references: unknown,
  declared: readonly string[],
  nameOf: (declaration: object) => string | undefined,
  add: AddProblem,
): void {
  if (references === undefined) return;
  const bag = optionBag(references);
  if (bag === undefined) {
    add("OPTION_INVALID", option, `${show(references)} is no object of ${option}`, declared);
    return;
  }
  for (const [own, declaration] of Object.entries(bag)) {
    const at = `${option}.${own}`;
    checkName(own, at, add);
    const isReference =
      (typeof declaration === "object" && declaration !== null) ||
      typeof declaration === "function";
    if (isNeighbourAgentRef(declaration) || isStoreRef(declaration)) {
      checkNeighbour(own, option, declaration, add);
      continue;
    }
    if (isReference && nameOf(declaration) !== undefined) continue;
    const message = isAgentRef(declaration)
      ? `"${own}" refers to agent ${show(declaration.name)}, which the topology does not declare`
      : `"${own}" is nothing that the topology declares under "${option}"`;
    add("REFERENCE_UNDECLARED", at, message, declared);
  }
}

/** A reference into another topology: known by its value, or by its name alone. */
function checkNeighbour(
  own: string,
  option: string,
  { topology, name }: { readonly topology: unknown; readonly name: unknown },
  add: AddProblem,
): void {
  const at = `${option}.${own}`;
  if (option !== "agents" && option !== "stores") {
    add("REFERENCE_UNDECLARED", at, `"${own}" is nothing that stands under "${option}"`);
  } else if (isTopology(topology)) {
    const known = Object.keys(topology.parts[option] ?? {});
    if (known.some((declared) => declared === name)) return;
    const message =
      `"${own}" refers to ${show(name)} of topology "${topology.name}", which declares no such ` +
      (option === "agents" ? "agent" : "store");
    add("REFERENCE_UNDECLARED", at, message, known);
  } else if (!(typeof topology === "string" && isName(topology) && isName(name))) {
    const message = `"${own}" refers to ${show(name)} of ${show(topology)}`;
    add("REFERENCE_UNDECLARED", at, message, ["a topology, or its name, and a name in it"]);
  }
}

function checkFigures(shape: Readonly<Record<string, unknown>>, add: AddProblem): void {
  for (const [option, min, max] of [
    ["maxRetries", 0, limits.maxRetriesMax],
    ["retryBackoffMs", 0, limits.retryBackoffMsMax],
    ["stallThresholdMs", 1, limits.stallThresholdMsMax],
    ["version", 0, limits.agentVersionMax],
    ["maxInvocationsPerTask", 1, limits.invocationsPerTaskMax],
  ] as const) {
    checkWhole(option, shape[option], { min, max }, add);
  }
  checkOneOf("updateMode", shape["updateMode"], updateModes, add);
}

/** The edges of every node that is one. */
function checkNodes(declared: unknown, add: AddProblem): readonly GraphNode[] {
  const entries = Object.entries(optionBag(declared) ?? {});
  if (entries.length === 0) {
    add("NODES_MISSING", "nodes", "the agent declares no node", ["{ name: node({ input }) }"]);
  }
  return entries.map(([name, declaration]) => checkNode(name, declaration, add));
}

function checkEdges(nodes: readonly GraphNode[], entry: unknown, add: AddProblem): void {
  const known = nodes.map(({ name }) => name);
  const isKnown = typeof entry === "string" && known.includes(entry);
  if (!isKnown) add("ENTRY_UNKNOWN", "entry", `the entry ${show(entry)} is no node`, known);
  const graph = new Map(nodes.map((node) => [node.name, node]));
  const paths = isKnown ? pathsFrom(entry, graph) : new Map<string, readonly string[]>();
  const scopes = scopesOf(graph, isKnown ? entry : "");
  for (const { name, targets } of nodes) {
    const path = paths.get(name);
    for (const target of targets) {
      if (known.includes(target)) continue;
      const way = path === undefined ? "" : ` (${[...path, target].join(" -> ")})`;
      const message = `node "${name}" emits to "${target}", which the agent does not declare${way}`;
      add("TARGET_UNKNOWN", `nodes.${name}.to`, message, known);
    }
    for (const { code, node, isEdge, message, valid } of scopes.problems) {
      if (node === name) add(code, `nodes.${name}${isEdge ? ".to" : ""}`, message, valid);
    }
    if (isKnown && path === undefined) {
      const message = `no path leads from the entry "${entry}" to node "${name}"`;
      add("NODE_UNREACHABLE", `nodes.${name}`, message, [...paths.keys()]);
    }
  }
}

function checkFunctions(nodes: readonly GraphNode[], functions: unknown, add: AddProblem): void {
  const known = nodes.map(({ name }) => name);
  const implemented = new Map(Object.entries(optionBag(functions) ?? {}));
  for (const name of known) {
    const at = `implement.${name}`;
    const fn = implemented.get(name);
    if (fn === undefined) {
      const message = `node "${name}" has no implementation`;
      add("IMPLEMENTATION_MISSING", at, message, [`${name}(ctx, message) { … }`]);
    } else if (typeof fn !== "function") {
      const message = `the implementation of "${name}" is ${show(fn)}`;
      add("IMPLEMENTATION_INVALID", at, message, ["a function"]);
    }
  }
  for (const name of implemented.keys()) {
    if (known.includes(name)) continue;
    add("IMPLEMENTATION_UNKNOWN", `implement.${name}`, `"${name}" is no node`, known);
  }
}
