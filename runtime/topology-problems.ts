// Topology problems — everything wrong with a topology's definition, found at once.
//
// Owns: names, kinds and references at the level of the topology. Leaves to others: what is wrong
// inside an agent (agents/declare/definition.ts, through ProgramEntry.problems) or a store's own
// options (store/declaration.ts, which refuses them when the store is declared).
// Each problem names a path, the offender and what would have been valid.

import { limits } from "../base/limits.js";
import { isName, nameRule } from "../base/name.js";
import { show } from "../base/show.js";
import { isStoreDeclaration } from "../store/declaration.js";
import type { ObjectEntry, ProgramEntry, TopologyNames, TopologyProblem } from "./task-program.js";
import type { TopologyParts } from "./topology-parts.js";

const knownParts = ["stores", "agents", "compute", "objects"] as const;

/** All problems, in the order of the declaration; empty when the topology is sound. */
export function topologyProblems(
  name: string,
  module: string,
  parts: TopologyParts,
): readonly TopologyProblem[] {
  const problems: TopologyProblem[] = [];
  const add = (
    code: string,
    path: string,
    message: string,
    valid: readonly string[] = [],
  ): void => {
    problems.push({ code, path, message, valid });
  };
  if (!isName(name)) add("NAME_INVALID", "name", `${show(name)} is no name`, [nameRule]);
  if (typeof module !== "string" || !URL.canParse(module)) {
    add("MODULE_INVALID", "module", `${show(module)} is no URL of a module`, ["import.meta.url"]);
  }
  if (typeof parts !== "object" || parts === null) {
    add("PARTS_INVALID", "parts", `${show(parts)} is no object`, knownParts);
    return problems;
  }
  for (const part of Object.keys(parts)) {
    if (!knownParts.some((known) => known === part)) {
      add("PART_UNKNOWN", part, `"${part}" is nothing a topology declares`, knownParts);
    }
  }
  for (const part of knownParts) {
    const given: unknown = parts[part];
    if (given === undefined || (typeof given === "object" && given !== null)) continue;
    add("PART_INVALID", part, `${show(given)} is no object`, ["an object of names"]);
  }
  const stores = partEntries(parts.stores);
  const computes = partEntries(parts.compute);
  const agents = partEntries(parts.agents);
  const objects = partEntries(parts.objects);
  for (const [part, entries] of [
    ["stores", stores],
    ["compute", computes],
    ["agents", agents],
    ["objects", objects],
  ] as const) {
    for (const [entry] of entries) {
      if (!isName(entry)) {
        add("NAME_INVALID", `${part}.${entry}`, `${show(entry)} is no name`, [nameRule]);
      }
    }
  }
  checkStores(stores, add);
  checkDuplicates("stores", stores, add);
  checkDuplicates("agents", agents, add);
  checkDuplicates("objects", objects, add);
  for (const [entry, fn] of computes) {
    if (typeof fn === "function") continue;
    add("COMPUTE_INVALID", `compute.${entry}`, `"${entry}" is no function`, ["a function"]);
  }
  const names = topologyNames(parts);
  for (const [entry, agent] of agents) {
    if (isProgramEntry(agent)) problems.push(...agent.problems(`agents.${entry}`, names));
    else {
      const valid = ["agent({ … }).implement({ … })"];
      add("AGENT_INVALID", `agents.${entry}`, `"${entry}" is no agent`, valid);
    }
  }
  for (const [entry, object] of objects) {
    if (isObjectEntry(object)) problems.push(...object.problems(`objects.${entry}`));
    else add("OBJECT_INVALID", `objects.${entry}`, `"${entry}" is no object`, ["object(…)"]);
  }
  return problems;
}

/** Names of what a topology declares, for agents that refer to it by value. */
export function topologyNames(parts: TopologyParts): TopologyNames {
  const stores = partEntries(parts.stores);
  const computes = partEntries(parts.compute);
  const agents = partEntries(parts.agents);
  const objects = partEntries(parts.objects);
  const namesIn = (entries: readonly Entry[]) => entries.map(([name]) => name);
  const nameIn = (entries: readonly Entry[]) => (value: object) =>
    entries.find(([, declared]) => declared === value)?.[0];
  return {
    storeName: nameIn(stores),
    computeName: nameIn(computes),
    agentName: nameIn(agents),
    objectName: nameIn(objects),
    storeNames: namesIn(stores),
    computeNames: namesIn(computes),
    agentNames: namesIn(agents),
    objectNames: namesIn(objects),
  };
}

type Entry = readonly [string, unknown];
type Add = (code: string, path: string, message: string, valid?: readonly string[]) => void;

function checkStores(stores: readonly Entry[], add: Add): void {
  if (stores.length > limits.storesMax) {
    const message = `${stores.length} stores are more than a topology can have`;
    add("STORES_TOO_MANY", "stores", message, [`at most ${limits.storesMax}`]);
  }
  for (const [entry, store] of stores) {
    if (isStoreDeclaration(store)) continue;
    const valid = ["keyValueStore({ key, value, updates })"];
    add("STORE_INVALID", `stores.${entry}`, `"${entry}" is no store`, valid);
  }
}

/** One declaration under two names: a reference to it by value could mean either. */
function checkDuplicates(
  part: "stores" | "agents" | "objects",
  entries: readonly Entry[],
  add: Add,
): void {
  const [code, valid] = duplicates[part];
  const seen = new Map<unknown, string>();
  for (const [entry, declared] of entries) {
    const other = seen.get(declared);
    if (other === undefined) seen.set(declared, entry);
    else if (typeof declared === "object" && declared !== null) {
      const message = `"${entry}" is the declaration of "${other}": references are ambiguous`;
      add(code, `${part}.${entry}`, message, [valid]);
    }
  }
}

const duplicates = {
  stores: ["STORE_DUPLICATE", "a keyValueStore() of its own"],
  agents: ["AGENT_DUPLICATE", "an implement() of its own"],
  objects: ["OBJECT_DUPLICATE", "an object() of its own"],
} as const;

function partEntries(part: object | undefined): readonly Entry[] {
  return typeof part === "object" && part !== null ? Object.entries(part) : [];
}

function isProgramEntry(value: unknown): value is ProgramEntry {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "agent";
}

function isObjectEntry(value: unknown): value is ObjectEntry {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "object";
}
