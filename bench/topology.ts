// What the benchmark runs: one store of counters and one agent of two nodes.

import { agent, keyValueStore, node, string, topology, type } from "../index.js";

const counters = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0, by: number) => count + by },
});

const pair = agent({
  stores: { counters },
  entry: "first",
  result: type<number>(),
  nodes: {
    first: node({ input: type<string>(), to: ["second"] }),
    second: node({ input: type<string>() }),
  },
}).implement({
  first(ctx, key) {
    ctx.emit("second", key);
  },
  async second(ctx, key) {
    ctx.result(await ctx.stores.counters.update("add", key, 1));
  },
});

const approve = agent({
  entry: "ask",
  result: type<number>(),
  nodes: { ask: node({ input: type<string>() }) },
}).implement({
  async ask(ctx, order) {
    ctx.result(await ctx.askHuman<number>(`Approve ${order}?`));
  },
});

export const benchTopology = topology("bench", import.meta.url, {
  stores: { counters },
  agents: { pair, approve },
});
