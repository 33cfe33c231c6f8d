// What the types of calls with an id, and of what a node may repeat, infer and refuse.

import { describe, expect, expectTypeOf, it } from "vitest";
import {
  type AgentClient,
  agent,
  type InvokeOptions,
  type KeyValueStore,
  keyValueStore,
  node,
  string,
  type,
} from "../../index.js";

const updates = { add: (count: number | undefined, by: number) => (count ?? 0) + by };
type Counters = KeyValueStore<string, number, typeof updates>;

/** Types only: nothing here runs. */
function typesOnly<T>(): T {
  throw new Error("types only");
}

describe("types — calls with an id", () => {
  it("take the arguments of the same calls without one, and reply alike", () => {
    const once = (): ReturnType<Counters["once"]> => typesOnly<Counters>().once("id");
    type Once = ReturnType<typeof once>;
    expectTypeOf<Once["put"]>().toEqualTypeOf<Counters["put"]>();
    expectTypeOf<Once["delete"]>().toEqualTypeOf<Counters["delete"]>();
    const calls = () => [
      once().update("add", "key", 1),
      // @ts-expect-error an update that the store does not declare
      once().update("sub", "key", 1),
      // @ts-expect-error an argument of another type
      once().update("add", "key", "1"),
      // @ts-expect-error what takes several requests cannot be named by one id
      once().modify("key", () => 1),
      // @ts-expect-error reads need no id
      once().get("key"),
    ];
    expect(calls).toThrow("types only");
  });

  it("are options of invoke and initiate alone", () => {
    type Client = AgentClient<string, number>;
    expectTypeOf<Client["invoke"]>().parameter(1).toEqualTypeOf<InvokeOptions | undefined>();
    expectTypeOf<InvokeOptions["id"]>().toEqualTypeOf<string | undefined>();
    const result = (client: Client) =>
      // @ts-expect-error an invocation that has begun needs no id
      client.get("x").result({ id: "id" });
    expectTypeOf(result).returns.resolves.toEqualTypeOf<number>();
  });
});

describe("types — what a node records", () => {
  it("has the type of what the function returns", () => {
    const counters = keyValueStore({ key: string, value: type<number>(), updates });
    const declared = agent({
      stores: { counters },
      entry: "a",
      result: type<number>(),
      nodes: { a: node({ input: type<string>() }) },
    }).implement({
      async a(ctx) {
        expectTypeOf(ctx.run("name", () => 1)).resolves.toEqualTypeOf<number>();
        expectTypeOf(ctx.run("name", async () => "x")).resolves.toEqualTypeOf<string>();
        expectTypeOf(ctx.idempotencyKey).toEqualTypeOf<string>();
        ctx.result(await ctx.run("name", () => 1));
      },
    });
    expect(declared.kind).toBe("agent");
  });
});
