// Approvals — invocations that wait, for humans and for each other, on real threads.
//
// What was approved is counted in a store, so that tests see it from outside.

import { agent, agentRef, keyValueStore, node, string, topology, type } from "../../index.js";

const counts = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0, by: number) => count + by },
});

const fib = agent({
  agents: { fib: agentRef<number, number>("fib") },
  entry: "add",
  result: type<number>(),
  nodes: { add: node({ input: type<number>() }) },
}).implement({
  async add(ctx, n) {
    if (n < 2) return ctx.result(n);
    const both = [ctx.agents.fib.invoke(n - 1), ctx.agents.fib.invoke(n - 2)];
    const [one = 0, other = 0] = await Promise.all(both);
    ctx.result(one + other);
  },
});

/** Asks before it counts; its result is what was answered. */
const approve = agent({
  stores: { counts },
  entry: "ask",
  result: type<string>(),
  nodes: { ask: node({ input: type<string>() }) },
}).implement({
  async ask(ctx, order) {
    await ctx.stores.counts.update("add", `${order} asked`, 1);
    const answer = await ctx.askHuman<string>(order);
    await ctx.stores.counts.update("add", order, 1);
    ctx.result(answer);
  },
});

/** Has an order approved by another agent, holding its customer meanwhile. */
const order = agent({
  stores: { counts },
  agents: { approve },
  entry: "begin",
  result: type<string>(),
  nodes: {
    begin: node({
      input: type<{ readonly customer: string; readonly order: string }>(),
      key: ({ customer }) => customer,
    }),
  },
}).implement({
  async begin(ctx, { order: name }) {
    const answer = await ctx.agents.approve.invoke(name);
    await ctx.stores.counts.update("add", `${name} ordered`, 1);
    ctx.result(answer);
  },
});

export default topology("approvals", import.meta.url, {
  stores: { counts },
  agents: { fib, approve, order },
});
