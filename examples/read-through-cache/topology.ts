// A cache in front of an expensive computation: what was computed once is read from then on.
//
// Guarantees:
//   1. Concurrent misses of one key compute once: the others wait, then read what was stored.
//   2. Different keys do not wait for each other: they compute side by side, in the compute pool.
//   3. A cached value survives a restart; a computation that failed caches nothing.

import { agent, integer, keyValueStore, node, topology, type } from "../../index.js";
import { countPrimes } from "./primes.js";

/** The answer, and whether it had to be computed for this request. */
export interface Answer {
  readonly primes: number;
  readonly cached: boolean;
}

const cache = keyValueStore({ key: integer, value: type<number>() });

const lookup = agent({
  stores: { cache },
  // Runs in the compute pool: a task thread must never be busy for long, all its keys would wait.
  compute: { countPrimes },
  entry: "lookup",
  result: type<Answer>(),
  nodes: {
    lookup: node({
      input: type<{ readonly limit: number }>(),
      key: ({ limit }) => limit,
    }),
  },
}).implement({
  async lookup(ctx, { limit }) {
    // No race between this look and the `put` below, and no lock either: the node is keyed by what
    // is looked up, so the next lookup of the same limit starts when this function has returned.
    // It holds its key while it waits, but never a thread: lookups of other limits go on.
    const known = await ctx.stores.cache.get(limit);
    if (known !== undefined) {
      ctx.result({ primes: known, cached: true });
      return;
    }
    const primes = await ctx.compute.countPrimes(limit);
    await ctx.stores.cache.put(limit, primes);
    ctx.result({ primes, cached: false });
  },
});

export default topology("read-through-cache", import.meta.url, {
  stores: { cache },
  agents: { lookup },
  compute: { countPrimes },
});
