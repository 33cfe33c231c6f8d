// The sketch of the public API that the declarations were made after: every inference it shows, and
// every refusal. Nothing here runs but the declarations.

import { describe, expect, expectTypeOf, it } from "vitest";
import {
  agent,
  agentRef,
  gather,
  integer,
  keyValueStore,
  launch,
  list,
  node,
  reply,
  scatter,
  string,
  topology,
  tuple,
  type,
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
  },
});
const pairs = keyValueStore({ key: tuple(string, integer), value: type<{ a: number }>() });

const transfer = agent({
  stores: { balances, pairs },
  entry: "debit",
  result: type<Receipt>(),
  nodes: {
    debit: node({ input: type<Transfer>(), to: ["credit"], key: (m) => m.from }),
    credit: node({ input: type<Transfer>() }),
  },
}).implement({
  async debit(ctx, t) {
    const paid = await ctx.stores.balances.update("withdraw", t.from, t.cents);
    const p: boolean = paid;
    await ctx.stores.pairs.put(["a", 1], { a: 1 });
    if (p) ctx.emit("credit", t);
    else ctx.result({ ok: false, reason: "x" });
    // @ts-expect-error: undeclared
    ctx.emit("debit", t);
  },
  async credit(ctx, t) {
    const c = await ctx.stores.balances.update("deposit", t.to, t.cents);
    ctx.result({ ok: true, payeeCents: c ?? 0 });
    // @ts-expect-error: no targets
    ctx.emit("credit", t);
  },
});

const fib = agent({
  entry: "n",
  result: type<number>(),
  nodes: { n: node({ input: type<number>() }) },
}).implement({ n: (ctx, n) => ctx.result(n) });

const words = agent({
  entry: "split",
  result: type<number>(),
  agents: { transfer, fib: agentRef<number, number>("fib") },
  nodes: {
    split: scatter({ input: type<string[]>(), to: ["count"], carry: type<number>() }),
    count: node({ input: type<string>(), to: ["total"] }),
    total: gather({ collect: list(type<number>()), carry: type<number>() }),
  },
}).implement({
  split(ctx, docs) {
    for (const d of docs) ctx.emit("count", d);
    return docs.length;
  },
  async count(ctx, d) {
    const f = await ctx.agents.fib.invoke(3);
    expectTypeOf(f).toEqualTypeOf<number>();
    const receipt = await ctx.agents.transfer.invoke({ from: "a", to: "b", cents: f });
    expectTypeOf(receipt).toEqualTypeOf<Receipt>();
    ctx.emit("total", d.length + f);
  },
  total(ctx, lengths, docs) {
    expectTypeOf(lengths).toEqualTypeOf<number[]>();
    const n: number = docs;
    ctx.result(lengths.reduce((a, b) => a + b, n));
  },
});

const bank = topology("bank", import.meta.url, {
  stores: { balances, pairs },
  agents: { transfer, words, fib },
});

describe("the sketch of the API", () => {
  it("refuses an edge to a node that the agent does not declare", () => {
    const nodes = { a: node({ input: type<string>(), to: ["nowhere"] }) };
    // @ts-expect-error: node "a" emits to "nowhere", which this agent does not declare
    agent({ entry: "a", result: type<number>(), nodes });
    expect(bank.name).toBe("bank");
  });

  it("types clients by the topology's parts", () => {
    const uses = async (): Promise<unknown> => {
      const rt = await launch(bank, { directory: "./data", tasks: 4 });
      const r: Receipt = await rt.agent("transfer").invoke({ from: "a", to: "b", cents: 3 });
      const n: number = await rt.agent("words").invoke(["x"]);
      const b: number | undefined = await rt.store("balances").get("alice");
      const b0: number = await rt.store("balances").get("alice", 0);
      const d = await rt.store("balances").update("deposit", "alice", 1000);
      const ok: boolean = await rt.store("balances").update("withdraw", "alice", 5);
      // @ts-expect-error: an amount is a number
      await rt.store("balances").update("deposit", "alice", "10");
      // @ts-expect-error: there is no such agent
      rt.agent("nope");
      return { r, n, b, b0, d, ok };
    };
    expect(uses).toBeTypeOf("function");
  });
});
