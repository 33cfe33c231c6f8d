// Fibonacci numbers by agents that call themselves: once as the definition says, once with memory.
//
// Guarantees:
//   1. Recursion of any depth runs on two threads, or on one: who waits for a callee holds none.
//   2. `memo` computes each number once, however many ask for it at the same time.
//   3. A callee that has its result is not called again when its caller runs again after a crash.

import {
  agent,
  agentRef,
  integer,
  keyValueStore,
  node,
  string,
  topology,
  type,
} from "../../index.js";

const runs = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0) => count + 1 },
});

const known = keyValueStore({ key: integer, value: type<bigint>() });

/** An agent is not declared yet when it names itself: the reference says its name and its types. */
const fib = agent({
  stores: { runs },
  agents: { fib: agentRef<number, bigint>("fib") },
  entry: "number",
  result: type<bigint>(),
  nodes: { number: node({ input: type<number>() }) },
}).implement({
  async number(ctx, n) {
    await ctx.stores.runs.update("add", "fib");
    if (n < 2) {
      ctx.result(BigInt(n));
      return;
    }
    // Both at once. While they run this function waits, and its thread runs others: each of them
    // may well be a hundred calls further down on the same thread.
    const [one, other] = await Promise.all([
      ctx.agents.fib.invoke(n - 1),
      ctx.agents.fib.invoke(n - 2),
    ]);
    ctx.result(one + other);
  },
});

const memo = agent({
  stores: { runs, known },
  agents: { memo: agentRef<number, bigint>("memo") },
  entry: "number",
  result: type<bigint>(),
  nodes: {
    // Keyed by the number, and the key is held while the node waits: who else asks for the same
    // number waits in line and then finds it known. It cannot wait for itself, since it only calls
    // for smaller numbers; if it could, it would be refused with KEY_DEADLOCK and the cycle.
    number: node({ input: type<number>(), key: (n) => n }),
  },
}).implement({
  async number(ctx, n) {
    const before = await ctx.stores.known.get(n);
    if (before !== undefined) {
      ctx.result(before);
      return;
    }
    await ctx.stores.runs.update("add", "memo");
    const [one, other] =
      n < 2
        ? [BigInt(n), 0n]
        : await Promise.all([ctx.agents.memo.invoke(n - 1), ctx.agents.memo.invoke(n - 2)]);
    await ctx.stores.known.put(n, one + other);
    ctx.result(one + other);
  },
});

export default topology("fibonacci", import.meta.url, {
  stores: { runs, known },
  agents: { fib, memo },
});
