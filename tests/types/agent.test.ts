// Type tests of agents: what is inferred, and what is refused while it is typed. The refusals
// fail the type check when one of them compiles after all; what is beside them runs as well.

import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { type AgentDeclaration, agent } from "../../agents/agent.js";
import type { AgentClient } from "../../agents/client/client.js";
import type { Invocation } from "../../agents/client/invocation.js";
import { node } from "../../agents/declare/node.js";
import type { Refused } from "../../agents/declare/refused.js";
import type { CheckedShape, EmitTarget } from "../../agents/declare/shape.js";
import { keyValueStore, reply } from "../../store/declaration.js";
import { integer, string } from "../../store/key.js";
import { type } from "../../store/schema.js";
import { tuple } from "../../store/tuple-key.js";

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
const embed = (text: string, size: number): number[] => Array.from(text.slice(0, size), Number);

const transfer = agent({
  stores: { balances, pairs },
  compute: { embed },
  entry: "debit",
  result: type<Receipt>(),
  nodes: {
    debit: node({ input: type<Transfer>(), to: ["credit"], key: (m) => m.from }),
    credit: node({ input: type<Transfer>() }),
  },
}).implement({
  async debit(ctx, t) {
    expectTypeOf(t).toEqualTypeOf<Transfer>();
    const paid = await ctx.stores.balances.update("withdraw", t.from, t.cents);
    expectTypeOf(paid).toEqualTypeOf<boolean>();
    await ctx.stores.pairs.put(["a", 1], { a: 1 });
    expectTypeOf(await ctx.compute.embed("a", 1)).toEqualTypeOf<number[]>();
    if (paid) ctx.emit("credit", t);
    else ctx.result({ ok: false, reason: "x" });
    // @ts-expect-error: it does not declare itself as a target
    ctx.emit("debit", t);
    // @ts-expect-error: the message of "credit" is a Transfer
    ctx.emit("credit", "t");
    // @ts-expect-error: the agent declares no such store
    ctx.stores.accounts;
    // @ts-expect-error: keys of "balances" are texts
    await ctx.stores.balances.get(1);
    // @ts-expect-error: an amount is a number
    await ctx.stores.balances.update("deposit", "a", "1");
    // @ts-expect-error: the agent declares no such function
    await ctx.compute.digest("a");
    // @ts-expect-error: the size is a number
    await ctx.compute.embed("a", "b");
    // @ts-expect-error: no Receipt
    ctx.result({ ok: "yes" });
  },
  async credit(ctx, t) {
    const c = await ctx.stores.balances.update("deposit", t.to, t.cents);
    ctx.result({ ok: true, payeeCents: c ?? 0 });
    // @ts-expect-error: it declares no targets
    ctx.emit("credit", t);
  },
});

const text = { input: type<string>() };

describe("agent types — inference", () => {
  it("an agent is typed by the message of its entry and by its result", () => {
    expectTypeOf(transfer).toEqualTypeOf<AgentDeclaration<Transfer, Receipt>>();
    expect(transfer.kind).toBe("agent");
  });

  it("cycles and forward edges need no annotations", () => {
    const loop = agent({
      entry: "up",
      result: type<number>(),
      nodes: {
        up: node({ input: type<number>(), to: ["down", "up"] }),
        down: node({ input: type<{ n: number }>(), to: ["up"] }),
      },
    }).implement({
      up(ctx, n) {
        expectTypeOf(n).toEqualTypeOf<number>();
        if (n > 3) ctx.result(n);
        else ctx.emit("down", { n });
      },
      down(ctx, { n }) {
        ctx.emit("up", n + 1);
      },
    });
    expectTypeOf(loop).toEqualTypeOf<AgentDeclaration<number, number>>();
  });

  it("a node gets what the schema returns, emits and clients give what it accepts", () => {
    const padded = agent({
      entry: "a",
      result: z.object({ n: z.number().default(1) }),
      nodes: {
        a: node({
          input: z.object({ size: z.string().transform(Number) }),
          to: ["b"],
          key: (m) => m.size,
        }),
        b: node({ input: z.object({ n: z.number().default(1) }) }),
      },
    }).implement({
      a(ctx, { size }) {
        expectTypeOf(size).toEqualTypeOf<number>();
        ctx.emit("b", {});
        ctx.emit("b", { n: size });
        // @ts-expect-error: n is a number
        ctx.emit("b", { n: "1" });
      },
      b(ctx, { n }) {
        expectTypeOf(n).toEqualTypeOf<number>();
        ctx.result({});
      },
    });
    expectTypeOf(padded).toEqualTypeOf<AgentDeclaration<{ size: string }, { n: number }>>();
  });

  it("a key is anything a store can be keyed by", () => {
    node({ input: type<{ a: string; b: number }>(), key: (m) => [m.a, m.b, [1n, true]] });
    // @ts-expect-error: an object is no key
    node({ input: type<{ a: string }>(), key: (m) => m });
    // @ts-expect-error: the message has no such property
    node({ input: type<{ a: string }>(), key: (m) => m.b });
    expect(node({ input: type<Transfer>() }).kind).toBe("node");
  });

  it("an agent without stores and functions has none in its context", () => {
    agent({ entry: "a", result: type<string>(), nodes: { a: node(text) } }).implement({
      a(ctx, message) {
        expectTypeOf(message).toEqualTypeOf<string>();
        // @ts-expect-error: there are none
        ctx.stores.balances;
        // @ts-expect-error: there are none
        ctx.compute.embed;
      },
    });
    expectTypeOf<typeof transfer>().not.toEqualTypeOf<AgentDeclaration<string, string>>();
  });

  it("a client takes the input and gives the result", () => {
    type Client = AgentClient<Transfer, Receipt>;
    expectTypeOf<Client["invoke"]>().returns.resolves.toEqualTypeOf<Receipt>();
    expectTypeOf<Client["invoke"]>().parameter(0).toEqualTypeOf<Transfer>();
    expectTypeOf<Client["get"]>().returns.toEqualTypeOf<Invocation<Receipt>>();
  });
});

describe("agent types — refusals", () => {
  it("says in a sentence what is refused", () => {
    type Nodes = { a: ReturnType<typeof node<string, string, "nowhere">> };
    type Shape = {
      entry: "b";
      nodes: Nodes;
      result: typeof result;
      store: 1;
      stores: { s: object };
    };
    const result = type<number>();
    type Checked = CheckedShape<Shape>;
    expectTypeOf<Checked["nodes"]["a"]>().toEqualTypeOf<
      Refused<'node "a" emits to "nowhere", which this agent does not declare'>
    >();
    expectTypeOf<Checked["entry"]>().toEqualTypeOf<
      Refused<'entry "b" is not a node of this agent'>
    >();
    expectTypeOf<Checked["store"]>().toEqualTypeOf<Refused<'agent() has no option "store"'>>();
    expectTypeOf<Checked["stores"]["s"]>().toEqualTypeOf<
      Refused<'"s" is not a store: declare it with keyValueStore()'>
    >();
    expectTypeOf<EmitTarget<never>>().toEqualTypeOf<
      Refused<"this node does not declare any targets">
    >();
    expect(result["~standard"].version).toBe(1);
  });

  it("refuses an edge to a node that the agent does not declare", () => {
    const nodes = { a: node({ input: type<string>(), to: ["nowhere"] }) };
    // @ts-expect-error: node "a" emits to "nowhere", which this agent does not declare
    agent({ entry: "a", result: type<number>(), nodes });
    expect(nodes.a.kind).toBe("node");
  });

  it("refuses an entry that is no node of the agent", () => {
    const nodes = { a: node(text) };
    // @ts-expect-error: entry "b" is not a node of this agent
    agent({ entry: "b", result: type<number>(), nodes });
    // @ts-expect-error: an agent has an entry
    agent({ result: type<number>(), nodes });
    expect(nodes.a.kind).toBe("node");
  });

  it("refuses an option that agents and nodes do not have", () => {
    const nodes = { a: node(text) };
    // @ts-expect-error: agent() has no option "store"
    agent({ entry: "a", result: type<number>(), nodes, store: { balances } });
    agent({ entry: "a", result: type<number>(), nodes, maxRetries: 0, retryBackoffMs: 1_000 });
    // @ts-expect-error: a number of retries is one
    agent({ entry: "a", result: type<number>(), nodes, maxRetries: "2" });
    // @ts-expect-error: nor has node() an option "target"
    expect(node({ input: type<string>(), target: ["a"] }).kind).toBe("node");
  });

  it("refuses what is no store, no function, no node and no schema", () => {
    const nodes = { a: node(text) };
    // @ts-expect-error: "balances" is not a store: declare it with keyValueStore()
    agent({ entry: "a", result: type<number>(), nodes, stores: { balances: { key: string } } });
    // @ts-expect-error: a function is one
    agent({ entry: "a", result: type<number>(), nodes, compute: { embed: "embed" } });
    // @ts-expect-error: a node is made by node()
    agent({ entry: "a", result: type<number>(), nodes: { a: text } });
    // @ts-expect-error: a schema is no string
    agent({ entry: "a", result: "number", nodes });
    expect(nodes.a.kind).toBe("node");
  });

  it("refuses a missing and an unknown implementation", () => {
    const declared = agent({ entry: "a", result: type<string>(), nodes: { a: node(text) } });
    // @ts-expect-error: "a" is not implemented
    declared.implement({});
    const a = (): void => {};
    // @ts-expect-error: "b" is no node
    declared.implement({ a, b() {} });
    // @ts-expect-error: the message of "a" is a string
    declared.implement({ a: (_ctx, message: number) => void message });
    // @ts-expect-error: a node function returns nothing
    declared.implement({ a: () => "done" });
    expect(declared.implement({ a }).kind).toBe("agent");
  });
});
