// Scopes of random graphs, judged by a model that walks every walk: it holds the list of open
// scopes in hand, pushes a scatter, pops at a gather, and wants each node to be met with one list
// only. Bugs here would look like a graph that is refused for nothing, or launched with a node that
// is in two scopes.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { agentProblems } from "../../agents/declare/definition-problems.js";
import { sum } from "../../agents/declare/aggregators.js";
import { node } from "../../agents/declare/node.js";
import { gather, scatter } from "../../agents/declare/scatter-gather.js";
import { type GraphNode, scopesOf } from "../../agents/declare/scopes.js";
import { type } from "../../store/schema.js";
import { harnessNames } from "../support/program-names.js";
import { check } from "../support/property.js";

type Graph = ReadonlyMap<string, GraphNode>;

const names = ["a", "b", "c", "d", "e", "f", "g"] as const;

const randomGraph: fc.Arbitrary<Graph> = fc.integer({ min: 1, max: names.length }).chain((size) => {
  const known = names.slice(0, size);
  const targets = fc.oneof(
    { weight: 3, arbitrary: fc.uniqueArray(fc.constantFrom(...known), { maxLength: 2 }) },
    { weight: 1, arbitrary: fc.subarray(known) },
  );
  const kind = fc.constantFrom<GraphNode["kind"]>("node", "node", "scatter", "gather");
  const one = fc.record({ kind, targets });
  return fc.array(one, { minLength: size, maxLength: size }).map((nodes) => {
    const list = nodes.map((each, index) => ({ ...each, name: String(known[index]) }));
    return new Map(list.map((each) => [each.name, each]));
  });
});

/** A part of a sound graph: `begin` and `end` are where it may be entered and left. */
interface Part {
  readonly nodes: readonly GraphNode[];
  readonly begin: string;
  readonly end: string;
}

const soundGraph: fc.Arbitrary<Graph> = fc
  .array(fc.constantFrom("behind", "around", "loop", "leaf"), { maxLength: 7 })
  .map((steps) => {
    let count = 0;
    const named = (kind: GraphNode["kind"], targets: readonly string[] = []): GraphNode => {
      count += 1;
      return { name: `n${count}`, kind, targets };
    };
    const first = named("node");
    let part: Part = { nodes: [first], begin: first.name, end: first.name };
    for (const step of steps) {
      const { nodes, begin, end } = part;
      if (step === "around") {
        const close = named("gather");
        const open = named("scatter", [begin, close.name]);
        const inner = linked(nodes, end, close.name);
        part = { nodes: [open, ...inner, close], begin: open.name, end: close.name };
      } else if (step === "behind") {
        const next = named("node");
        part = { nodes: [...linked(nodes, end, next.name), next], begin, end: next.name };
      } else if (step === "leaf") {
        const leaf = named("node");
        part = { nodes: [...linked(nodes, end, leaf.name), leaf], begin, end };
      } else part = { nodes: linked(nodes, end, begin), begin, end };
    }
    const entry = named("node", [part.begin]);
    return new Map([entry, ...part.nodes].map((each) => [each.name, each]));
  });

function linked(nodes: readonly GraphNode[], from: string, to: string): readonly GraphNode[] {
  return nodes.map((each) => {
    if (each.name !== from || each.targets.includes(to)) return each;
    return { ...each, targets: [...each.targets, to] };
  });
}

/** What walking every walk finds: the scopes around each node, or that the graph is not sound. */
function walkEverything(graph: Graph): ReadonlyMap<string, readonly string[]> | undefined {
  const entry = graph.keys().next().value ?? "";
  if (graph.get(entry)?.kind === "gather") return undefined;
  const met = new Map<string, Set<string>>();
  const pairs = new Set<string>();
  const open: { readonly at: string; readonly scopes: readonly string[] }[] = [
    { at: entry, scopes: [] },
  ];
  for (const { at, scopes } of open) {
    const lists = met.get(at) ?? new Set();
    met.set(at, lists);
    if (lists.has(scopes.join()) || scopes.length > graph.size) continue;
    lists.add(scopes.join());
    const from = graph.get(at);
    const within = from?.kind === "scatter" ? [...scopes, at] : scopes;
    for (const to of from?.targets ?? []) {
      if (graph.get(to)?.kind !== "gather") open.push({ at: to, scopes: within });
      else if (within.length === 0) return undefined;
      else {
        pairs.add(`${within.at(-1)} ${to}`);
        open.push({ at: to, scopes: within.slice(0, -1) });
      }
    }
  }
  const ends = [...graph.values()].filter(({ kind }) => kind !== "node");
  const paired = (name: string): number =>
    [...pairs].filter((pair) => pair.split(" ").includes(name)).length;
  const isSound =
    met.size === graph.size &&
    [...met.values()].every((lists) => lists.size === 1) &&
    ends.every(({ name }) => paired(name) === 1);
  if (!isSound) return undefined;
  const listOf = ([name, lists]: readonly [string, ReadonlySet<string>]) => {
    const [list = ""] = lists;
    return [name, list === "" ? [] : list.split(",")] as const;
  };
  return new Map([...met].map(listOf));
}

function codesOf(graph: Graph): readonly string[] {
  const nodes = Object.fromEntries(
    [...graph.values()].map(({ name, kind, targets: to }) => {
      if (kind === "scatter") return [name, scatter({ input: type<number>(), to })];
      if (kind === "gather") return [name, gather({ collect: sum, to })];
      return [name, node({ input: type<number>(), to })];
    }),
  );
  const functions = Object.fromEntries([...graph.keys()].map((name) => [name, () => {}]));
  const shape = { entry: graph.keys().next().value, result: type<number>(), nodes };
  return agentProblems({ shape, functions }, "x", harnessNames()).map(({ code }) => code);
}

function agrees(graph: Graph): boolean {
  const around = walkEverything(graph);
  const codes = codesOf(graph);
  expect(codes.length === 0, `${codes}`).toBe(around !== undefined);
  if (around === undefined) return false;
  const entry = graph.keys().next().value ?? "";
  expect(scopesOf(graph, entry).around).toEqual(around);
  return true;
}

describe("scopes of random graphs", () => {
  it("are refused if and only if the model refuses them, and are where it says", async () => {
    const seen = { sound: 0, refused: 0 };
    const property = fc.property(randomGraph, (graph) => {
      seen[agrees(graph) ? "sound" : "refused"] += 1;
    });
    await check(property, { runs: 2_000 });
    expect(Math.min(seen.sound, seen.refused)).toBeGreaterThan(20);
  });

  it("are sound when they are made so, and judged alike with one edge or kind more", async () => {
    const seen = { sound: 0, refused: 0 };
    const kind = fc.constantFrom<GraphNode["kind"]>("node", "scatter", "gather");
    const property = fc.property(soundGraph, fc.nat(), fc.nat(), kind, (graph, from, to, other) => {
      expect(agrees(graph)).toBe(true);
      const known = [...graph.keys()];
      const [one = "", two = ""] = [from, to].map((index) => known[index % known.length]);
      const nodes = [...graph.values()];
      const changed = nodes.map((each) => (each.name === one ? { ...each, kind: other } : each));
      for (const more of [linked(nodes, one, two), changed]) {
        const isSound = agrees(new Map(more.map((each) => [each.name, each])));
        seen[isSound ? "sound" : "refused"] += 1;
      }
    });
    await check(property, { runs: 500 });
    expect(Math.min(seen.sound, seen.refused)).toBeGreaterThan(20);
  });
});
