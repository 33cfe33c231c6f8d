// Bugs here would look like a refused update that changed something, or a reply that a later update
// has changed.
import { describe, expect, it } from "vitest";
import { PartitaError } from "../../../base/errors.js";
import { operation } from "../../../runtime/lane-encoding.js";
import { reply } from "../../../store/declaration.js";
import { answer, put, replace, request, TaskBench } from "../../support/task-bench.js";

const updates = {
  add: (count: unknown, by: number) => (typeof count === "number" ? count : 0) + by,
  push: (list: unknown, value: unknown) => {
    const values = Array.isArray(list) ? list : [];
    // In place: the task hands out its own decoded object.
    values.push(value);
    return values;
  },
  pushAndThrow: (list: unknown) => {
    if (Array.isArray(list)) list.push("never");
    throw new RangeError("no more");
  },
  remove: () => undefined,
  take: (list: unknown) => reply(undefined, list),
  keep: (current: unknown, answered: unknown) => reply(current, answered),
  count: (_current: unknown, ...args: unknown[]) => args.length,
  give: (_current: unknown, kind: string) => reply(hostile(kind), "ok"),
  answer: (_current: unknown, kind: string) => reply("new", hostile(kind)),
  trap: () => new Proxy({}, { has: () => fail("a trap") }),
};

function fail(message: string): never {
  throw new Error(message);
}

function hostile(kind: string): unknown {
  if (kind === "function") return () => 1;
  if (kind === "symbol") return Symbol("s");
  if (kind === "surrogate") return "\ud800";
  if (kind === "promise") return Promise.resolve(1);
  if (kind === "getter")
    return {
      get a() {
        return fail("a getter");
      },
    };
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  return cycle;
}

describe("store operations — what they do", () => {
  it("put, get, delete and update see each other within one batch", () => {
    const bench = new TaskBench({ updates });
    bench.ask(
      request(operation.get, "a"),
      put("a", 1),
      bench.update("add", "a", 2),
      request(operation.delete, "a"),
      request(operation.delete, "a"),
      bench.update("add", "a", 5),
    );
    const replies = bench.run();
    expect(replies.map((each) => ("value" in each ? each.value : each.error))).toEqual([
      undefined,
      new Uint8Array(0),
      expect.anything(),
      Uint8Array.of(1),
      Uint8Array.of(0),
      expect.anything(),
    ]);
    expect([answer(replies[2]), answer(replies[5]), bench.stored("a")]).toEqual([3, 5, 5]);
    expect(bench.task.stats()).toMatchObject({ batches: 1, messages: 6, refused: 0 });
  });

  it("an update that returns undefined deletes the key, and answers undefined", () => {
    const bench = new TaskBench({ updates });
    bench.ask(put("a", [1]), bench.update("remove", "a"), put("b", [2]), bench.update("take", "b"));
    const replies = bench.run();
    expect([answer(replies[1]), answer(replies[3])]).toEqual([undefined, [2]]);
    expect([bench.stored("a"), bench.stored("b")]).toEqual([undefined, undefined]);
  });

  it("an update gets as many arguments as its caller gave, undefined ones too", () => {
    const bench = new TaskBench({ updates });
    const many = Array.from({ length: 300 }, (_, index) => (index % 2 === 0 ? undefined : index));
    bench.ask(bench.update("count", "a"), bench.update("count", "a", ...many));
    expect(bench.run().map(answer)).toEqual([0, 300]);
  });

  it("replace applies for the version that was read, and for no other", () => {
    const bench = new TaskBench({ updates });
    bench.ask(replace("a", 0, "first"), replace("a", 0, "second"));
    expect(bench.run().map((each) => ("value" in each ? each.value : each))).toEqual([
      Uint8Array.of(1),
      Uint8Array.of(0),
    ]);
    const version = bench.row("a")?.version ?? 0;
    bench.ask(replace("a", version, undefined), replace("a", version, "late"));
    bench.ask(replace("a", 0, "after the delete"));
    expect(bench.run().map((each) => ("value" in each ? each.value : each))).toEqual([
      Uint8Array.of(1),
      Uint8Array.of(0),
      Uint8Array.of(1),
    ]);
    expect(bench.stored("a")).toBe("after the delete");
  });

  it("clear hides what came before it and nothing that comes after", () => {
    const bench = new TaskBench({ updates });
    bench.ask(put("a", 1), put("b", 1));
    bench.run();
    bench.ask(put("c", 1), request(operation.clear, ""), bench.update("add", "a", 7), put("d", 4));
    bench.run();
    expect(["a", "b", "c", "d"].map((key) => bench.stored(key))).toEqual([
      7,
      undefined,
      undefined,
      4,
    ]);
  });
});

describe("store operations — refusals change nothing (U1)", () => {
  it("an update that throws leaves the value as it was, even one it changed in place", () => {
    const bench = new TaskBench({ updates });
    bench.ask(
      put("a", ["kept"]),
      bench.update("pushAndThrow", "a"),
      bench.update("push", "a", "b"),
    );
    const [, thrown, last] = bench.run();
    const error = thrown !== undefined && "error" in thrown ? thrown.error : undefined;
    expect(PartitaError.is(error, "UPDATE_THREW")).toBe(true);
    expect(error?.cause).toMatchObject({ name: "RangeError", message: "no more" });
    expect(answer(last)).toEqual(["kept", "b"]);
  });

  for (const kind of ["function", "symbol", "surrogate", "promise", "getter", "cycle"]) {
    for (const name of ["give", "answer"] as const) {
      const part = name === "give" ? "value" : "reply";
      it(`an update with a ${kind} as its ${part} is refused`, () => {
        const bench = new TaskBench({ updates });
        bench.ask(put("a", "kept"));
        bench.run();
        const { version } = bench.row("a") ?? { version: 0 };
        bench.ask(bench.update(name, "a", kind), put("b", 1));
        const [refused, next] = bench.run();
        expect(refused).toMatchObject({ error: { name: "PartitaError" } });
        expect(next).toEqual({ value: new Uint8Array(0) });
        expect([bench.stored("a"), bench.row("a")?.version]).toEqual(["kept", version]);
        expect(bench.task.stats().refused).toBe(1);
      });
    }
  }

  it("an update that throws what only damage is called ends nothing but its call", () => {
    const damage = new PartitaError("STORE_CORRUPT", { taskId: 0, reason: "says the update" });
    const bench = new TaskBench({
      updates: {
        pretend: () => {
          throw damage;
        },
      },
    });
    bench.ask(bench.update("pretend", "a"), put("b", 1));
    const [refused, next] = bench.run();
    expect(refused).toMatchObject({ error: { code: "UPDATE_THREW", cause: { cause: {} } } });
    expect(next).toEqual({ value: new Uint8Array(0) });
  });

  it("an outcome that throws while it is looked at counts as thrown by the update", () => {
    const bench = new TaskBench({ updates });
    bench.ask(bench.update("trap", "a"), put("b", 1));
    const [refused, next] = bench.run();
    expect(refused).toMatchObject({ error: { code: "UPDATE_THREW" } });
    expect(next).toEqual({ value: new Uint8Array(0) });
  });

  it("a value that the arena could not hold is refused, whoever makes it", () => {
    const bench = new TaskBench({ updates, valueBytesMax: 100 });
    const large = "x".repeat(150);
    bench.ask(put("a", large), bench.update("push", "a", large), replace("a", 0, large));
    for (const each of bench.run()) {
      expect(each).toMatchObject({ error: { code: "VALUE_TOO_LARGE" } });
    }
    expect(bench.stored("a")).toBe(undefined);
    expect(bench.storage.batchLast).toBe(0);
  });
});

describe("store operations — replies (U2)", () => {
  it("a reply stays what it was when later updates change the value in place", () => {
    const bench = new TaskBench({ updates });
    bench.ask(...["x", "y", "z"].map((value) => bench.update("push", "a", value)));
    expect(bench.run().map(answer)).toEqual([["x"], ["x", "y"], ["x", "y", "z"]]);
    expect(bench.stored("a")).toEqual(["x", "y", "z"]);
  });

  it("a reply that is an object the value holds as well is not changed either", () => {
    const bench = new TaskBench({ updates });
    bench.ask(
      bench.update("push", "a", 1),
      bench.update("keep", "a", { given: true }),
      bench.update("push", "a", 2),
    );
    expect(bench.run().map(answer)).toEqual([[1], { given: true }, [1, 2]]);
  });
});
