// The benchmark of this part: our own figures, each with its work checked. Peers come beside them
// later.

import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type LaunchOptions, launch } from "../index.js";
import { inFlight, type Measured, verify } from "./measure.js";
import { measureAgain, measureWaiting } from "./waiting.js";
import { benchTopology } from "./topology.js";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    waiting: { type: "boolean", default: false },
    again: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (options.help) {
  console.log(
    "npm run bench -- [--quick] [--waiting]   measures on 2 tasks and 2 threads; " +
      "--quick takes seconds; --waiting measures invocations that wait for a human, alone",
  );
  process.exit(0);
}

const scale = options.quick ? 0.05 : 1;
const keyCount = 50_000;
const machine = { tasks: 2, threads: 2 } as const;

if (options.again) {
  const [directory = "", ids = ""] = positionals;
  await measureAgain({ directory, ...machine }, ids.split(","));
  process.exit(0);
}
console.log(`Node ${process.version}, ${cpus().length} cores, ${new Date().toISOString()}`);
if (options.waiting) {
  const directory = await mkdtemp(join(tmpdir(), "partita-bench-"));
  try {
    await measureWaiting(1e5 * scale, { directory, ...machine });
  } finally {
    await rm(directory, { recursive: true });
  }
  process.exit(0);
}
await withRuntime({}, async (runtime) => {
  const counters = runtime.store("counters");
  let added = 0;
  const add = (key: string): Promise<number> => {
    added += 1;
    return counters.update("add", key, 1);
  };
  const keys = Array.from({ length: keyCount }, (_, index) => `key-${index}`);
  const keyAt = (index: number): string => keys[index % keyCount] ?? "";
  report(
    "updates, 50 k keys, 20 k in flight",
    await inFlight(2e6 * scale, 20_000, (i) => add(keyAt(i))),
  );
  report("updates, one key, 20 k in flight", await inFlight(1e6 * scale, 20_000, () => add("hot")));
  report("updates, one after the other", await inFlight(5e3 * scale, 1, (i) => add(keyAt(i))));
  report(
    "gets, one after the other",
    await inFlight(5e5 * scale, 1, (i) => counters.get(keyAt(i))),
  );
  let sum = 0;
  for await (const [, count] of counters.entries()) sum += count;
  verify("sum of all counters", sum, added);
});
await withRuntime({}, async (runtime) => {
  const pair = runtime.agent("pair");
  const count = 2e4 * scale;
  report(
    "two-node agent, 200 in flight",
    await inFlight(count, 200, (i) => pair.invoke(`key-${i}`)),
  );
  let sum = 0;
  for await (const [, value] of runtime.store("counters").entries()) sum += value;
  verify("runs of the second node", sum, count);
});
await withRuntime({ durability: "relaxed" }, async (runtime) => {
  const counters = runtime.store("counters");
  const count = 2e6 * scale;
  const add = (index: number): Promise<number> =>
    counters.update("add", `key-${index % keyCount}`, 1);
  report("updates, relaxed, 50 k keys", await inFlight(count, 20_000, add));
  let sum = 0;
  for await (const [, value] of counters.entries()) sum += value;
  verify("sum of all counters", sum, count);
});

async function withRuntime(
  changes: Partial<LaunchOptions>,
  work: (runtime: Awaited<ReturnType<typeof start>>) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "partita-bench-"));
  try {
    await using runtime = await start(directory, changes);
    await work(runtime);
  } finally {
    await rm(directory, { recursive: true });
  }
}

function start(directory: string, changes: Partial<LaunchOptions>) {
  return launch(benchTopology, { directory, ...machine, ...changes });
}

function report(what: string, measured: Measured): void {
  const perSecond = Math.round(measured.perSecond).toLocaleString("en-US");
  const latency = `p50 ${measured.p50Ms.toFixed(3)} ms, p99 ${measured.p99Ms.toFixed(3)} ms`;
  console.log(`${what.padEnd(38)} ${perSecond.padStart(10)} /s   ${latency}`);
}
