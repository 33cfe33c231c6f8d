// Faults — a topology whose updates and nodes can end their thread, hang, or throw when they are
// asked to.

import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { threadId } from "node:worker_threads";
import { agent, keyValueStore, node, reply, string, topology, type } from "../../index.js";

const counters = keyValueStore({
  key: string,
  value: type<number>(),
  updates: {
    add: (count: number | undefined, by: number) => (count ?? 0) + by,
    /** The thread that owns the key. */
    where: (count: number | undefined) => reply(count, threadId),
    /** Keeps the thread that owns the key busy. */
    busy: (count: number | undefined, durationMs: number) => {
      for (const end = performance.now() + durationMs; performance.now() < end; );
      return count ?? 0;
    },
    /** Ends the thread that owns the key. */
    exit: (_count: number | undefined, status: number): number => process.exit(status),
  },
});

/** Keyed as the node that writes it: both live on one task. */
const visits = keyValueStore({ key: string, value: type<number>() });

/** A message that goes from key to key, and so from task to task. */
export interface Hop {
  readonly id: string;
  readonly hop: number;
  readonly hops: number;
}

/** Visits every hop of a chain; its result is how many there were. */
const chain = agent({
  stores: { visits, counters },
  entry: "step",
  result: type<number>(),
  nodes: {
    step: node({ input: type<Hop>(), to: ["step"], key: ({ id, hop }) => `${id} ${hop}` }),
  },
}).implement({
  async step(ctx, { id, hop, hops }) {
    await ctx.stores.visits.put(`${id} ${hop}`, threadId);
    // The owner of this key may be on a thread that ends just now: that is no concern of the chain.
    await ctx.stores.counters.update("add", `hop ${hop}`, 1);
    if (hop === hops) ctx.result(hop);
    else ctx.emit("step", { id, hop: hop + 1, hops });
  },
});

/** What `stubborn` is asked to do. */
export interface Stubbornness {
  /** Gets a line for each start of the node. */
  readonly startsFile: string;
  /** Is written when the signal aborts. Once it exists, the node ends with its text as result. */
  readonly abortedFile: string;
}

/** Never returns while the runtime is open; ends when it is run again. */
const stubborn = agent({
  entry: "wait",
  result: type<string>(),
  nodes: { wait: node({ input: type<Stubbornness>() }) },
}).implement({
  async wait(ctx, { startsFile, abortedFile }) {
    appendFileSync(startsFile, "started\n");
    if (existsSync(abortedFile)) return ctx.result("ran again");
    ctx.signal.addEventListener("abort", () => {
      writeFileSync(abortedFile, String(ctx.signal.reason));
    });
    await new Promise(() => {});
  },
});

/** How a node ends its thread, or holds it for ever. */
export interface Sabotage {
  /** The node is keyed by it, like a counter. */
  readonly key: string;
  readonly how: "exit" | "timer" | "rejection" | "loop" | "hoard";
  /** Exists: the sabotage is over, and the node has a result. Made before the thread ends. */
  readonly doneFile: string | null;
}

const saboteur = agent({
  entry: "strike",
  result: type<string>(),
  nodes: { strike: node({ input: type<Sabotage>(), key: ({ key }) => key }) },
}).implement({
  async strike(ctx, { how, doneFile }) {
    if (doneFile !== null) {
      if (existsSync(doneFile)) return ctx.result("ran again");
      writeFileSync(doneFile, how);
    }
    if (how === "exit") process.exit(9);
    if (how === "loop") for (;;);
    if (how === "hoard") return ctx.result(`held ${hoard(400)} MiB`);
    if (how === "timer") {
      setTimeout(() => {
        throw new RangeError("thrown in a timer");
      }, 0);
    }
    if (how === "rejection") void Promise.reject(new TypeError("nobody awaits this"));
    await new Promise(() => {});
  },
});

/** Holds so much memory at once, some of which is asked for at a time. */
function hoard(mebibytes: number): number {
  const held: number[][] = [];
  while (held.length < mebibytes) held.push(Array.from({ length: 2 ** 17 }, (_, index) => index));
  return held.length;
}

const compute = { double: (value: number) => value * 2 };

export default topology("faults", import.meta.url, {
  stores: { counters, visits },
  agents: { chain, stubborn, saboteur },
  compute,
});
