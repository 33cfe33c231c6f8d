// Records — agents whose invocations are looked at, forked, filed and forgotten.

import { agent, gather, list, node, scatter, topology, type } from "../../index.js";
import { counts, faults, note, noted, place } from "./agents-notes.js";

const text = type<string>();

/** Splits words, measures each, says what came of it; notes who was greeted by the metadata. */
const measuring = agent({
  entry: "start",
  result: text,
  nodes: {
    start: node({ input: type<readonly string[]>(), to: ["split", "aside"] }),
    aside: node({ input: text }),
    split: scatter({ input: type<readonly string[]>(), to: ["count"], carry: type<number>() }),
    count: node({ input: text, key: (word) => word.length, to: ["sum"] }),
    sum: gather({ collect: list(type<number>()), carry: type<number>(), to: ["say"] }),
    say: node({ input: text }),
  },
}).implement({
  start(ctx, words) {
    note(ctx, "start");
    ctx.emit("split", words);
    ctx.emit("aside", "aside");
  },
  aside: (ctx) => note(ctx, "aside"),
  split(ctx, words) {
    note(ctx, "split");
    for (const word of words) ctx.emit("count", word);
    return words.length;
  },
  async count(ctx, word) {
    if (word === "dddd") await place(ctx, "dddd");
    note(ctx, `count ${word}`);
    ctx.emit("sum", word.length);
  },
  async sum(ctx, lengths, count) {
    await place(ctx, "sum");
    note(ctx, "sum");
    ctx.emit("say", `${[...lengths].sort().join("+")} of ${count}`);
  },
  say(ctx, said) {
    note(ctx, "say");
    ctx.result(`${said} for ${String(ctx.metadata["who"])}`);
  },
});

/** Does something of each kind, and fails in its first attempt. */
const operating = agent({
  stores: { counts },
  agents: { measuring },
  entry: "a",
  result: text,
  nodes: { a: node({ input: text }) },
}).implement({
  async a(ctx, key) {
    const before = await ctx.stores.counts.get(key);
    await ctx.stores.counts.update("add", key, 1);
    await ctx.run("effect", () => "outcome");
    await ctx.agents.measuring.invoke(["x"], { metadata: { ...ctx.metadata, cut: false } });
    await ctx.askHuman("sure?");
    ctx.recordOperation("model-call", 1, 2, { tokens: 7 });
    await place(ctx, "operated");
    if (ctx.attempt === 0) throw new Error("the first attempt fails");
    ctx.result(String(before));
  },
});

/** Each number emits as many of the one below it. */
const branching = agent({
  entry: "branch",
  result: type<number>(),
  nodes: { branch: node({ input: type<number>(), to: ["branch"] }) },
}).implement({
  branch(ctx, n) {
    if (n === 0) ctx.result(0);
    for (let no = 0; no < n; no += 1) ctx.emit("branch", n - 1);
  },
});

/** Of which few are kept. */
const kept = agent({
  maxInvocationsPerTask: 3,
  entry: "a",
  result: text,
  nodes: { a: node({ input: text, key: () => "all on one task" }) },
}).implement({
  async a(ctx, input) {
    await ctx.chunk(input);
    ctx.result(input);
  },
});

/** Of which few are kept, and one waits until it is told. */
const pending = agent({
  maxInvocationsPerTask: 3,
  entry: "a",
  result: text,
  nodes: {
    a: node({ input: text, key: () => "all on one task", to: ["b"] }),
    b: node({ input: text }),
  },
}).implement({
  a: (ctx, input) => ctx.emit("b", input),
  async b(ctx, input) {
    if (input === "waits") await noted(ctx, "go");
    ctx.result(input);
  },
});

export default topology("agents-records", import.meta.url, {
  stores: { counts, faults },
  agents: { measuring, operating, branching, kept, pending },
});
