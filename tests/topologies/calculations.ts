// Calculations — compute functions that are busy, fail, hang or end their thread, and nodes that
// call them.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { threadId } from "node:worker_threads";
import { agent, keyValueStore, node, string, topology, type } from "../../index.js";

const busyMsMax = 15_000;

/** Keeps its thread busy until there is such a file; gives up after a while. */
function busyUntil(file: string): string {
  const end = performance.now() + busyMsMax;
  while (performance.now() < end) if (existsSync(file)) return "saw the file";
  return "gave up";
}

function where(): number {
  return threadId;
}

/** The files that its thread has loaded by `require`: every native module is among them. */
function required(): readonly string[] {
  return Object.keys(createRequire(import.meta.url).cache);
}

function fail(message: string): never {
  throw new RangeError(message, { cause: new TypeError("deep down") });
}

function forever(): never {
  for (;;);
}

async function never(): Promise<never> {
  return await new Promise(() => {});
}

function exit(status: number): never {
  process.exit(status);
}

async function add(...numbers: number[]): Promise<number> {
  await Promise.resolve();
  return numbers.reduce((sum, number) => sum + number, 0);
}

const counters = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count: number | undefined, by: number) => (count ?? 0) + by },
});

/** What `calculator` is to do on the task of a key. */
export interface Calculation {
  readonly key: string;
  readonly what: "where" | "busy" | "fail";
  readonly file: string;
}

/** Where the node and the compute function ran, or what the function has returned or thrown. */
export interface Calculated {
  readonly nodeThread: number;
  readonly outcome: number | string;
}

const calculator = agent({
  compute: { busyUntil, where, fail },
  entry: "calculate",
  result: type<Calculated>(),
  nodes: { calculate: node({ input: type<Calculation>(), key: ({ key }) => key }) },
}).implement({
  async calculate(ctx, { what, file }) {
    const { busyUntil: busy, where: place, fail: failing } = ctx.compute;
    if (what === "fail") await failing("failed in a node");
    const outcome = what === "where" ? await place() : await busy(file);
    ctx.result({ nodeThread: threadId, outcome });
  },
});

export default topology("calculations", import.meta.url, {
  stores: { counters },
  agents: { calculator },
  compute: { busyUntil, where, required, fail, forever, never, exit, add },
});
