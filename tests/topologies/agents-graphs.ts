// Graphs — agents whose nodes show where and in which order they run, and how an invocation ends.

import {
  agent,
  agentRef,
  gather,
  list,
  node,
  PartitaError,
  scatter,
  topology,
  type,
} from "../../index.js";
import { counts, faults, note, noted, place } from "./agents-notes.js";

/** A start, a scope with plain nodes inside, and a gather that tells what came, in order. */
const spreading = agent({
  entry: "start",
  result: type<readonly number[]>(),
  nodes: {
    start: node({ input: type<number>(), to: ["split"] }),
    split: scatter({ input: type<number>(), to: ["leaf"] }),
    leaf: node({ input: type<number>(), to: ["join"] }),
    join: gather({ collect: list(type<number>()) }),
  },
}).implement({
  start: (ctx, leaves) => ctx.emit("split", leaves),
  split(ctx, leaves) {
    for (let n = 0; n < leaves; n += 1) ctx.emit("leaf", n);
  },
  leaf(ctx, n) {
    note(ctx, `leaf ${n}`);
    ctx.emit("join", n);
  },
  join: (ctx, numbers) => ctx.result(numbers),
});

interface Work {
  readonly key: string;
  readonly n: number;
}

/** Work of a few keys, each of which waits while it holds its key. */
const keyed = agent({
  stores: { counts },
  entry: "start",
  result: type<number>(),
  nodes: {
    start: scatter({ input: type<{ keys: readonly string[]; count: number }>(), to: ["work"] }),
    work: node({ input: type<Work>(), key: ({ key }) => key, to: ["end"] }),
    end: gather({ collect: list(type<number>()) }),
  },
}).implement({
  start(ctx, { keys, count }) {
    for (let n = 0; n < count; n += 1) for (const key of keys) ctx.emit("work", { key, n });
  },
  async work(ctx, { key, n }) {
    note(ctx, `${key} enter ${n}`);
    await ctx.stores.counts.update("add", key, 1);
    await ctx.sleep(1);
    if (n === 2) await place(ctx, "holding");
    note(ctx, `${key} leave ${n}`);
    ctx.emit("end", n);
  },
  end: (ctx, numbers) => ctx.result(numbers.length),
});

/** Two nodes that run to one gather, the late one when it is told. */
const arriving = agent({
  entry: "start",
  result: type<readonly string[]>(),
  nodes: {
    start: scatter({ input: type<string>(), to: ["leaf"] }),
    leaf: node({ input: type<string>(), key: (name) => name, to: ["join"] }),
    join: gather({ collect: list(type<string>()) }),
  },
}).implement({
  start(ctx) {
    ctx.emit("leaf", "late");
    ctx.emit("leaf", "early");
  },
  async leaf(ctx, name) {
    if (name === "late") await noted(ctx, "go");
    ctx.emit("join", name);
  },
  join: (ctx, names) => ctx.result(names),
});

/** One gives the result; the others run on. */
const racing = agent({
  entry: "start",
  result: type<string>(),
  nodes: {
    start: node({ input: type<string>(), to: ["fast", "slow"] }),
    fast: node({ input: type<string>() }),
    slow: node({ input: type<string>(), key: (name) => name }),
  },
}).implement({
  start(ctx) {
    ctx.emit("fast", "fast");
    for (const name of ["a", "b", "c"]) ctx.emit("slow", name);
  },
  fast: (ctx) => ctx.result("fast"),
  async slow(ctx, name) {
    await noted(ctx, "go");
    if (name === "b") await place(ctx, "slow");
    note(ctx, `slow ${name}`);
    ctx.result(`slow ${name}`);
  },
});

/** Everything ends, and nothing gives a result. */
const silent = agent({
  entry: "start",
  result: type<never>(),
  nodes: {
    start: node({ input: type<number>(), to: ["leaf"] }),
    leaf: node({ input: type<number>(), key: (n) => n }),
  },
}).implement({
  start(ctx, leaves) {
    for (let n = 0; n < leaves; n += 1) ctx.emit("leaf", n);
  },
  async leaf(ctx, n) {
    note(ctx, `leaf ${n}`);
    if (n === 1) await place(ctx, "leaf");
  },
});

/** Fails in every attempt, with a word on it. */
const failing = agent({
  entry: "start",
  result: type<never>(),
  nodes: {
    start: node({ input: type<string>(), to: ["bad"] }),
    bad: node({ input: type<string>() }),
  },
}).implement({
  start: (ctx, input) => ctx.emit("bad", input),
  async bad(ctx) {
    if (ctx.attempt === 1) await place(ctx, "second attempt");
    throw new RangeError(`attempt ${ctx.attempt}\nand more`);
  },
});

/** Calls itself, to the depth that it is given. */
const deep = agent({
  agents: { deep: agentRef<number, number>("deep") },
  entry: "step",
  result: type<number>(),
  nodes: { step: node({ input: type<number>() }) },
}).implement({
  async step(ctx, depth) {
    if (depth === 0) {
      await place(ctx, "the bottom");
      return ctx.result(0);
    }
    const { metadata } = ctx;
    ctx.result((await ctx.agents.deep.invoke(depth - 1, { metadata })) + 1);
  },
});

/** Two that call each other. */
const even = agent({
  agents: { odd: agentRef<number, boolean>("odd") },
  entry: "look",
  result: type<boolean>(),
  nodes: { look: node({ input: type<number>() }) },
}).implement({
  async look(ctx, n) {
    ctx.result(n === 0 ? true : await ctx.agents.odd.invoke(n - 1));
  },
});
const odd = agent({
  agents: { even },
  entry: "look",
  result: type<boolean>(),
  nodes: { look: node({ input: type<number>() }) },
}).implement({
  async look(ctx, n) {
    ctx.result(n === 0 ? false : await ctx.agents.even.invoke(n - 1));
  },
});

/** Waits for work of its own key. */
const circling = (reentrant: boolean, own: "blocked" | "entered") =>
  agent({
    agents: { own: agentRef<{ key: string; depth: number }, string>(own) },
    entry: "hold",
    result: type<string>(),
    nodes: {
      hold: node({
        input: type<{ key: string; depth: number }>(),
        key: ({ key }) => key,
        reentrant,
      }),
    },
  }).implement({
    async hold(ctx, { key, depth }) {
      if (depth === 0) return ctx.result("the bottom");
      await place(ctx, "holds");
      try {
        ctx.result(await ctx.agents.own.invoke({ key, depth: depth - 1 }));
      } catch (error) {
        // The invocation that it has called has failed, without a retry.
        if (!PartitaError.is(error, "INVOCATION_FAILED")) throw error;
        const { cause, details } = error;
        if (!PartitaError.is(cause, "KEY_DEADLOCK") || details.failures.length > 1) throw error;
        ctx.result(`refused: ${cause.details.cycle.join(" ")}`);
      }
    },
  });

export default topology("agents-graphs", import.meta.url, {
  stores: { counts, faults },
  agents: {
    spreading,
    keyed,
    arriving,
    racing,
    silent,
    failing,
    deep,
    even,
    odd,
    blocked: circling(false, "blocked"),
    entered: circling(true, "entered"),
  },
});
