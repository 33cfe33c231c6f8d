// A bug here would look like this: a graph whose inputs reach no gather, or the wrong one, that is
// launched; or a report that leads to the wrong edge.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { sum } from "../../../agents/declare/aggregators.js";
import { definitionOf } from "../../../agents/declare/definition.js";
import { agentProblems } from "../../../agents/declare/definition-problems.js";
import { node } from "../../../agents/declare/node.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import type { TopologyProblem } from "../../../runtime/task-program.js";
import { type } from "../../../store/schema.js";
import { harnessNames } from "../../support/program-names.js";

type Declared = Readonly<Record<string, string>>;

/** `{ a: "node b c" }`: a node of that kind with these targets. The first one is the entry. */
function nodesOf(graph: Declared): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(graph).map(([name, text]) => {
      const [kind, ...to] = text.split(" ");
      if (kind === "scatter") return [name, scatter({ input: type<number>(), to })];
      if (kind === "gather") return [name, gather({ collect: sum, to })];
      return [name, node({ input: type<number>(), to })];
    }),
  );
}

function problemsOf(graph: Declared): readonly TopologyProblem[] {
  const nodes = nodesOf(graph);
  const functions = Object.fromEntries(Object.keys(nodes).map((name) => [name, () => {}]));
  const shape = { entry: Object.keys(nodes)[0], result: type<number>(), nodes };
  return agentProblems({ shape, functions }, "x", harnessNames());
}

const codesOf = (graph: Declared): readonly string[] =>
  problemsOf(graph).map(({ code, path }) => `${code} at ${path}`);

describe("scopes — sound ones", () => {
  it.each<[string, Declared]>([
    ["a scope with nodes inside", { s: "scatter a", a: "node b g", b: "node g", g: "gather" }],
    ["a scatter that emits to its gather", { s: "scatter g", g: "gather" }],
    ["loops inside one scope", { s: "scatter a", a: "node a b", b: "node a g", g: "gather" }],
    ["a gather that emits to its own scatter", { s: "scatter g", g: "gather s" }],
    [
      "scopes within scopes",
      { s: "scatter t", t: "scatter a", a: "node h", h: "gather g t", g: "gather" },
    ],
    [
      "scopes one behind the other",
      { s: "scatter g", g: "gather t", t: "scatter h", h: "gather z", z: "node" },
    ],
    [
      "a node inside that emits to nobody: it may give the result",
      { s: "scatter a b", a: "node", b: "node g", g: "gather" },
    ],
    [
      "two ways to one scatter",
      { a: "node b s", b: "node s", s: "scatter g", g: "gather z", z: "node a" },
    ],
  ])("takes %s", (_name, graph) => {
    expect(codesOf(graph)).toEqual([]);
  });
});

describe("scopes — definition-time errors", () => {
  it("refuses a scatter without a gather", () => {
    expect(problemsOf({ s: "scatter a", a: "node" })).toEqual([
      {
        code: "SCATTER_UNGATHERED",
        path: "x.nodes.s",
        message: 'no gather ends the scope of scatter "s"',
        valid: ["gather({ collect })"],
      },
    ]);
    const inner = { s: "scatter t g", t: "scatter a", a: "node", g: "gather" };
    expect(problemsOf(inner)).toMatchObject([
      { code: "SCATTER_UNGATHERED", path: "x.nodes.t", valid: ["g"] },
    ]);
  });

  it("refuses a gather outside a scope, with the path that leads there", () => {
    expect(problemsOf({ a: "node b", b: "node g", g: "gather" })).toEqual([
      {
        code: "GATHER_OUTSIDE",
        path: "x.nodes.b.to",
        message: 'node "b" emits to gather "g" outside of any scope (a -> b -> g)',
        valid: ["scatter({ input, to })"],
      },
    ]);
    expect(codesOf({ g: "gather" })).toEqual(["GATHER_OUTSIDE at x.nodes.g"]);
    const behind = { s: "scatter g", g: "gather h", h: "gather" };
    expect(problemsOf(behind)).toMatchObject([{ code: "GATHER_OUTSIDE", valid: ["s"] }]);
  });

  it("refuses two gathers in one scope", () => {
    const graph = { s: "scatter a b", a: "node g", b: "node h", g: "gather", h: "gather" };
    expect(problemsOf(graph)).toEqual([
      {
        code: "GATHERS_MANY",
        path: "x.nodes.b.to",
        message: 'the scope of scatter "s" has two gathers, "g" and "h" (s -> b -> h)',
        valid: ["g"],
      },
    ]);
  });

  it("refuses an edge that enters a scope other than through its scatter", () => {
    const graph = { a: "node s b", s: "scatter c", c: "node b", b: "node g", g: "gather" };
    const problems = problemsOf({ ...graph, a: "node s d", d: "node e", e: "node b" });
    expect(problems).toEqual([
      {
        code: "SCOPE_ENTERED",
        path: "x.nodes.e.to",
        message:
          'node "e" emits to "b", which is in the scope of scatter "s", from outside of it ' +
          "(a -> d -> e -> b)",
        valid: ["s"],
      },
    ]);
  });

  it("refuses an edge that leaves a scope other than through its gather", () => {
    const graph = { a: "node z s", z: "node", s: "scatter b", b: "node z g", g: "gather" };
    expect(problemsOf(graph)).toEqual([
      {
        code: "SCOPE_LEFT",
        path: "x.nodes.b.to",
        message:
          'node "b" is in the scope of scatter "s" and emits to "z" outside of it ' +
          "(a -> s -> b -> z): only its gather may",
        valid: ["b", "g"],
      },
    ]);
    const other = { a: "node s t", s: "scatter g", t: "scatter g", g: "gather" };
    expect(problemsOf(other)).toMatchObject([
      {
        code: "SCOPE_LEFT",
        path: "x.nodes.t.to",
        message: expect.stringContaining('gather "g", which ends the scope of scatter "s"'),
      },
    ]);
  });

  it("refuses a loop that re-enters a scope other than through its scatter and gather", () => {
    const graph = { s: "scatter b", b: "node s g", g: "gather" };
    expect(problemsOf(graph)).toEqual([
      {
        code: "SCOPE_REENTERED",
        path: "x.nodes.b.to",
        message:
          'node "b" emits to scatter "s" from within its own scope (s -> b -> s): ' +
          "only its gather may",
        valid: ["b", "g"],
      },
    ]);
    expect(codesOf({ s: "scatter s g", g: "gather" })).toEqual(["SCOPE_REENTERED at x.nodes.s.to"]);
  });

  it("reports all of them at once", () => {
    const graph = {
      a: "node g s",
      s: "scatter b c",
      b: "node s a g",
      c: "node h t nowhere",
      t: "scatter",
      g: "gather",
      h: "gather d",
      d: "node",
      u: "scatter v",
      v: "node",
      w: "gather",
    };
    expect(codesOf(graph)).toEqual([
      "GATHER_OUTSIDE at x.nodes.a.to",
      "SCOPE_REENTERED at x.nodes.b.to",
      "SCOPE_LEFT at x.nodes.b.to",
      "TARGET_UNKNOWN at x.nodes.c.to",
      "GATHERS_MANY at x.nodes.c.to",
      "SCATTER_UNGATHERED at x.nodes.t",
      "SCATTER_UNGATHERED at x.nodes.u",
      "NODE_UNREACHABLE at x.nodes.u",
      "NODE_UNREACHABLE at x.nodes.v",
      "GATHER_OUTSIDE at x.nodes.w",
      "NODE_UNREACHABLE at x.nodes.w",
    ]);
  });

  it("looks for scopes without ends when there is no entry to walk from", () => {
    const nodes = nodesOf({ s: "scatter a", a: "node", g: "gather" });
    const shape = { entry: "nowhere", result: type<number>(), nodes };
    const problems = agentProblems({ shape, functions: {} }, "x", harnessNames());
    expect(problems.map(({ code }) => code)).toEqual([
      "ENTRY_UNKNOWN",
      "SCATTER_UNGATHERED",
      "GATHER_OUTSIDE",
      ...["s", "a", "g"].map(() => "IMPLEMENTATION_MISSING"),
    ]);
  });
});

describe("scopes — in the definition", () => {
  it("a node knows the scatter around it, a scatter its gather", () => {
    const declared = agent({
      entry: "s",
      result: type<number>(),
      nodes: {
        s: scatter({ input: type<number>(), to: ["t"] }),
        t: scatter({ input: type<number>(), to: ["a"], carry: type<string>() }),
        a: node({ input: type<number>(), to: ["h"] }),
        h: gather({ collect: sum, carry: type<string>(), to: ["g"] }),
        g: gather({ collect: sum }),
      },
    }).implement({ s() {}, t: () => "", a() {}, h() {}, g() {} });
    expect(declared.problems("agents.x", harnessNames())).toEqual([]);
    const nodes = [...definitionOf(declared).nodes.values()];
    expect(nodes.map(({ name, kind, scope, gather: end }) => [name, kind, scope, end])).toEqual([
      ["s", "scatter", undefined, "g"],
      ["t", "scatter", "s", "h"],
      ["a", "node", "t", undefined],
      ["h", "gather", "s", "h"],
      ["g", "gather", undefined, "g"],
    ]);
    const [, , , inner] = nodes;
    expect(inner?.check(5, "emit")).toBe(5);
    expect(() => inner?.check("5", "emit")).toThrow(/expected a number/);
  });

  it("a gather's function gets the state and the carry as two arguments", () => {
    const given: unknown[] = [];
    const declared = agent({
      entry: "s",
      result: type<number>(),
      nodes: {
        s: scatter({ input: type<number>(), to: ["g"], carry: type<string>() }),
        g: gather({ collect: sum, carry: type<string>() }),
      },
    }).implement({
      s: () => "carried",
      g: (_ctx, state, carry) => {
        given.push(state, carry);
      },
    });
    declared.problems("agents.x", harnessNames());
    definitionOf(declared).nodes.get("g")?.run({}, { state: 5, carry: "carried" });
    expect(given).toEqual([5, "carried"]);
  });
});
