// Definition problems — everything wrong with an agent's definition, found at once.
//
// `topology()` asks each of its agents and reports what all of them answer together. Nothing is
// assumed of what a JavaScript caller passed.
// Owns: names, options, edges, reachability, implementations, references. Leaves to others: the
// topology's own parts (runtime/topology-problems.ts).
//
// Each problem has a path (`agents.transfer.nodes.debit.to`), names the offender, and lists what
// would have been valid.

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { isName, nameRule } from "../../base/name.js";
import { show } from "../../base/show.js";
import type { TopologyNames, TopologyProblem } from "../../runtime/task-program.js";
import { checkSchema } from "../../store/schema.js";
import type { AgentParts } from "./definition.js";
import { nodeOptions } from "./node.js";

const agentOptionNames = [
  "stores",
  "compute",
  "nodes",
  "entry",
  "result",
  "maxRetries",
  "retryBackoffMs",
] as const;
const nodeOptionNames = ["input", "to", "key"] as const;

type Add = (code: string, path: string, message: string, valid?: readonly string[]) => void;
type Part = Readonly<Record<string, unknown>>;

/** A node as far as its edges can be read. */
interface Edges {
  readonly name: string;
  readonly targets: readonly string[];
}

/** All problems, in the order of the declaration; empty when the agent is sound. */
export function agentProblems(
  parts: AgentParts,
  path: string,
  names: TopologyNames,
): readonly TopologyProblem[] {
  const problems: TopologyProblem[] = [];
  const add: Add = (code, at, message, valid = []) => {
    problems.push({ code, path: at === "" ? path : `${path}.${at}`, message, valid });
  };
  const shape = partOf(parts.shape);
  if (shape === undefined) {
    add("AGENT_INVALID", "", `agent() was given ${show(parts.shape)}`, ["an object of options"]);
    return problems;
  }
  unknownOptions(shape, agentOptionNames, "", add);
  checkReferences("stores", shape["stores"], names.storeNames, names.storeName, add);
  checkReferences("compute", shape["compute"], names.computeNames, names.computeName, add);
  const nodes = checkNodes(shape["nodes"], add);
  checkEdges(nodes, shape["entry"], add);
  checkSchemaOption(shape["result"], "result", add);
  checkWhole("maxRetries", shape["maxRetries"], limits.maxRetriesMax, add);
  checkWhole("retryBackoffMs", shape["retryBackoffMs"], limits.retryBackoffMsMax, add);
  checkFunctions(nodes, parts.functions, add);
  return problems;
}

function checkReferences(
  option: string,
  references: unknown,
  declared: readonly string[],
  nameOf: (declaration: object) => string | undefined,
  add: Add,
): void {
  if (references === undefined) return;
  const part = partOf(references);
  if (part === undefined) {
    add("OPTION_INVALID", option, `${show(references)} is no object of ${option}`, declared);
    return;
  }
  for (const [own, declaration] of Object.entries(part)) {
    const at = `${option}.${own}`;
    checkName(own, at, add);
    const isReference =
      (typeof declaration === "object" && declaration !== null) ||
      typeof declaration === "function";
    if (isReference && nameOf(declaration) !== undefined) continue;
    const message = `"${own}" is nothing that the topology declares under "${option}"`;
    add("REFERENCE_UNDECLARED", at, message, declared);
  }
}

/** The edges of every node that is one. */
function checkNodes(declared: unknown, add: Add): readonly Edges[] {
  const entries = Object.entries(partOf(declared) ?? {});
  if (entries.length === 0) {
    add("NODES_MISSING", "nodes", "the agent declares no node", ["{ name: node({ input }) }"]);
  }
  return entries.map(([name, declaration]) => {
    const at = `nodes.${name}`;
    checkName(name, at, add);
    const options = nodeOptionsOf(declaration);
    if (options === undefined) {
      add("NODE_INVALID", at, `"${name}" is no node`, ["node({ input, to, key })"]);
      return { name, targets: [] };
    }
    unknownOptions(options, nodeOptionNames, `${at}.`, add);
    checkSchemaOption(options["input"], `${at}.input`, add);
    const { key } = options;
    if (key !== undefined && typeof key !== "function") {
      const valid = ["(message) => message.account"];
      add("OPTION_INVALID", `${at}.key`, `the key of "${name}" is ${show(key)}`, valid);
    }
    return { name, targets: targetsOf(name, options["to"], `${at}.to`, add) };
  });
}

function targetsOf(node: string, to: unknown, at: string, add: Add): readonly string[] {
  if (to === undefined) return [];
  if (!Array.isArray(to) || to.some((target) => typeof target !== "string")) {
    add("OPTION_INVALID", at, `node "${node}" emits to ${show(to)}`, ["an array of node names"]);
    return [];
  }
  const targets: readonly string[] = to;
  const repeated = targets.filter((target, index) => targets.indexOf(target) < index);
  for (const target of new Set(repeated)) {
    add("TARGET_DUPLICATE", at, `node "${node}" lists its target "${target}" more than once`);
  }
  return [...new Set(targets)];
}

function checkEdges(nodes: readonly Edges[], entry: unknown, add: Add): void {
  const known = nodes.map(({ name }) => name);
  const isKnown = typeof entry === "string" && known.includes(entry);
  if (!isKnown) add("ENTRY_UNKNOWN", "entry", `the entry ${show(entry)} is no node`, known);
  const paths = isKnown ? pathsFrom(entry, nodes) : new Map<string, readonly string[]>();
  for (const { name, targets } of nodes) {
    const path = paths.get(name);
    for (const target of targets) {
      if (known.includes(target)) continue;
      const way = path === undefined ? "" : ` (${[...path, target].join(" -> ")})`;
      const message = `node "${name}" emits to "${target}", which the agent does not declare${way}`;
      add("TARGET_UNKNOWN", `nodes.${name}.to`, message, known);
    }
    if (isKnown && path === undefined) {
      const message = `no path leads from the entry "${entry}" to node "${name}"`;
      add("NODE_UNREACHABLE", `nodes.${name}`, message, [...paths.keys()]);
    }
  }
}

/** A shortest path from the entry to each node that it leads to, both included. */
function pathsFrom(entry: string, nodes: readonly Edges[]): ReadonlyMap<string, readonly string[]> {
  const edges = new Map(nodes.map(({ name, targets }) => [name, targets]));
  const paths = new Map<string, readonly string[]>([[entry, [entry]]]);
  // A map is walked in the order of insertion, what is added on the way included: breadth first.
  for (const [name, path] of paths) {
    for (const target of edges.get(name) ?? []) {
      if (edges.has(target) && !paths.has(target)) paths.set(target, [...path, target]);
    }
  }
  return paths;
}

function checkFunctions(nodes: readonly Edges[], functions: unknown, add: Add): void {
  const known = nodes.map(({ name }) => name);
  const implemented = new Map(Object.entries(partOf(functions) ?? {}));
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

function checkName(name: string, at: string, add: Add): void {
  if (!isName(name)) add("NAME_INVALID", at, `${show(name)} is no name`, [nameRule]);
}

function checkSchemaOption(schema: unknown, at: string, add: Add): void {
  try {
    checkSchema(schema, at, "schema");
  } catch (error) {
    if (!PartitaError.is(error, "OPTION_INVALID")) throw error;
    add("SCHEMA_INVALID", at, `${error.details.value} is no schema`, [error.details.valid]);
  }
}

function unknownOptions(options: Part, known: readonly string[], prefix: string, add: Add): void {
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    add("OPTION_UNKNOWN", `${prefix}${option}`, `"${option}" is no option`, known);
  }
}

function checkWhole(option: string, value: unknown, max: number, add: Add): void {
  if (value === undefined) return;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) return;
  const message = `${option} is ${show(value)}`;
  add("OPTION_INVALID", option, message, [`a whole number from 0 to ${max}`]);
}

function nodeOptionsOf(declaration: unknown): Part | undefined {
  const part = partOf(declaration);
  if (part === undefined || part["kind"] !== "node") return undefined;
  return partOf(Reflect.get(part, nodeOptions));
}

function partOf(value: unknown): Part | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  // cast: any other object can be read by names
  return value as Part;
}
