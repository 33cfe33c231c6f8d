// Bad input (S8): whatever a program without types passes in, it gets a typed error or success;
// nothing of what was refused is there afterwards, and the tasks go on. Bugs here would look like a
// TypeError from our own lines, a call that never ends, or a task that dies of one bad message.
import { stat } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PartitaError } from "../../../base/errors.js";
import { InvariantViolation } from "../../../base/invariant.js";
import { keyValueStore, string, topology, type } from "../../../index.js";
import { launch, type Runtime } from "../../../launch.js";
import { inlineCluster } from "../../support/inline-cluster.js";
import { check } from "../../support/property.js";
import { tempDirectory } from "../../support/temp-directory.js";

const store = keyValueStore({
  key: string,
  value: type<unknown>(),
  updates: { set: (_current, value: unknown) => value },
});
const declared = topology("bad-input", import.meta.url, {
  stores: { store },
  compute: { same: (value: unknown) => value },
});

const hostileKeys = ["__proto__", "constructor", "toString", "toJSON", "then", "length", "signal"];
const oddities: readonly unknown[] = [
  undefined,
  null,
  Number.NaN,
  -0,
  "",
  "\ud800",
  "\0",
  "x".repeat(2_000),
  Symbol("s"),
  () => 1,
  class {},
  Promise.resolve(1),
  new Proxy([], {}),
  Object.create(null),
  new Error("e"),
  /r/g,
  new WeakMap(),
  "k",
];
const anything = fc.oneof(
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withObjectString: true,
    withTypedArray: true,
    withSparseArray: true,
    withUnicodeString: true,
    maxDepth: 3,
    key: fc.oneof(fc.constantFrom(...hostileKeys), fc.string({ maxLength: 3 })),
  }),
  fc.constantFrom(...oddities),
);

type Call = (runtime: Runtime<(typeof declared)["parts"]>, value: unknown) => unknown;

/** Calls a method with whatever arguments. */
function called(target: object, method: string, ...args: readonly unknown[]): unknown {
  const found: unknown = Reflect.get(target, method);
  if (typeof found !== "function") throw new Error(`there is no method ${method}`);
  return Reflect.apply(found, target, args);
}

async function iterated(entries: unknown): Promise<void> {
  // cast: `entries` returns an iterable, whatever it was given
  for await (const entry of entries as AsyncIterable<unknown>) void entry;
}

/** Each may change the key "k" to a value, or leave all as it is. */
const calls: Readonly<Record<string, Call>> = {
  "get of a key": (runtime, value) => called(runtime.store("store"), "get", value),
  "get with a fallback": (runtime, value) => called(runtime.store("store"), "get", "k", value),
  "contains of a key": (runtime, value) => called(runtime.store("store"), "contains", value),
  "getMany of keys": (runtime, value) => called(runtime.store("store"), "getMany", value),
  "getMany of one": (runtime, value) => called(runtime.store("store"), "getMany", [value]),
  "put of a value": (runtime, value) => called(runtime.store("store"), "put", "k", value),
  "put to a key": (runtime, value) => called(runtime.store("store"), "put", value, 1),
  "putMany of entries": (runtime, value) => called(runtime.store("store"), "putMany", value),
  "putMany of one": (runtime, value) => called(runtime.store("store"), "putMany", [value]),
  "putMany of a pair": (runtime, value) =>
    called(runtime.store("store"), "putMany", [
      ["k", 1],
      [value, value],
    ]),
  "delete of a key": (runtime, value) => called(runtime.store("store"), "delete", value),
  "update by name": (runtime, value) => called(runtime.store("store"), "update", value, "k", 1),
  "update of a key": (runtime, value) => called(runtime.store("store"), "update", "set", value, 1),
  "update with a value": (runtime, value) =>
    called(runtime.store("store"), "update", "set", "k", value),
  "modify of a key": (runtime, value) => called(runtime.store("store"), "modify", value, () => 1),
  "modify by what is given": (runtime, value) =>
    called(runtime.store("store"), "modify", "k", typeof value === "function" ? 1 : value),
  "modify to a value": (runtime, value) =>
    called(runtime.store("store"), "modify", "k", () => value),
  "modify with options": (runtime, value) =>
    called(runtime.store("store"), "modify", "k", () => 1, value),
  "entries with options": (runtime, value) =>
    iterated(called(runtime.store("store"), "entries", value)),
  "a store by name": (runtime, value) => called(runtime, "store", value),
  "an agent by name": (runtime, value) => called(runtime, "agent", value),
  "compute by name": (runtime, value) => called(runtime, "compute", value, [1]),
  "compute with arguments": (runtime, value) => called(runtime, "compute", "same", value),
  "compute with a value": (runtime, value) => called(runtime, "compute", "same", [value]),
  "compute with options": (runtime, value) => called(runtime, "compute", "same", [1], value),
  "drain with options": (runtime, value) => called(runtime, "drain", value),
};

for (const option of ["from", "to", "prefix", "limit", "reverse", "signal"]) {
  Object.assign(calls, {
    [`entries with ${option}`]: ((runtime, value) =>
      iterated(called(runtime.store("store"), "entries", { [option]: value }))) satisfies Call,
  });
}

async function settle(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

async function state(runtime: Runtime<(typeof declared)["parts"]>): Promise<unknown[]> {
  const entries: unknown[] = [];
  for await (const entry of runtime.store("store").entries()) entries.push(entry);
  return entries;
}

describe("bad input — a running topology (S8)", () => {
  it("is refused with a typed error and nothing changed, or it is carried", async () => {
    const runtime = await inlineCluster(declared, { tasks: 2, durability: "relaxed" });
    const kept = runtime.store("store");
    await kept.put("k", "kept");
    await kept.put("other", { n: 1 });
    const property = fc.asyncProperty(
      fc.constantFrom(...Object.keys(calls)),
      anything,
      async (name, value) => {
        const call = calls[name];
        if (call === undefined) throw new Error(name);
        const before = await state(runtime);
        const error = await settle(() => call(runtime, value));
        if (error === undefined) return;
        expect(error).not.toBeInstanceOf(InvariantViolation);
        if (!PartitaError.is(error)) {
          throw new Error(`${name} ended in an error that is none of ours`, { cause: error });
        }
        expect(await state(runtime)).toEqual(before);
      },
    );
    await check(property, { runs: 1_500 });
    expect(await kept.update("set", "k", "still there")).toBe("still there");
  });
});

describe("bad input — launch options and topologies (S8)", () => {
  const optionNames = [
    "directory",
    "tasks",
    "threads",
    "durability",
    "syncIntervalMs",
    "arenaBytes",
    "mailbox",
    "onThreadExit",
    "closeTimeoutMs",
    "computeThreads",
    "checkpointThreads",
    "threadHeapBytes",
    "surprise",
  ];

  it("is refused before anything is opened", async () => {
    const directory = `${tempDirectory()}/never-made`;
    const invalid = anything.filter((value) => value !== undefined && typeof value !== "number");
    const property = fc.asyncProperty(
      fc.constantFrom(...optionNames),
      invalid,
      async (option, value) => {
        const valid =
          (option === "directory" && typeof value === "string") ||
          (option === "mailbox" && typeof value === "object");
        if (valid) return;
        const options = { directory, threads: 0, [option]: value };
        const error = await settle(() => Reflect.apply(launch, undefined, [declared, options]));
        expect(error).toSatisfy((thrown) => PartitaError.is(thrown));
        expect(await settle(() => stat(directory))).toMatchObject({ code: "ENOENT" });
      },
    );
    await check(property, { runs: 300 });
  });

  it("refuses what is no topology, and options that are none", async () => {
    const directory = `${tempDirectory()}/never-made`;
    const property = fc.asyncProperty(anything, async (value) => {
      const options = { directory, threads: 0 };
      const error = await settle(() => Reflect.apply(launch, undefined, [value, options]));
      expect(error).toMatchObject({ name: "PartitaError", code: "OPTION_INVALID" });
      const other = await settle(() => Reflect.apply(launch, undefined, [declared, value]));
      expect(other).toSatisfy((thrown) => PartitaError.is(thrown));
    });
    await check(property, { runs: 200 });
  });

  it("reports every problem of a topology made of anything", async () => {
    const part = fc.constantFrom("stores", "agents", "compute", "name", "module", "parts");
    const property = fc.asyncProperty(part, anything, async (where, value) => {
      const parts = where === "parts" ? value : { [where]: { entry: value } };
      const name = where === "name" ? value : "t";
      const module = where === "module" ? value : import.meta.url;
      const error = await settle(() => Reflect.apply(topology, undefined, [name, module, parts]));
      if (error === undefined) return;
      expect(error).toMatchObject({ name: "PartitaError", code: "TOPOLOGY_INVALID" });
    });
    await check(property, { runs: 500 });
  });
});
