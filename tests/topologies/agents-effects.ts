// Effects — agents whose nodes emit, give results and use stores, and fail or are cut off then.

import { agent, node, PartitaError, topology, type } from "../../index.js";
import { counts, faults, note, noted, place } from "./agents-notes.js";

const child = agent({
  entry: "run",
  result: type<string>(),
  nodes: { run: node({ input: type<string>() }) },
}).implement({
  run(ctx, name) {
    note(ctx, `child of ${name}`);
    ctx.result(`child of ${name}`);
  },
});

/** Does everything a node can do, and then throws. */
const throwing = agent({
  stores: { counts },
  agents: { child },
  entry: "does",
  result: type<string>(),
  maxRetries: 0,
  nodes: {
    does: node({ input: type<string>(), to: ["next"] }),
    next: node({ input: type<string>() }),
  },
}).implement({
  async does(ctx, key) {
    ctx.emit("next", key);
    await ctx.stores.counts.update("add", key, 1);
    await ctx.chunk("a chunk");
    await ctx.agents.child.initiate(key, { metadata: ctx.metadata });
    // Before the question: behind it, a launch runs the node when it is answered.
    await place(ctx, "half of it");
    ctx.askHuman("a question").catch(() => {});
    await noted(ctx, "seen");
    throw new Error("it throws");
  },
  next(ctx, key) {
    note(ctx, "next starts");
    ctx.result(key);
  },
});

/** Emits long before it returns. */
const buffering = agent({
  stores: { counts },
  entry: "begin",
  result: type<string>(),
  nodes: {
    begin: node({ input: type<string>(), to: ["next"] }),
    next: node({ input: type<{ n: number }>() }),
  },
}).implement({
  async begin(ctx, key) {
    const message = { n: 1 };
    ctx.emit("next", message);
    message.n = 2;
    for (let n = 0; n < 5; n += 1) await ctx.stores.counts.update("add", key, 1);
    await place(ctx, "emitted");
    note(ctx, "begin returns");
  },
  next(ctx, { n }) {
    note(ctx, "next starts");
    ctx.result(`given ${n}`);
  },
});

/** Gives a result and throws in its first attempt. */
const hasty = agent({
  entry: "a",
  result: type<string>(),
  nodes: { a: node({ input: type<string>() }) },
}).implement({
  async a(ctx, _input) {
    ctx.result(`by attempt ${ctx.attempt}`);
    await place(ctx, "result");
    if (ctx.attempt === 0) throw new Error("too hasty");
  },
});

/** Does the same in every run; notes what it gets. */
const recorded = agent({
  stores: { counts },
  entry: "a",
  result: type<number>(),
  nodes: { a: node({ input: type<string>() }) },
}).implement({
  async a(ctx, key) {
    const before = await ctx.stores.counts.get(key, 0);
    const reply = await ctx.stores.counts.update("add", key, 1);
    note(ctx, `read ${before}, then ${reply}`);
    const outcome = await ctx.run("effect", () => {
      note(ctx, "effect");
      return ctx.invocationId;
    });
    note(ctx, `outcome ${outcome}`);
    note(ctx, `key ${ctx.idempotencyKey}`);
    await place(ctx, "operated");
    if (ctx.attempt === 0) throw new Error("the first attempt fails");
    ctx.result(reply);
  },
});

/** What differs in the second attempt. */
export type Difference = "store" | "update" | "key" | "arguments" | "nothing";

const differing = agent({
  stores: { counts, others: faults },
  entry: "a",
  result: type<number>(),
  nodes: { a: node({ input: type<{ key: string; differs: Difference }>() }) },
}).implement({
  async a(ctx, { key, differs }) {
    const what = ctx.attempt === 0 ? "nothing" : differs;
    const reply =
      what === "store"
        ? await ctx.stores.others.update("touch", key)
        : await ctx.stores.counts.update(
            what === "update" ? "subtract" : "add",
            what === "key" ? `${key} other` : key,
            what === "arguments" ? 10 : 1,
          );
    if (ctx.attempt === 0) throw new Error("the first attempt fails");
    await place(ctx, `differed: ${differs}`);
    ctx.result(reply);
  },
});

/** In which order a node emits and gives results. */
export type Misuse = "emit after result" | "result after emit" | "second result" | "undeclared";

const exclusive = agent({
  entry: "a",
  result: type<string>(),
  nodes: {
    a: node({ input: type<Misuse>(), to: ["b"] }),
    b: node({ input: type<string>() }),
  },
}).implement({
  a(ctx, misuse) {
    const [first, second] = {
      "emit after result": [() => ctx.result("a"), () => ctx.emit("b", "b")],
      "result after emit": [() => ctx.emit("b", "b"), () => ctx.result("a")],
      "second result": [() => ctx.result("first"), () => ctx.result("second")],
      // cast: what JavaScript could write.
      undeclared: [() => ctx.emit("b", "b"), () => ctx.emit("a" as "b", "a")],
    }[misuse];
    first?.();
    try {
      second?.();
    } catch (error) {
      note(ctx, PartitaError.is(error) ? error.code : "no code");
    }
  },
  b(ctx, message) {
    ctx.result(message);
  },
});

const giving = agent({
  entry: "a",
  result: type<unknown>(),
  nodes: { a: node({ input: type<"null" | "undefined">() }) },
}).implement({
  a: (ctx, what) => ctx.result(what === "null" ? null : undefined),
});

export default topology("agents-effects", import.meta.url, {
  stores: { counts, faults },
  agents: { child, throwing, buffering, hasty, recorded, differing, exclusive, giving },
});
