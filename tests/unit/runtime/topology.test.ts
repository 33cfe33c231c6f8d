// Bugs here would look like a topology that is refused one problem at a time, or accepted and then
// different in another thread.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { object } from "../../../agents/declare/object.js";
import { PartitaError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { assignTables, plannedStores, shapeHash } from "../../../runtime/compile.js";
import { tasksOf, threadOf } from "../../../runtime/plan.js";
import type { TopologyProblem } from "../../../runtime/task-program.js";
import { isTopology, storesOf, topology } from "../../../runtime/topology.js";
import { importTopology } from "../../../runtime/topology-module.js";
import { keyValueStore } from "../../../store/declaration.js";
import { integer, string } from "../../../store/key.js";
import { type } from "../../../store/schema.js";
import { planOf } from "../../support/host-cluster.js";

const here = import.meta.url;
const store = () => keyValueStore({ key: string, value: type<number>() });
const greet = (stores = {}) =>
  agent({
    stores,
    entry: "a",
    result: type<string>(),
    nodes: { a: node({ input: type<string>() }) },
  }).implement({ a: (ctx, name) => ctx.result(name) });

/** The problems of a topology that must have some. Hostile parts are what is tested: no types. */
function problemsOf(name: unknown, module: unknown, parts: unknown): readonly TopologyProblem[] {
  try {
    Reflect.apply(topology, undefined, [name, module, parts]);
  } catch (error) {
    if (PartitaError.is(error, "TOPOLOGY_INVALID")) return error.details.problems;
    throw error;
  }
  throw new Error("the topology was accepted");
}

const codeAndPath = ({ code, path }: TopologyProblem): string => `${code} at ${path}`;

describe("topology — problems", () => {
  it("reports all problems at once, each with its path and what would be valid", () => {
    const shared = store();
    const undeclared = store();
    const problems = problemsOf("9 lives", "not a URL", {
      stores: { "a b": store(), one: shared, two: shared, three: { key: string } },
      compute: { "c-d": "no function", ok: () => 1 },
      agents: { lost: greet({ undeclared }), wrong: { kind: "robot" } },
      tables: {},
    });
    expect(problems.map(codeAndPath)).toEqual([
      "NAME_INVALID at name",
      "MODULE_INVALID at module",
      "PART_UNKNOWN at tables",
      "NAME_INVALID at stores.a b",
      "STORE_INVALID at stores.three",
      "STORE_DUPLICATE at stores.two",
      "COMPUTE_INVALID at compute.c-d",
      expect.stringContaining("at agents.lost"),
      "AGENT_INVALID at agents.wrong",
    ]);
    for (const { message, valid } of problems) {
      expect(message).not.toBe("");
      expect(valid).not.toEqual([]);
    }
    expect(problems.find(({ path }) => path === "tables")?.valid).toEqual([
      "stores",
      "agents",
      "compute",
      "objects",
    ]);
  });

  it("refuses one declaration under two names: a reference to it could mean either", () => {
    const one = { stores: store(), agents: greet(), objects: object(1) };
    const problems = problemsOf("t", here, {
      stores: { a: one.stores, b: one.stores },
      agents: { c: one.agents, d: one.agents },
      objects: { e: one.objects, f: one.objects },
    });
    expect(problems.map(codeAndPath)).toEqual([
      "STORE_DUPLICATE at stores.b",
      "AGENT_DUPLICATE at agents.d",
      "OBJECT_DUPLICATE at objects.f",
    ]);
    expect(problems[1]?.message).toBe('"d" is the declaration of "c": references are ambiguous');
  });

  it("refuses an empty name of a store, an agent and an object, and what is no object", () => {
    const problems = problemsOf("t", here, {
      stores: { "": store() },
      agents: { "": greet() },
      objects: { "": object(1), model: {} },
    });
    expect(problems.map(codeAndPath)).toEqual([
      "NAME_INVALID at stores.",
      "NAME_INVALID at agents.",
      "NAME_INVALID at objects.",
      "OBJECT_INVALID at objects.model",
    ]);
  });

  it("says all of them in its message", () => {
    const refused = () => topology("1", "", { stores: {}, compute: {} });
    expect(refused).toThrow('topology "1" has 2 problem(s)');
    expect(refused).toThrow("NAME_INVALID");
    expect(refused).toThrow("MODULE_INVALID");
  });

  for (const part of ["stores", "agents", "compute", "objects"]) {
    for (const value of [null, 5, "text", true, () => 1]) {
      it(`refuses ${String(value)} as ${part}`, () => {
        const problems = problemsOf("t", here, { [part]: value });
        expect(problems.map(codeAndPath)).toEqual([`PART_INVALID at ${part}`]);
      });
    }
  }

  it("refuses parts that are none, and names that are no texts", () => {
    expect(problemsOf("t", here, null).map(codeAndPath)).toEqual(["PARTS_INVALID at parts"]);
    const nameless: unknown[] = [undefined, null, 5, Symbol("s"), Object.create(null), "", "a/b"];
    for (const name of nameless) {
      expect(problemsOf(name, here, {}).map(codeAndPath)).toEqual(["NAME_INVALID at name"]);
    }
  });

  it("refuses more stores than tables", () => {
    const stores = Array.from({ length: limits.storesMax + 1 }, (_, n) => [`s${n}`, store()]);
    expect(problemsOf("t", here, { stores: Object.fromEntries(stores) })).toMatchObject([
      { code: "STORES_TOO_MANY", path: "stores", valid: [`at most ${limits.storesMax}`] },
    ]);
  });
});

describe("topology — a sound one", () => {
  it("is frozen, and keeps its declarations by name", () => {
    const one = store();
    const declared = topology("sound", here, { stores: { one } });
    expect(Object.isFrozen(declared) && Object.isFrozen(declared.parts)).toBe(true);
    expect([...storesOf(declared)]).toEqual([["one", one]]);
    expect([
      isTopology(declared),
      isTopology(declared, "sound"),
      isTopology(declared, "x"),
    ]).toEqual([true, true, false]);
    for (const other of [null, undefined, 1, {}, { kind: "topology" }]) {
      expect(isTopology(other)).toBe(false);
    }
  });

  it("is found among the exports of its module, or its module is refused", async () => {
    const module = "data:text/javascript,export const answer = 42;";
    await expect(importTopology(module, "sound")).rejects.toMatchObject({
      code: "MODULE_INVALID",
      details: { topology: "sound", reason: expect.stringContaining("it exports answer") },
    });
    await expect(importTopology("file:///nowhere/at/all.js", "sound")).rejects.toMatchObject({
      code: "MODULE_INVALID",
    });
  });
});

describe("compile — the shape (J1)", () => {
  const parts = () => ({ stores: { a: store(), b: store() }, agents: { greet: greet() } });

  it("has the same hash wherever it is declared, in whatever order", () => {
    const { a, b } = parts().stores;
    const one = topology("t", here, parts());
    const other = topology("t", "file:///elsewhere.js", {
      agents: { greet: greet() },
      stores: { b, a },
    });
    expect(shapeHash(other)).toBe(shapeHash(one));
  });

  it("has another hash for another name, key, update, store, agent or function", () => {
    const base = parts();
    const byInteger = keyValueStore({ key: integer, value: type<number>() });
    const updates = { add: (n = 0, by: number) => n + by };
    const variants = [
      topology("t", here, base),
      topology("u", here, base),
      topology("t", here, { ...base, stores: { ...base.stores, c: store() } }),
      topology("t", here, { ...base, stores: { ...base.stores, a: byInteger } }),
      topology("t", here, {
        ...base,
        stores: {
          ...base.stores,
          a: keyValueStore({ key: string, value: type<number>(), updates }),
        },
      }),
      topology("t", here, { stores: base.stores }),
      topology("t", here, { ...base, compute: { f: () => 1 } }),
    ];
    expect(new Set(variants.map(shapeHash)).size).toBe(variants.length);
  });

  it("refuses a module whose topology has a store that the plan does not", () => {
    const planned = planOf(topology("t", here, { stores: { a: store() } }), 2, 0);
    const other = topology("t", here, { stores: { a: store(), late: store() } });
    const refused = expect.objectContaining({
      code: "MODULE_INVALID",
      details: expect.objectContaining({ reason: expect.stringContaining('"late"') }),
    });
    expect(() => plannedStores(other, planned)).toThrow(refused);
  });
});

describe("compile — tables (J2)", () => {
  const withStores = (...names: readonly string[]) =>
    topology("t", here, { stores: Object.fromEntries(names.map((name) => [name, store()])) });

  it("gives every store a table of its own, by name", () => {
    const tables = assignTables(withStores("b", "a", "c"), {});
    expect(Object.entries(tables).map(([name, { table }]) => [name, table])).toEqual([
      ["a", limits.tableStoreFirst],
      ["b", limits.tableStoreFirst + 1],
      ["c", limits.tableStoreFirst + 2],
    ]);
  });

  it("keeps a store's table and never gives it to another, not even when the store is gone", () => {
    const first = assignTables(withStores("a", "b"), {});
    const without = assignTables(withStores("b", "c"), first);
    const again = assignTables(withStores("a", "b", "c", "d"), without);
    expect(again).toMatchObject({ ...first, ...without });
    const numbers = Object.values(again).map(({ table }) => table);
    expect(new Set(numbers).size).toBe(4);
  });
});

describe("plan — tasks on threads", () => {
  it("gives every task one thread, all threads a task, and inline all tasks to thread 0", () => {
    const declared = topology("t", here, { stores: { a: store() } });
    for (const [tasks, threads] of [
      [1, 1],
      [5, 2],
      [8, 8],
      [7, 3],
    ] as const) {
      const plan = planOf(declared, tasks, threads);
      const hosted = Array.from({ length: threads }, (_, index) => tasksOf(plan, index + 1));
      expect(hosted.flat().sort((a, b) => a - b)).toEqual(
        Array.from({ length: tasks }, (_, t) => t),
      );
      expect(hosted.every((each) => each.length > 0)).toBe(true);
      for (const [index, each] of hosted.entries()) {
        for (const task of each) expect(threadOf(plan, task)).toBe(index + 1);
      }
    }
    expect(tasksOf(planOf(declared, 3, 0), 0)).toEqual([0, 1, 2]);
  });
});
