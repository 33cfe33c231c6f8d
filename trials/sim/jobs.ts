// Jobs — runs seeds on several threads, and ends those that do not come back.
//
// Owns: the threads, dealing seeds out in chunks, the time after which a seed counts as hanging.
// Leaves to others: what a seed is (seed.ts).

import { Worker } from "node:worker_threads";
import type { Broken, Chunk, ChunkResult, WorkerStart } from "./worker.js";

export interface JobsOptions {
  /** The worker's file; another one than this build's for mutants. */
  readonly worker: URL;
  readonly from: number;
  readonly count: number;
  readonly jobs: number;
  readonly twiceEvery: number;
  /** Seeds that a thread is given at a time. */
  readonly chunkSeeds: number;
  /** Ends all threads when it aborts. */
  readonly signal: AbortSignal;
  /** Told after each chunk; `false` ends the run. */
  readonly progress: (total: ChunkResult) => boolean;
}

/** A seed takes milliseconds; on a machine that is far too busy, seconds. */
const seedMsMax = 60_000;

/** Runs the seeds; of those that broke something, the first ones are kept. */
export async function runJobs(options: JobsOptions): Promise<ChunkResult> {
  let next = options.from;
  const end = options.from + options.count;
  let total: ChunkResult = { seeds: 0, steps: 0, crashes: 0, broken: [] };
  let isOver = false;
  const take = (): Chunk | undefined => {
    if (isOver || options.signal.aborted || next >= end) return undefined;
    // Small ones first: what is broken everywhere shows at once.
    const count = Math.min(next === options.from ? 5 : options.chunkSeeds, end - next);
    const chunk = { from: next, count };
    next += count;
    return chunk;
  };
  const done = (result: ChunkResult): void => {
    total = added(total, result);
    isOver = !options.progress(total) || isOver;
  };
  const threads = Math.max(1, Math.min(options.jobs, Math.ceil(options.count / 5)));
  await Promise.all(Array.from({ length: threads }, () => work(options, take, done)));
  return total;
}

/** One thread after the other, until nothing is left to take. */
async function work(
  options: JobsOptions,
  take: () => Chunk | undefined,
  done: (result: ChunkResult) => void,
): Promise<void> {
  for (let chunk = take(); chunk !== undefined; chunk = take()) {
    const thread = new JobThread(options);
    try {
      for (let left: Chunk | undefined = chunk; left !== undefined; left = take()) {
        done(await thread.run(left));
        if (thread.isGone) break;
      }
    } finally {
      await thread.end();
    }
  }
}

class JobThread {
  /** It ended by itself, or was ended: another one goes on. */
  isGone = false;
  readonly #worker: Worker;
  readonly #current = new SharedArrayBuffer(8);
  readonly #signal: AbortSignal;

  constructor({ worker, twiceEvery, signal }: JobsOptions) {
    const workerData: WorkerStart = { current: this.#current, twiceEvery };
    this.#worker = new Worker(worker, { workerData, execArgv: [] });
    // Who waits for a chunk hears of it; else it does not matter any more.
    this.#worker.on("error", () => {});
    this.#signal = signal;
  }

  /** A thread that ends under a chunk has broken the seed in hand; the rest of it is not run. */
  run(chunk: Chunk): Promise<ChunkResult> {
    const seed = (): number => Number(Atomics.load(new BigUint64Array(this.#current), 0));
    return new Promise((resolve, reject) => {
      const finish = (result: ChunkResult): void => {
        clearInterval(watch);
        this.#signal.removeEventListener("abort", stop);
        this.#worker.off("message", finish);
        this.#worker.off("error", fail);
        resolve(result);
      };
      const broke = (violation: string): void => {
        this.isGone = true;
        const broken = [{ seed: seed(), violations: [violation] }];
        const seeds = Math.max(1, seed() - chunk.from + 1);
        finish({ seeds, steps: 0, crashes: 0, broken });
      };
      const fail = (error: unknown): void => {
        // What has not even begun says nothing about a seed.
        if (seed() > 0) broke(`S9: uncaught: ${String(error)}`);
        else reject(error);
      };
      const stop = (): void => {
        this.isGone = true;
        finish({ seeds: 0, steps: 0, crashes: 0, broken: [] });
      };
      let last = seed();
      const watch = setInterval(() => {
        // At 0 it still loads its modules.
        if (seed() > 0 && seed() === last) broke(`L1: it hangs, for ${seedMsMax} ms at least`);
        last = seed();
      }, seedMsMax);
      this.#signal.addEventListener("abort", stop, { once: true });
      this.#worker.once("message", finish);
      this.#worker.once("error", fail);
      this.#worker.postMessage(chunk);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** The sum of two results; of many broken seeds the lowest hundred. */
function added(one: ChunkResult, other: ChunkResult): ChunkResult {
  const broken: readonly Broken[] = [...one.broken, ...other.broken].sort((a, b) => {
    return a.seed - b.seed;
  });
  return {
    seeds: one.seeds + other.seeds,
    steps: one.steps + other.steps,
    crashes: one.crashes + other.crashes,
    broken: broken.slice(0, 100),
  };
}
