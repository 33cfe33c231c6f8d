// What the benchmark runs: one store of counters, and agents of one node and of two.

import { agent, keyValueStore, node, string, topology, type } from "partita";

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

const relay = agent({
  entry: "first",
  result: type<string>(),
  nodes: {
    first: node({ input: type<string>(), to: ["second"] }),
    second: node({ input: type<string>() }),
  },
}).implement({
  first(ctx, key) {
    ctx.emit("second", key);
  },
  second(ctx, key) {
    ctx.result(key);
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

/** Set in a process whose messages are to stay outstanding until it is killed. */
export const holdVariable = "PARTITA_BENCH_HOLD";

const held = agent({
  stores: { counters },
  entry: "add",
  result: type<number>(),
  nodes: { add: node({ input: type<string>() }) },
}).implement({
  async add(ctx, key) {
    if (process.env[holdVariable] !== undefined) await new Promise(() => {});
    ctx.result(await ctx.stores.counters.update("add", key, 1));
  },
});

export const benchTopology = topology("bench", import.meta.url, {
  stores: { counters },
  agents: { pair, relay, approve, held },
});
