// Node problems — what is wrong with one node's own declaration: its kind, options and targets.
//
// Owns: the options that each kind of node has, and what they may be. Leaves to others: where its
// targets are and whether they may be emitted to (definition-problems.ts, scopes.ts).

import { limits } from "../../base/limits.js";
import { show } from "../../base/show.js";
import { aggregatorOf } from "./aggregator.js";
import { type NodeKind, nodeOptions } from "./node.js";
import {
  type AddProblem,
  checkName,
  checkOneOf,
  checkSchemaOption,
  checkWhole,
  type OptionBag,
  optionBag,
  unknownOptions,
} from "./option-problems.js";
import type { GraphNode } from "./scopes.js";

const optionNames = {
  node: ["input", "to", "key", "reentrant", "nodeTimeoutMs"],
  scatter: ["input", "to", "carry", "nodeTimeoutMs"],
  gather: ["collect", "carry", "to", "nodeTimeoutMs"],
} as const;

const aggregatorNames = [
  ...["list", "set", "multiSet", "map", "mergeMap", "sum", "min", "max", "first", "last"],
  ...["and", "or", "accumulate(init, step)", "combine(zero, fn)", "multi({ init, on })"],
];

/** What a node's edges say; whatever is wrong with its declaration goes to `add`. */
export function checkNode(name: string, declaration: unknown, add: AddProblem): GraphNode {
  const at = `nodes.${name}`;
  checkName(name, at, add);
  const kind = kindOf(declaration);
  const options = kind === undefined ? undefined : optionsOf(declaration);
  if (kind === undefined || options === undefined) {
    const valid = ["node({ input, to, key })", "scatter({ input, to })", "gather({ collect, to })"];
    add("NODE_INVALID", at, `"${name}" is no node`, valid);
    return { name, kind: "node", targets: [] };
  }
  unknownOptions(options, optionNames[kind], `${at}.`, add);
  if (kind === "gather") checkCollect(name, options["collect"], `${at}.collect`, add);
  else checkSchemaOption(options["input"], `${at}.input`, add);
  if (kind === "node") checkKey(name, options, at, add);
  else if (options["carry"] !== undefined) {
    checkSchemaOption(options["carry"], `${at}.carry`, add);
  }
  const range = { min: 1, max: limits.nodeTimeoutMsMax };
  checkWhole(`${at}.nodeTimeoutMs`, options["nodeTimeoutMs"], range, add);
  return { name, kind, targets: targetsOf(name, options["to"], `${at}.to`, add) };
}

/** Whether a node says by which key it runs. */
export function isKeyed(declaration: unknown): boolean {
  return kindOf(declaration) === "node" && optionsOf(declaration)?.["key"] !== undefined;
}

function kindOf(declaration: unknown): NodeKind | undefined {
  const kind = optionBag(declaration)?.["kind"];
  return kind === "node" || kind === "scatter" || kind === "gather" ? kind : undefined;
}

function optionsOf(declaration: unknown): OptionBag | undefined {
  const bag = optionBag(declaration);
  return bag === undefined ? undefined : optionBag(Reflect.get(bag, nodeOptions));
}

function checkKey(node: string, options: OptionBag, at: string, add: AddProblem): void {
  const { key, reentrant } = options;
  if (key !== undefined && typeof key !== "function") {
    const valid = ["(message) => message.account"];
    add("OPTION_INVALID", `${at}.key`, `the key of "${node}" is ${show(key)}`, valid);
  }
  checkOneOf(`${at}.reentrant`, reentrant, [true, false], add);
  if (reentrant === true && key === undefined) {
    const message = `node "${node}" is reentrant, but has no key that it could give up`;
    add("OPTION_INVALID", `${at}.reentrant`, message, ["a node with a key"]);
  }
}

function checkCollect(node: string, collect: unknown, at: string, add: AddProblem): void {
  const aggregator = aggregatorOf(collect);
  if (aggregator === undefined) {
    const message = `gather "${node}" collects with ${show(collect)}, which is no aggregator`;
    add("AGGREGATOR_INVALID", at, message, aggregatorNames);
    return;
  }
  for (const { code, message, valid } of aggregator.problems) add(code, at, message, valid);
}

function targetsOf(node: string, to: unknown, at: string, add: AddProblem): readonly string[] {
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
