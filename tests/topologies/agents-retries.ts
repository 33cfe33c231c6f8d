// Retries — agents whose nodes throw in an attempt, hang, or are cut off in one, and note each run.

import {
  agent,
  gather,
  list,
  node,
  PartitaError,
  scatter,
  sum,
  topology,
  type,
} from "../../index.js";
import { aborted, counts, faults, note, noted, place } from "./agents-notes.js";

/** All parts fail in the first attempt, when all of them have started. */
const several = agent({
  maxRetries: 1,
  entry: "split",
  result: type<number>(),
  nodes: {
    split: scatter({ input: type<number>(), to: ["part"] }),
    part: node({ input: type<{ n: number; of: number }>(), key: ({ n }) => n, to: ["all"] }),
    all: gather({ collect: sum }),
  },
}).implement({
  split(ctx, of) {
    for (let n = 0; n < of; n += 1) ctx.emit("part", { n, of });
  },
  async part(ctx, { n, of }) {
    note(ctx, `part ${n} in ${ctx.attempt}`);
    for (let other = 0; other < of; other += 1) await noted(ctx, `part ${other} in 0`);
    if (ctx.attempt === 0) throw new Error(`part ${n} fails`);
    if (n === 1) await place(ctx, "second attempt");
    ctx.emit("all", n);
  },
  all: (ctx, total) => ctx.result(total),
});

/** The same with retries to spare: all but one of these failures are told too late. */
const stale = agent({
  maxRetries: 9,
  entry: "split",
  result: type<number>(),
  nodes: {
    split: scatter({ input: type<number>(), to: ["part"] }),
    part: node({ input: type<{ n: number; of: number }>(), key: ({ n }) => n, to: ["all"] }),
    all: gather({ collect: sum }),
  },
}).implement({
  split(ctx, of) {
    for (let n = 0; n < of; n += 1) ctx.emit("part", { n, of });
  },
  async part(ctx, { n, of }) {
    note(ctx, `part ${n} in ${ctx.attempt}`);
    if (ctx.attempt === 0) {
      for (let other = 0; other < of; other += 1) await noted(ctx, `part ${other} in 0`);
      throw new Error(`part ${n} fails`);
    }
    await place(ctx, "second attempt");
    ctx.emit("all", n);
  },
  all: (ctx, total) => ctx.result(total),
});

/** One finished node before one that fails, and an unfinished one beside it. */
const walking = agent({
  entry: "first",
  result: type<string>(),
  nodes: {
    first: node({ input: type<string>(), to: ["second"] }),
    second: node({ input: type<{ from: string }>(), to: ["third"] }),
    third: node({ input: type<string>() }),
  },
}).implement({
  async first(ctx, message) {
    note(ctx, `first ${ctx.nodeInvocationId}`);
    ctx.emit("second", { from: message });
  },
  second(ctx, { from }) {
    note(ctx, `second ${from} ${ctx.nodeInvocationId}`);
    if (ctx.attempt === 0) throw new Error("not in the first attempt");
    ctx.emit("third", from);
  },
  async third(ctx, from) {
    note(ctx, `third ${ctx.nodeInvocationId}`);
    if (ctx.attempt === 1) throw new Error("not in the second attempt");
    await place(ctx, "third");
    ctx.result(`${from} in ${ctx.attempt}`);
  },
});

/** A scope, whose gather fails in the first attempt; behind it a node that fails in the second. */
const scoped = agent({
  entry: "split",
  result: type<readonly number[]>(),
  nodes: {
    split: scatter({ input: type<number>(), to: ["leaf"] }),
    leaf: node({ input: type<number>(), to: ["all"] }),
    all: gather({ collect: list(type<number>()), to: ["behind"] }),
    behind: node({ input: type<readonly number[]>() }),
  },
}).implement({
  split(ctx, leaves) {
    note(ctx, "split");
    for (let n = 0; n < leaves; n += 1) ctx.emit("leaf", n);
  },
  leaf(ctx, n) {
    note(ctx, `leaf ${n}`);
    ctx.emit("all", n);
  },
  async all(ctx, numbers) {
    note(ctx, `all ${numbers.join(" ")}`);
    if (ctx.attempt === 0) throw new Error("not in the first attempt");
    await place(ctx, "all");
    ctx.emit("behind", numbers);
  },
  behind(ctx, numbers) {
    if (ctx.attempt === 1) throw new Error("not in the second attempt");
    ctx.result(numbers);
  },
});

/** What an orphan does when its signal has aborted. */
export type OrphanEnd = "completes" | "fails" | "gives a result";

interface Orphan {
  readonly key: string;
  readonly end: OrphanEnd;
}

/** One hangs while another fails. */
const orphaning = agent({
  stores: { counts },
  maxRetries: 1,
  entry: "start",
  result: type<string>(),
  nodes: {
    start: node({ input: type<Orphan>(), to: ["hangs", "fails"] }),
    hangs: node({ input: type<Orphan>(), to: ["next"] }),
    fails: node({ input: type<Orphan>() }),
    next: node({ input: type<string>() }),
  },
}).implement({
  start(ctx, message) {
    ctx.emit("hangs", message);
    ctx.emit("fails", message);
  },
  async hangs(ctx, { key, end }) {
    note(ctx, `${end}: hangs in ${ctx.attempt}`);
    await ctx.chunk(`attempt ${ctx.attempt}`);
    if (ctx.attempt > 0) {
      await noted(ctx, `${end}: orphan ends`);
      await place(ctx, `again: ${end}`);
      return ctx.emit("next", `${end} in ${ctx.attempt}`);
    }
    await aborted(ctx.signal);
    const { counts: store } = ctx.stores;
    const codes = [
      ctx.signal.reason,
      await store.update("add", key, 1).catch((error: unknown) => error),
      await ctx.chunk("of an orphan").catch((error: unknown) => error),
    ].map((error) => (PartitaError.is(error) ? error.code : "none"));
    note(ctx, `${end}: refused ${codes.join(" ")}, read ${await store.get(key)}`);
    note(ctx, `${end}: orphan ends`);
    if (end === "fails") throw new Error("an orphan fails");
    if (end === "gives a result") ctx.result("of an orphan");
    else ctx.emit("next", "of an orphan");
  },
  async fails(ctx, { key, end }) {
    await ctx.stores.counts.put(key, 5);
    await noted(ctx, `${end}: hangs in 0`);
    if (ctx.attempt === 0) throw new Error("it fails");
  },
  next: (ctx, from) => ctx.result(from),
});

/** One gives the result, another fails behind it. */
const late = agent({
  entry: "start",
  result: type<string>(),
  nodes: {
    start: node({ input: type<string>(), to: ["gives", "fails"] }),
    gives: node({ input: type<string>() }),
    fails: node({ input: type<string>() }),
  },
}).implement({
  start(ctx, input) {
    ctx.emit("gives", input);
    ctx.emit("fails", input);
  },
  gives: (ctx, input) => ctx.result(input),
  async fails(ctx) {
    note(ctx, `fails in ${ctx.attempt}`);
    await noted(ctx, "go");
    await place(ctx, "fails");
    note(ctx, "throws");
    throw new Error("too late");
  },
});

/** Fails twice, and notes when it begins and when it fails. */
const patient = agent({
  retryBackoffMs: 800,
  entry: "a",
  result: type<number>(),
  nodes: { a: node({ input: type<number>(), key: (n) => n }) },
}).implement({
  async a(ctx, n) {
    note(ctx, `${n} begins in ${ctx.attempt} at ${Date.now()}`);
    // Others are in their pauses then.
    if (ctx.attempt === 1) await place(ctx, "second attempt");
    if (ctx.attempt === 2) return ctx.result(n);
    note(ctx, `${n} fails in ${ctx.attempt} at ${Date.now()}`);
    throw new Error("not yet");
  },
});

/** Takes too long in its first attempt. */
const slow = agent({
  entry: "a",
  result: type<string>(),
  nodes: { a: node({ input: type<string>(), nodeTimeoutMs: 500 }) },
}).implement({
  async a(ctx, input) {
    if (ctx.attempt > 0) return ctx.result(`${input} in ${ctx.attempt}`);
    const stopped = aborted(ctx.signal).then(() => {
      note(ctx, PartitaError.is(ctx.signal.reason) ? ctx.signal.reason.code : "none");
    });
    // Its time may be over before it is cut off.
    await place(ctx, "a");
    await stopped;
    ctx.result(input);
  },
});

/** Waits for its signal, and then does what takes a while. */
const child = agent({
  stores: { counts },
  entry: "a",
  result: type<never>(),
  nodes: { a: node({ input: type<string>(), to: ["b"] }), b: node({ input: type<string>() }) },
}).implement({
  async a(ctx, key) {
    note(ctx, "child runs");
    await aborted(ctx.signal);
    for (let n = 0; n < 20; n += 1) await ctx.stores.counts.get(key);
    note(ctx, "child stops");
    ctx.emit("b", key);
  },
  b: (ctx) => note(ctx, "b runs"),
});

/** Calls that, beside a node that waits for the signal as well. */
const parent = agent({
  stores: { counts },
  agents: { child },
  entry: "start",
  result: type<string>(),
  nodes: {
    start: node({ input: type<string>(), to: ["calls", "runs", "stays"] }),
    calls: node({ input: type<string>() }),
    runs: node({ input: type<string>(), to: ["behind"] }),
    stays: node({ input: type<string>() }),
    behind: node({ input: type<string>() }),
  },
}).implement({
  start(ctx, key) {
    ctx.emit("calls", key);
    ctx.emit("runs", key);
    ctx.emit("stays", key);
  },
  async calls(ctx, key) {
    ctx.result(await ctx.agents.child.invoke(key, { metadata: ctx.metadata }));
  },
  async runs(ctx, key) {
    note(ctx, "runs");
    await aborted(ctx.signal);
    for (let n = 0; n < 20; n += 1) await ctx.stores.counts.get(key);
    note(ctx, "stops");
    ctx.emit("behind", key);
  },
  async stays(ctx) {
    if (ctx.metadata["cut"] !== true) return;
    note(ctx, "stays");
    await aborted(ctx.signal);
    await place(ctx, "stays");
  },
  behind: (ctx) => note(ctx, "behind"),
});

/** Begins a child that it does not wait for, and waits for its signal: itself, or the next node. */
const founding = agent({
  agents: { child },
  entry: "founds",
  result: type<never>(),
  nodes: {
    founds: node({ input: type<{ key: string; ends: boolean }>(), to: ["next"] }),
    next: node({ input: type<null>() }),
  },
}).implement({
  async founds(ctx, { key, ends }) {
    const { id } = await ctx.agents.child.initiate(key, { metadata: ctx.metadata });
    note(ctx, `child is ${id}`);
    if (ends) return ctx.emit("next", null);
    await aborted(ctx.signal);
    await place(ctx, "told");
  },
  async next(ctx) {
    note(ctx, "next runs");
    await aborted(ctx.signal);
  },
});

export default topology("agents-retries", import.meta.url, {
  stores: { counts, faults },
  agents: {
    several,
    stale,
    walking,
    scoped,
    orphaning,
    late,
    patient,
    slow,
    child,
    parent,
    founding,
  },
});
