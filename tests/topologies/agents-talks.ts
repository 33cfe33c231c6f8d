// Talks — agents that stream, ask humans, and call agents that do.

import { agent, node, scatter, gather, list, type Schema, topology, type } from "../../index.js";
import { aborted, counts, faults, note, noted, place } from "./agents-notes.js";

const text = type<string>();

/** Streams so many chunks; is run again when it is told. */
const streaming = agent({
  entry: "write",
  result: text,
  nodes: { write: node({ input: type<{ chunks: number; throws: boolean }>() }) },
}).implement({
  async write(ctx, { chunks, throws }) {
    for (let n = 0; n < chunks; n += 1) await ctx.chunk(`${n} of ${ctx.attempt}`);
    await place(ctx, "streamed");
    if (throws) {
      await noted(ctx, "seen");
      if (ctx.attempt === 0) throw new Error("again");
    }
    // Not awaited: durable before the node's completion is.
    ctx.chunk("the last one").catch(() => {});
    ctx.result("written");
  },
});

/** Streams from several invocations of a node, in the order that the notes say. */
const choir = agent({
  entry: "start",
  result: type<readonly string[]>(),
  nodes: {
    start: scatter({ input: type<readonly string[]>(), to: ["sing"] }),
    sing: node({ input: text, key: (name) => name, to: ["end"] }),
    end: gather({ collect: list(text) }),
  },
}).implement({
  start(ctx, names) {
    for (const name of names) ctx.emit("sing", name);
  },
  async sing(ctx, name) {
    await noted(ctx, `go ${name}`);
    await ctx.chunk(`${name} 0`);
    note(ctx, `sings ${name} ${ctx.nodeInvocationId}`);
    await noted(ctx, `end ${name}`);
    await ctx.chunk(`${name} 1`);
    ctx.emit("end", name);
  },
  end: (ctx, names) => ctx.result(names),
});

/** Gives more chunks than may be unacknowledged, and says which of them had to wait. */
const flooding = agent({
  entry: "write",
  result: type<number>(),
  nodes: { write: node({ input: type<number>() }) },
}).implement({
  async write(ctx, chunks) {
    const waiting = new Set<number>();
    const all: Promise<void>[] = [];
    for (let n = 0; n < chunks; n += 1) {
      waiting.add(n);
      const given = ctx.chunk(n);
      all.push(given.then(() => void waiting.delete(n)));
    }
    // What there is room for is taken at once.
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    const count = waiting.size;
    await Promise.all(all);
    ctx.result(count);
  },
});

/** Yes or no. */
const yesOrNo: Schema<string> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      value === "yes" || value === "no" ? { value } : { issues: [{ message: "say yes or no" }] },
  },
};

/** Asks twice, one after the other, and says so. */
const asking = agent({
  stores: { counts },
  entry: "ask",
  result: text,
  nodes: { ask: node({ input: text }) },
}).implement({
  async ask(ctx, key) {
    await ctx.stores.counts.update("add", key, 1);
    const both = await Promise.all([
      ctx.askHuman({ first: key }, yesOrNo),
      ctx.askHuman<string>("second"),
    ]);
    note(ctx, `answered ${both.join()}`);
    await place(ctx, "answered");
    await noted(ctx, "go");
    ctx.result(both.join());
  },
});

/** Asks, and fails in its first attempt behind the answer. */
const failing = agent({
  entry: "ask",
  result: text,
  nodes: { ask: node({ input: text }) },
}).implement({
  async ask(ctx, prompt) {
    const answer = await ctx.askHuman<string>(prompt);
    await place(ctx, "answered");
    if (ctx.attempt === 0) throw new Error("again");
    ctx.result(answer);
  },
});

/** Asks in one node, while another fails in the first attempt. */
const interrupted = agent({
  entry: "start",
  result: text,
  nodes: {
    start: node({ input: text, to: ["ask", "fail"] }),
    ask: node({ input: text }),
    fail: node({ input: text }),
  },
}).implement({
  start(ctx, prompt) {
    ctx.emit("ask", prompt);
    ctx.emit("fail", prompt);
  },
  ask: async (ctx, prompt) => ctx.result(await ctx.askHuman<string>(prompt)),
  async fail(ctx) {
    await noted(ctx, "asked");
    if (ctx.attempt === 0) throw new Error("the first attempt fails");
    await place(ctx, "second attempt");
  },
});

/** Asks in several of its nodes at once. */
const polling = agent({
  entry: "start",
  result: type<readonly string[]>(),
  nodes: {
    start: scatter({ input: type<number>(), to: ["ask"] }),
    ask: node({ input: type<number>(), to: ["end"] }),
    end: gather({ collect: list(text) }),
  },
}).implement({
  start(ctx, count) {
    for (let n = 0; n < count; n += 1) ctx.emit("ask", n);
  },
  async ask(ctx, n) {
    ctx.emit("end", `${n} ${await ctx.askHuman<string>(n)}`);
  },
  end: (ctx, answers) => ctx.result(answers),
});

/** Streams, and asks. */
const child = agent({
  entry: "a",
  result: text,
  nodes: { a: node({ input: text }) },
}).implement({
  async a(ctx, input) {
    note(ctx, `child ${input}`);
    for (let n = 0; n < 3; n += 1) await ctx.chunk(`${input} ${n}`);
    if (input.includes("asks")) ctx.result(await ctx.askHuman<string>(`what of ${input}?`));
    else if (input.includes("hangs")) {
      await aborted(ctx.signal);
      note(ctx, "child stops");
    } else if (input.includes("fails")) {
      if (ctx.attempt === 1) await place(ctx, "child fails");
      throw new Error("a child fails");
    } else ctx.result(`done with ${input}`);
  },
});

/** How a node calls it. */
export type Way =
  | "invokes what asks"
  | "initiates"
  | "drives what asks"
  | "streams"
  | "cancels what hangs"
  | "invokes what fails";

/** A node that calls, in each of the ways. */
const middle = agent({
  agents: { child },
  entry: "call",
  result: text,
  nodes: { call: node({ input: type<Way>() }) },
}).implement({
  async call(ctx, way) {
    const { metadata } = ctx;
    if (way.startsWith("invokes")) {
      const answer = await ctx.agents.child.invoke(way, { metadata });
      await place(ctx, "called");
      return ctx.result(`${answer}!`);
    }
    const invocation = await ctx.agents.child.initiate(way, { metadata });
    // What is cancelled runs: it says that it stops.
    if (way === "cancels what hangs") await noted(ctx, `child ${way}`);
    await place(ctx, `called: ${way}`);
    if (way === "initiates") return ctx.result(await invocation.result());
    if (way === "streams") {
      const chunks: string[] = [];
      for await (const event of invocation.stream("a")) {
        if (event.kind === "chunk") chunks.push(String(event.value));
        // It was cut off when it had streamed some of them.
        if (event.kind === "reset") chunks.length = 0;
      }
      return ctx.result(chunks.join());
    }
    if (way === "cancels what hangs") {
      // One that was cut off runs again, unless it is cancelled before.
      await noted(ctx, `child ${way}`, metadata["cut"] === true ? 2 : 1);
      await invocation.cancel();
      return ctx.result("cancelled");
    }
    for (;;) {
      const step = await invocation.nextStep();
      if (step.kind === "result") return ctx.result(`driven to ${step.result}`);
      note(ctx, `asked ${String(step.question.prompt)}`);
      await noted(ctx, "answer");
      await invocation.answer(step.question, "by the node");
    }
  },
});

/** The one above that. */
const top = agent({
  agents: { middle },
  entry: "call",
  result: text,
  nodes: { call: node({ input: type<Way>() }) },
}).implement({
  async call(ctx, way) {
    ctx.result(await ctx.agents.middle.invoke(way, { metadata: ctx.metadata }));
  },
});

export default topology("agents-talks", import.meta.url, {
  stores: { counts, faults },
  agents: { streaming, choir, flooding, asking, failing, interrupted, polling, child, middle, top },
});
