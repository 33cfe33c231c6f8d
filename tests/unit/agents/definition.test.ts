// A bug here would look like this: a broken agent that is launched, or a problem whose report does
// not lead to the offender.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { definitionOf } from "../../../agents/declare/definition.js";
import { agentProblems } from "../../../agents/declare/definition-problems.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { accumulate } from "../../../agents/declare/aggregator.js";
import { node } from "../../../agents/declare/node.js";
import { object } from "../../../agents/declare/object.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
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

const declareOther = () => agent({ ...sound, entry: "a" }).implement({ a: fn });

/** What is valid for a switch beside \`true\`. */
const rest = (valid: string): readonly string[] => (valid === "true" ? ["false"] : []);

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
    ["stallThresholdMs", 0, "a whole number from 1 to 86400000"],
    ["stallThresholdMs", 86_400_001, "a whole number from 1 to 86400000"],
    ["version", -1, "a whole number from 0 to 1000000000"],
    ["version", "2", "a whole number from 0 to 1000000000"],
    ["maxInvocationsPerTask", 0, "a whole number from 1 to 1000000"],
    ["maxInvocationsPerTask", 1_000_001, "a whole number from 1 to 1000000"],
  ])("reports %s of %j, with what is allowed", (option, value, valid) => {
    expect(problemsOf({ ...sound, [option]: value })).toMatchObject([
      { code: "OPTION_INVALID", path: `agents.x.${option}`, valid: [valid] },
    ]);
  });

  it("reports an update mode that is none, with those there are", () => {
    expect(problemsOf({ ...sound, updateMode: "stop" })).toMatchObject([
      {
        code: "OPTION_INVALID",
        path: "agents.x.updateMode",
        message: 'updateMode is "stop"',
        valid: ['"continue"', '"restart"', '"drop"'],
      },
    ]);
  });

  it.each([
    ["nodeTimeoutMs", { nodeTimeoutMs: 0 }, "a whole number from 1 to 86400000"],
    ["nodeTimeoutMs", { nodeTimeoutMs: 86_400_001 }, "a whole number from 1 to 86400000"],
    ["reentrant", { key: (text: string) => text, reentrant: 1 }, "true"],
    ["reentrant", { reentrant: true }, "a node with a key"],
  ])("reports %s of a node in %j, with what is allowed", (option, options, valid) => {
    const nodes = { a: looseNode({ input: type<string>(), ...options }) };
    expect(problemsOf({ ...sound, nodes })).toMatchObject([
      {
        code: "OPTION_INVALID",
        path: `agents.x.nodes.a.${option}`,
        valid: [valid, ...rest(valid)],
      },
    ]);
  });

  it("reports options of scatters and gathers that are none, and what is no aggregator", () => {
    // cast: what a JavaScript caller could pass
    const s = scatter({ input: type<string>(), to: ["g"], key: 1, carry: 5 } as never);
    // cast: as above
    const g = gather({ collect: type<number>(), input: type<number>() } as never);
    const nodes = { s, g };
    const functions = { s: fn, g: fn };
    const problems = problemsOf({ ...sound, entry: "s", nodes }, functions);
    expect(problems.map(({ code, path }) => [path, code])).toEqual([
      ["agents.x.nodes.s.key", "OPTION_UNKNOWN"],
      ["agents.x.nodes.s.carry", "SCHEMA_INVALID"],
      ["agents.x.nodes.g.input", "OPTION_UNKNOWN"],
      ["agents.x.nodes.g.collect", "AGGREGATOR_INVALID"],
    ]);
    expect(problems[0]?.valid).toEqual(["input", "to", "carry", "nodeTimeoutMs"]);
    expect(problems[3]?.valid).toContain("list");
    // cast: as above
    const none = gather({ collect: accumulate(5 as never, fn as never) });
    expect(problemsOf({ ...sound, entry: "s", nodes: { s, g: none } }, functions)).toContainEqual({
      code: "OPTION_INVALID",
      path: "agents.x.nodes.g.collect",
      message: "init of accumulate() is 5",
      valid: ["a function"],
    });
  });

  it("reports agents and objects that the topology does not declare, by value or by name", () => {
    const other = declareOther();
    const model = object(1);
    const shape = {
      ...sound,
      agents: { other, fib: agentRef("fib"), self: agentRef("x"), none: 5 },
      objects: { model, lost: object(2) },
    };
    const declared = harnessNames({ agents: { x: {}, y: other }, objects: { m: model } });
    expect(agentProblems({ shape, functions: { a: fn } }, "agents.x", declared)).toEqual([
      {
        code: "REFERENCE_UNDECLARED",
        path: "agents.x.agents.fib",
        message: '"fib" refers to agent "fib", which the topology does not declare',
        valid: ["x", "y"],
      },
      {
        code: "REFERENCE_UNDECLARED",
        path: "agents.x.agents.none",
        message: '"none" is nothing that the topology declares under "agents"',
        valid: ["x", "y"],
      },
      {
        code: "REFERENCE_UNDECLARED",
        path: "agents.x.objects.lost",
        message: '"lost" is nothing that the topology declares under "objects"',
        valid: ["m"],
      },
    ]);
  });

  it("reports a target that is listed twice", () => {
    const nodes = { a: looseNode({ input: type<string>(), to: ["a", "a", "a"] }) };
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
    expect(definition).toMatchObject({
      maxRetries: 2,
      retryBackoffMs: 0,
      stallThresholdMs: 10_000,
      updateMode: "continue",
      version: 0,
      maxInvocationsPerTask: undefined,
    });
  });

  it("takes the bounds of what it can be told about retries, which are no structure", () => {
    const shape = { ...sound, entry: "a" } as const;
    const most = { maxRetries: 100, retryBackoffMs: 3_600_000, stallThresholdMs: 86_400_000 };
    const least = { maxRetries: 0, retryBackoffMs: 0, stallThresholdMs: 1 };
    const told = agent({ ...shape, ...most });
    const none = agent({ ...shape, ...least });
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
