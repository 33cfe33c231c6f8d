// Type tests of stores, topologies and launched ones: what is inferred, and what is refused while
// it is typed. The refusals fail the type check when one of them compiles after all.

import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  type AgentClient,
  agent,
  bigint,
  boolean,
  bytes,
  integer,
  type KeyValueStore,
  keyValueStore,
  launch,
  node,
  type Runtime,
  reply,
  string,
  topology,
  tuple,
  type,
  uuid,
} from "../../index.js";

type Transfer = { from: string; to: string; cents: number };
type Receipt = { ok: true; payeeCents: number } | { ok: false; reason: string };

const balances = keyValueStore({
  key: string,
  value: type<number>(),
  updates: {
    deposit: (cents = 0, amount: number) => cents + amount,
    withdraw: (cents = 0, amount: number) =>
      cents < amount ? reply(cents, false) : reply(cents - amount, true),
    close: () => undefined,
  },
});
const pairs = keyValueStore({ key: tuple(string, integer), value: type<{ a: number }>() });
const people = keyValueStore({ key: uuid, value: z.object({ name: z.string() }) });
const transfer = agent({
  stores: { balances, pairs },
  entry: "debit",
  result: type<Receipt>(),
  nodes: {
    debit: node({ input: type<Transfer>(), to: ["credit"], key: (m) => m.from }),
    credit: node({ input: type<Transfer>() }),
  },
}).implement({
  debit: (ctx, t) => ctx.emit("credit", t),
  credit: (ctx) => ctx.result({ ok: true, payeeCents: 0 }),
});
const embed = (text: string, size: number): Promise<number[]> =>
  Promise.resolve(Array.from(text.slice(0, size), Number));
const bank = topology("bank", import.meta.url, {
  stores: { balances, pairs, people },
  agents: { transfer },
  compute: { embed },
});
type Bank = Runtime<(typeof bank)["parts"]>;

/** Never called: what is in it is only typed. */
function typed(uses: (runtime: Bank) => unknown): void {
  expect(uses).toBeTypeOf("function");
}

describe("launch types — inference", () => {
  it("launch gives a runtime of the topology's parts", () => {
    typed(async () => {
      const runtime = await launch(bank, { directory: "./data", tasks: 4 });
      expectTypeOf(runtime).toEqualTypeOf<Bank>();
      await using disposable = runtime;
      expectTypeOf(disposable.close()).resolves.toEqualTypeOf<void>();
    });
  });

  it("a store's client has its keys, values, arguments and replies", () => {
    typed(async (runtime) => {
      const store = runtime.store("balances");
      expectTypeOf(await store.get("a")).toEqualTypeOf<number | undefined>();
      expectTypeOf(await store.get("a", 0)).toEqualTypeOf<number>();
      expectTypeOf(await store.getMany(["a"])).toEqualTypeOf<(number | undefined)[]>();
      expectTypeOf(await store.update("deposit", "a", 1)).toEqualTypeOf<number>();
      expectTypeOf(await store.update("withdraw", "a", 1)).toEqualTypeOf<boolean>();
      expectTypeOf(await store.update("close", "a")).toEqualTypeOf<undefined>();
      expectTypeOf(await store.modify("a", (n) => n)).toEqualTypeOf<number | undefined>();
      expectTypeOf(await store.delete("a")).toEqualTypeOf<boolean>();
      for await (const entry of store.entries({ prefix: "a", limit: 1 })) {
        expectTypeOf(entry).toEqualTypeOf<readonly [string, number]>();
      }
      await runtime.store("pairs").put(["a", 1], { a: 1 });
      for await (const [key] of runtime.store("pairs").entries({ prefix: ["a"] })) {
        expectTypeOf(key).toExtend<readonly [string, number]>();
      }
      expectTypeOf(await runtime.store("people").get("id")).toEqualTypeOf<
        { name: string } | undefined
      >();
    });
  });

  it("an agent's client takes the entry's message and gives the result", () => {
    typed(async (runtime) => {
      expectTypeOf(runtime.agent("transfer")).toEqualTypeOf<AgentClient<Transfer, Receipt>>();
      const receipt = await runtime.agent("transfer").invoke({ from: "a", to: "b", cents: 3 });
      expectTypeOf(receipt).toEqualTypeOf<Receipt>();
    });
  });

  it("compute takes the function's arguments and gives what it resolves with", () => {
    typed(async (runtime) => {
      expectTypeOf(await runtime.compute("embed", ["a", 3])).toEqualTypeOf<number[]>();
      await runtime.compute("embed", ["a", 3], { timeoutMs: 5 });
    });
  });

  it("every codec has the type of its keys", () => {
    const stores = {
      s: keyValueStore({ key: string, value: type<null>() }),
      i: keyValueStore({ key: integer, value: type<null>() }),
      b: keyValueStore({ key: bigint, value: type<null>() }),
      y: keyValueStore({ key: bytes, value: type<null>() }),
      o: keyValueStore({ key: boolean, value: type<null>() }),
    };
    type Keys = Runtime<{ stores: typeof stores }>;
    const keyOf = (runtime: Keys) => ({
      s: runtime.store("s").get,
      i: runtime.store("i").get,
      b: runtime.store("b").get,
      y: runtime.store("y").get,
      o: runtime.store("o").get,
    });
    type Of<N extends keyof ReturnType<typeof keyOf>> = Parameters<ReturnType<typeof keyOf>[N]>[0];
    expectTypeOf<Of<"s">>().toEqualTypeOf<string>();
    expectTypeOf<Of<"i">>().toEqualTypeOf<number>();
    expectTypeOf<Of<"b">>().toEqualTypeOf<bigint>();
    expectTypeOf<Of<"y">>().toEqualTypeOf<Uint8Array>();
    expectTypeOf<Of<"o">>().toEqualTypeOf<boolean>();
    expect(Object.keys(stores)).toHaveLength(5);
  });

  it("a topology without agents and functions has none", () => {
    const plain = topology("plain", import.meta.url, { stores: { balances } });
    const uses = (runtime: Runtime<(typeof plain)["parts"]>): unknown => {
      // @ts-expect-error: there are no agents
      runtime.agent("transfer");
      // @ts-expect-error: nor functions
      return runtime.compute("embed", []);
    };
    expect(uses).toBeTypeOf("function");
  });
});

describe("launch types — refusals", () => {
  it("refuses names that the topology does not declare", () => {
    typed((runtime) => {
      // @ts-expect-error: there is no such agent
      runtime.agent("nope");
      // @ts-expect-error: there is no such store
      runtime.store("accounts");
      // @ts-expect-error: an agent is no store
      runtime.store("transfer");
      // @ts-expect-error: there is no such function
      void runtime.compute("digest", []);
    });
  });

  it("refuses keys, values, arguments and names of updates of another type", () => {
    typed(async (runtime) => {
      const store = runtime.store("balances");
      // @ts-expect-error: an amount is a number
      await store.update("deposit", "alice", "10");
      // @ts-expect-error: an amount is missing
      await store.update("deposit", "alice");
      // @ts-expect-error: there is no such update
      await store.update("double", "alice");
      // @ts-expect-error: keys are texts
      await store.get(1);
      // @ts-expect-error: values are numbers
      await store.put("alice", "rich");
      // @ts-expect-error: undefined is no value
      await store.put("alice", undefined);
      // @ts-expect-error: a fallback is a value
      await store.get("alice", "none");
      // @ts-expect-error: the second part is a number
      await runtime.store("pairs").put(["a", "b"], { a: 1 });
      // @ts-expect-error: a new value is a number
      await store.modify("alice", () => "rich");
      // @ts-expect-error: there is no such option
      store.entries({ start: "a" });
    });
  });

  it("lists dead letters, whose messages are of any type, and takes no other options", () => {
    typed(async (runtime) => {
      for await (const letter of runtime.deadLetters.list({ agent: "transfer", limit: 10 })) {
        expectTypeOf(letter.message).toEqualTypeOf<unknown>();
        expectTypeOf(letter.attempts).toEqualTypeOf<number>();
        await runtime.deadLetters.replay(letter.id);
      }
      // @ts-expect-error: there is no such option
      runtime.deadLetters.list({ node: "debit" });
      // @ts-expect-error: an id is a text
      await runtime.deadLetters.discard(1);
    });
  });

  it("refuses messages and arguments of another type", () => {
    typed(async (runtime) => {
      // @ts-expect-error: the message has no cents
      await runtime.agent("transfer").invoke({ from: "a", to: "b" });
      // @ts-expect-error: the size is a number
      await runtime.compute("embed", ["a", "b"]);
      // @ts-expect-error: the size is missing
      await runtime.compute("embed", ["a"]);
    });
  });

  it("refuses options that launch does not have, and values that they cannot have", () => {
    typed(() => [
      // @ts-expect-error: there has to be a directory
      () => launch(bank, { tasks: 4 }),
      // @ts-expect-error: there is no such option
      () => launch(bank, { directory: "d", task: 4 }),
      // @ts-expect-error: none of the modes
      () => launch(bank, { directory: "d", durability: "eventual" }),
      // @ts-expect-error: no topology
      () => launch({ name: "bank" }, { directory: "d" }),
    ]);
  });

  it("refuses updates that cannot be updates of the value, and parts that are none", () => {
    const declarations = () => [
      // @ts-expect-error: the value is a number
      keyValueStore({ key: string, value: type<number>(), updates: { set: () => "text" } }),
      // @ts-expect-error: the current value is a number
      keyValueStore({ key: string, value: type<number>(), updates: { set: (_n: string) => 1 } }),
      // @ts-expect-error: an update is a function
      keyValueStore({ key: string, value: type<number>(), updates: { set: 1 } }),
      // @ts-expect-error: a store has a key
      keyValueStore({ value: type<number>() }),
      // @ts-expect-error: an agent is declared by agent()
      topology("t", import.meta.url, { agents: { a: {} } }),
      // @ts-expect-error: a function is one
      topology("t", import.meta.url, { compute: { f: 1 } }),
    ];
    expect(declarations).toBeTypeOf("function");
  });

  it("a client of other updates is no client of these", () => {
    type Client = ReturnType<Bank["store"]>;
    expectTypeOf<Client>().not.toEqualTypeOf<KeyValueStore<string, number, Record<never, never>>>();
  });
});
