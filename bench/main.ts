// `npm run bench`: this library beside what a user would pick instead. README.md says what is
// measured, options.ts what it can be told.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { machine } from "./counters.js";
import { type BenchOptions, parseOptions, usage } from "./options.js";
import type { Target } from "./target.js";
import { measureAgain, measureWaiting } from "./waiting.js";

const waitingCount = 1e5;
const waitingCountQuick = 5e3;

// What waits is measured in memory, without all that the rest would load.
const isAlone = process.argv.some((argument) => ["--waiting", "--again"].includes(argument));
const targetsOf = isAlone ? () => [] : (await import("./targets.js")).targetsOf;

process.exitCode = await main();

async function main(): Promise<number> {
  const options = optionsOrUndefined();
  if (options === undefined) return 2;
  if (options.help) {
    console.log(usage);
    return 0;
  }
  if (options.again !== undefined) {
    const [directory = "", ids = ""] = options.again;
    await measureAgain({ directory, ...machine }, ids.split(","));
    return 0;
  }
  if (options.waiting) return await waiting(options.quick);
  const { drawFrom, runBenchmark } = await import("./run.js");
  if (options.from !== undefined && options.charts !== undefined) {
    await drawFrom(options.from, options.charts);
    return 0;
  }
  return await runBenchmark(options, selected(options), interruption());
}

function optionsOrUndefined(): BenchOptions | undefined {
  try {
    return parseOptions(
      process.argv.slice(2),
      targetsOf(true).map(({ id }) => id),
    );
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    console.error("bench: --help lists the options");
    return undefined;
  }
}

function selected({ only, quick }: BenchOptions): readonly Target[] {
  const targets = targetsOf(quick);
  if (only === undefined) return targets;
  return targets.filter(({ id, partOf = id }) => only.includes(id) || only.includes(partOf));
}

/** The first Ctrl-C ends what runs and cleans up; another one does not wait for that. */
function interruption(): AbortSignal {
  const abort = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (abort.signal.aborted) process.exit(130);
      abort.abort(new Error("interrupted"));
    });
  }
  return abort.signal;
}

async function waiting(quick: boolean): Promise<number> {
  console.log(`Node ${process.version}, ${new Date().toISOString()}`);
  const directory = await mkdtemp(join(tmpdir(), "partita-bench-"));
  try {
    const count = quick ? waitingCountQuick : waitingCount;
    await measureWaiting(count, { directory, ...machine });
    return 0;
  } finally {
    await rm(directory, { recursive: true });
  }
}
