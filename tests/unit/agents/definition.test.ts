// A bug here would look like this: a broken agent that is launched, or a problem whose report does
// not lead to the offender.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { definitionOf } from "../../../agents/declare/definition.js";
import { agentProblems } from "../../../agents/declare/definition-problems.js";
import { node } from "../../../agents/declare/node.js";
import type { TopologyNames, TopologyProblem } from "../../../runtime/task-program.js";
import { type } from "../../../store/schema.js";
import { harnessNames } from "../../support/program-names.js";
import { balances } from "./fixtures.js";

const fn = (): void => {};
const twice = (n: number): number => n * 2;
const names: TopologyNames = harnessNames({
  stores: { ledger: { declared: balances } },
  compute: { double: twice },
});
const plain = node({ input: type<string>() });
const sound = { nodes: { a: plain }, entry: "a", result: type<string>() };

/** What a JavaScript caller could write, and the types would have refused. */
function problemsOf(shape: unknown, functions: unknown = { a: fn }): readonly TopologyProblem[] {
  return agentProblems({ shape, functions }, "agents.x", names);
}

/** A node with options that its types would refuse. */
function looseNode(options: object): object {
  // cast: what a JavaScript caller could pass
  return node(options as Parameters<typeof node>[0]);
}

describe("definition — a sound agent", () => {
  it("has no problems", () => {
    expect(problemsOf(sound)).toEqual([]);
    const shape = { ...sound, stores: { accounts: balances }, compute: { twice } };
    expect(problemsOf(shape)).toEqual([]);
  });

  it("may have cycles, and a node that emits to itself", () => {
    const nodes = {
      a: node({ input: type<string>(), to: ["a", "b"] }),
      b: node({ input: type<string>(), to: ["a"] }),
    };
    expect(problemsOf({ ...sound, nodes }, { a: fn, b: fn })).toEqual([]);
  });

  it("may have a node that is called like a property of every object", () => {
    const nodes = { constructor: plain };
    const shape = { ...sound, nodes, entry: "constructor" };
    expect(problemsOf(shape, { constructor: fn })).toEqual([]);
    expect(problemsOf(shape, {})).toMatchObject([{ code: "IMPLEMENTATION_MISSING" }]);
    expect(problemsOf({ ...sound, entry: "toString" })).toMatchObject([{ code: "ENTRY_UNKNOWN" }]);
  });
});

describe("definition — problems", () => {
  it("reports all of them at once, each with code, path, message and what would be valid", () => {
    const shape = {
      entry: "start",
      nodes: {
        a: node({ input: type<string>(), to: ["nowhere"] }),
        "b c": looseNode({ input: "text", to: "a", keys: 1, key: "name" }),
        d: {},
      },
      stores: { accounts: {}, ledger: balances },
      compute: { twice: fn },
      timeout: 5,
    };
    const codes = problemsOf(shape, { a: fn, d: 5, e: fn }).map(({ code, path }) => [path, code]);
    expect(codes).toEqual([
      ["agents.x.timeout", "OPTION_UNKNOWN"],
      ["agents.x.stores.accounts", "REFERENCE_UNDECLARED"],
      ["agents.x.compute.twice", "REFERENCE_UNDECLARED"],
      ["agents.x.nodes.b c", "NAME_INVALID"],
      ["agents.x.nodes.b c.keys", "OPTION_UNKNOWN"],
      ["agents.x.nodes.b c.input", "SCHEMA_INVALID"],
      ["agents.x.nodes.b c.key", "OPTION_INVALID"],
      ["agents.x.nodes.b c.to", "OPTION_INVALID"],
      ["agents.x.nodes.d", "NODE_INVALID"],
      ["agents.x.entry", "ENTRY_UNKNOWN"],
      ["agents.x.nodes.a.to", "TARGET_UNKNOWN"],
      ["agents.x.result", "SCHEMA_INVALID"],
      ["agents.x.implement.b c", "IMPLEMENTATION_MISSING"],
      ["agents.x.implement.d", "IMPLEMENTATION_INVALID"],
      ["agents.x.implement.e", "IMPLEMENTATION_UNKNOWN"],
    ]);
  });

  it.each([undefined, null, 7, "agent", [1]])("reports %j in place of options", (shape) => {
    expect(problemsOf(shape)).toMatchObject([{ code: "AGENT_INVALID", path: "agents.x" }]);
  });

  it.each([[{}], [undefined], [null], [[]], [5]])("reports no nodes: %j", (nodes) => {
    const problems = problemsOf({ ...sound, nodes }, {});
    expect(problems).toMatchObject([{ code: "NODES_MISSING" }, { code: "ENTRY_UNKNOWN" }]);
  });

  it.each(["", "1a", "é", "a b", "a.b", "x".repeat(65)])("reports the name %j", (name) => {
    const shape = { ...sound, nodes: { [name]: plain }, entry: name };
    const problems = problemsOf(shape, { [name]: fn });
    expect(problems).toMatchObject([{ code: "NAME_INVALID", path: `agents.x.nodes.${name}` }]);
    expect(problems[0]?.message).toContain(JSON.stringify(name));
    expect(problems[0]?.valid[0]).toContain("letter");
  });

  it("names an undeclared target with the path from the entry that leads there", () => {
    const nodes = {
      a: node({ input: type<string>(), to: ["b", "c"] }),
      b: node({ input: type<string>(), to: ["a"] }),
      c: node({ input: type<string>(), to: ["nowhere", "c"] }),
    };
    expect(problemsOf({ ...sound, nodes }, { a: fn, b: fn, c: fn })).toEqual([
      {
        code: "TARGET_UNKNOWN",
        path: "agents.x.nodes.c.to",
        message:
          'node "c" emits to "nowhere", which the agent does not declare (a -> c -> nowhere)',
        valid: ["a", "b", "c"],
      },
    ]);
  });

  it("reports a node that no path leads to, with those that one leads to", () => {
    const nodes = {
      a: node({ input: type<string>(), to: ["b", "gone"] }),
      b: plain,
      c: node({ input: type<string>(), to: ["d", "lost"] }),
      d: plain,
    };
    expect(problemsOf({ ...sound, nodes }, { a: fn, b: fn, c: fn, d: fn })).toMatchObject([
      { code: "TARGET_UNKNOWN", path: "agents.x.nodes.a.to" },
      {
        code: "TARGET_UNKNOWN",
        message: 'node "c" emits to "lost", which the agent does not declare',
      },
      { code: "NODE_UNREACHABLE", path: "agents.x.nodes.c", valid: ["a", "b"] },
      { code: "NODE_UNREACHABLE", path: "agents.x.nodes.d" },
    ]);
  });

  it.each([
    ["maxRetries", -1, "a whole number from 0 to 100"],
    ["maxRetries", 101, "a whole number from 0 to 100"],
    ["maxRetries", 0.5, "a whole number from 0 to 100"],
    ["maxRetries", "2", "a whole number from 0 to 100"],
    ["maxRetries", null, "a whole number from 0 to 100"],
    ["retryBackoffMs", 3_600_001, "a whole number from 0 to 3600000"],
    ["retryBackoffMs", Number.NaN, "a whole number from 0 to 3600000"],
  ])("reports %s of %j, with what is allowed", (option, value, valid) => {
    expect(problemsOf({ ...sound, [option]: value })).toMatchObject([
      { code: "OPTION_INVALID", path: `agents.x.${option}`, valid: [valid] },
    ]);
  });

  it("reports a target that is listed twice", () => {
    const nodes = { a: node({ input: type<string>(), to: ["a", "a", "a"] }) };
    expect(problemsOf({ ...sound, nodes })).toMatchObject([
      { code: "TARGET_DUPLICATE", path: "agents.x.nodes.a.to" },
    ]);
  });

  it("reports a reference that the topology does not declare, with those it does", () => {
    const shape = { ...sound, stores: { accounts: { ...balances } }, compute: { f: null } };
    expect(problemsOf(shape)).toMatchObject([
      { path: "agents.x.stores.accounts", valid: ["ledger"] },
      { path: "agents.x.compute.f", valid: ["double"] },
    ]);
    expect(problemsOf({ ...sound, stores: 5 })).toMatchObject([{ code: "OPTION_INVALID" }]);
  });

  it("reports options of a node that are none", () => {
    const nodes = { a: looseNode({ input: type<string>(), to: ["a", 5] }) };
    expect(problemsOf({ ...sound, nodes })).toMatchObject([{ code: "OPTION_INVALID" }]);
    // cast: what a JavaScript caller could pass
    const none = node(undefined as unknown as Parameters<typeof node>[0]);
    expect(problemsOf({ ...sound, nodes: { a: none } })).toMatchObject([{ code: "NODE_INVALID" }]);
  });
});

describe("definition — bound to the names of a topology", () => {
  const declare = () =>
    agent({ ...sound, entry: "a", stores: { accounts: balances }, compute: { twice } }).implement({
      a: fn,
    });

  it("maps the agent's own names to the topology's", () => {
    const declared = declare();
    expect(declared.problems("agents.x", names)).toEqual([]);
    const definition = definitionOf(declared);
    expect([...definition.stores]).toEqual([["accounts", "ledger"]]);
    expect([...definition.compute]).toEqual([["twice", "double"]]);
    expect(definition.entry.name).toBe("a");
    expect(definition).toMatchObject({ maxRetries: 2, retryBackoffMs: 0 });
  });

  it("takes the bounds of what it can be told about retries, which are no structure", () => {
    const shape = { ...sound, entry: "a" } as const;
    const told = agent({ ...shape, maxRetries: 100, retryBackoffMs: 3_600_000 });
    const none = agent({ ...shape, maxRetries: 0, retryBackoffMs: 0 });
    const [one, other] = [told, none].map((builder) => builder.implement({ a: fn }));
    expect(one?.problems("agents.x", names)).toEqual([]);
    expect(other?.problems("agents.x", names)).toEqual([]);
    expect(one?.shape(names)).toEqual(other?.shape(names));
  });

  it("may be declared again under the same names, not under others", () => {
    const declared = declare();
    expect(declared.problems("agents.x", names)).toEqual([]);
    expect(declared.problems("agents.y", names)).toEqual([]);
    const others = { ...names, storeName: () => "other" };
    expect(declared.problems("agents.x", others)).toMatchObject([
      { code: "NAMES_DIFFER", path: "agents.x", valid: ["ledger", "double"] },
    ]);
  });

  it("is an invariant that topology() has found it sound", () => {
    expect(() => definitionOf(declare())).toThrow(/found to be sound/);
  });
});

describe("definition — shape", () => {
  const shapeOf = (nodes: object, functions: object): unknown => {
    // cast: the types of its nodes do not matter here
    const shape = { ...sound, nodes } as unknown as typeof sound;
    // cast: as above
    const implementations = functions as { a: typeof fn };
    return agent({ ...shape, entry: "a" })
      .implement(implementations)
      .shape(names);
  };
  const a = node({ input: type<string>(), to: ["b", "c"] });
  const functions = { a: fn, b: fn, c: fn };

  it("is equal for equal structure, whatever the order of its parts", () => {
    const one = shapeOf({ a, b: plain, c: plain }, functions);
    const swapped = node({ input: type<string>(), to: ["c", "b"] });
    expect(shapeOf({ c: plain, b: plain, a: swapped }, functions)).toEqual(one);
    expect(JSON.parse(JSON.stringify(one))).toEqual(one);
  });

  it("differs with an edge, a key, a node or an entry", () => {
    const shapes = [
      { a, b: plain, c: plain },
      { a, b: node({ input: type<string>(), to: ["a"] }), c: plain },
      { a, b: node({ input: type<string>(), key: (m) => m }), c: plain },
      { a, b: plain, c: plain, d: plain },
    ].map((nodes) => JSON.stringify(shapeOf(nodes, { ...functions, d: fn })));
    expect(new Set(shapes).size).toBe(4);
  });
});
