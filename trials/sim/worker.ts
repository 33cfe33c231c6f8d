// Worker — a thread of the trial: runs the seeds that it is given, one after the other.

import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { runSeed } from "./seed.js";

/** What a worker is started with. */
export interface WorkerStart {
  /** One number: the seed in hand, for whoever has to end a worker that does not come back. */
  readonly current: SharedArrayBuffer;
  /** Every so many seeds one is run twice, and must come out the same. */
  readonly twiceEvery: number;
}

/** Seeds to run: `from`, and so on. */
export interface Chunk {
  readonly from: number;
  readonly count: number;
}

export interface Broken {
  readonly seed: number;
  readonly violations: readonly string[];
}

/** What came of a chunk. */
export interface ChunkResult {
  readonly seeds: number;
  readonly steps: number;
  readonly crashes: number;
  readonly broken: readonly Broken[];
}

if (isMainThread || parentPort === null) throw new Error("worker.js is the entry of a thread");
// Thousands of errors are made that nobody reads.
Error.stackTraceLimit = 0;
const port = parentPort;
// cast: jobs.ts starts workers with this.
const { current, twiceEvery } = workerData as WorkerStart;
const shown = new BigUint64Array(current);

port.on("message", (chunk: Chunk) => {
  void runChunk(chunk).then((result) => port.postMessage(result));
});

async function runChunk({ from, count }: Chunk): Promise<ChunkResult> {
  let steps = 0;
  let crashes = 0;
  const broken: Broken[] = [];
  for (let seed = from; seed < from + count; seed += 1) {
    Atomics.store(shown, 0, BigInt(seed));
    const outcome = await runSeed(seed);
    steps += outcome.steps;
    crashes += outcome.crashes;
    const violations = [...outcome.violations];
    if (seed % twiceEvery === 0) {
      const { hash } = await runSeed(seed);
      if (hash !== outcome.hash) violations.push(`replay: ${outcome.hash}, then ${hash}`);
    }
    if (violations.length > 0) broken.push({ seed, violations });
  }
  return { seeds: count, steps, crashes, broken };
}
