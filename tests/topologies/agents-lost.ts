// Lost — an agent of two nodes, each on the task that the test chooses by a key: what the second
// one's task has of it can be lost. And nodes that run or wait for long, which are not.

import { agent, node, topology, type } from "../../index.js";
import { aborted, note } from "./agents-notes.js";

export interface Trip {
  /** Keys: of the task that begins, and of the one that goes on. */
  readonly here: string;
  readonly there: string;
}

/** From task to task; where it arrives it stays, in its first attempt: only a retry ends it. */
const travelling = agent({
  stallThresholdMs: 100,
  maxRetries: 1,
  entry: "begins",
  result: type<number>(),
  nodes: {
    begins: node({ input: type<Trip>(), key: ({ here }) => here, to: ["arrives"] }),
    arrives: node({ input: type<Trip>(), key: ({ there }) => there }),
  },
}).implement({
  begins(ctx, trip) {
    note(ctx, `begins in ${ctx.attempt}`);
    ctx.emit("arrives", trip);
  },
  async arrives(ctx) {
    note(ctx, `arrives in ${ctx.attempt}`);
    if (ctx.attempt === 0) await aborted(ctx.signal);
    ctx.result(ctx.attempt);
  },
});

/** Executes until it is cancelled. Taken for lost once, it has failed. */
const executing = agent({
  stallThresholdMs: 1,
  maxRetries: 0,
  entry: "runs",
  result: type<never>(),
  nodes: { runs: node({ input: type<string>() }) },
}).implement({
  async runs(ctx, name) {
    note(ctx, `${name} runs in ${ctx.attempt}`);
    await aborted(ctx.signal);
    note(ctx, `${name} stops`);
  },
});

/** Asks a human, behind its first node. */
const asking = agent({
  stallThresholdMs: 1,
  maxRetries: 0,
  entry: "begins",
  result: type<string>(),
  nodes: {
    begins: node({ input: type<string>(), to: ["asks"] }),
    asks: node({ input: type<string>() }),
  },
}).implement({
  begins: (ctx, name) => ctx.emit("asks", name),
  async asks(ctx, name) {
    ctx.result(`${await ctx.askHuman<string>(name)} in ${ctx.attempt}`);
  },
});

export default topology("agents-lost", import.meta.url, {
  agents: { travelling, executing, asking },
});
