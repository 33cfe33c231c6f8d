// Checkpoint pool — runs checkpoint jobs in Piscina threads of their own, at most one for each
// task.
//
// Owns: the pool, and the wait for a task's job before its thread is started again (the job reads
// the frozen arena). Leaves to others: the job (store/checkpoint.ts), when to run one
// (task-storage.ts).

import type { Piscina } from "piscina";
import type { CheckpointJob, CheckpointResult } from "../store/checkpoint.js";

export class CheckpointPool {
  readonly #threads: number;
  readonly #running = new Map<number, Promise<unknown>>();
  #pool: Promise<Piscina<CheckpointJob, CheckpointResult>> | undefined;

  constructor(threads: number) {
    this.#threads = threads;
  }

  /** Runs a job; rejects with what it threw. */
  async run(job: CheckpointJob): Promise<CheckpointResult> {
    this.#pool ??= openPool(this.#threads);
    const result = this.#pool.then((pool) => pool.run(job));
    const settled = result.catch(() => {});
    this.#running.set(job.taskId, settled);
    try {
      return await result;
    } finally {
      if (this.#running.get(job.taskId) === settled) this.#running.delete(job.taskId);
    }
  }

  /** Resolves when no job of these tasks runs. */
  async settled(tasks: readonly number[]): Promise<void> {
    await Promise.all(tasks.map((task) => this.#running.get(task)));
  }

  async close(): Promise<void> {
    const pool = await this.#pool;
    await pool?.close();
  }
}

/** Loads the package with the first job: a launch has none, as a rule. */
async function openPool(threads: number): Promise<Piscina<CheckpointJob, CheckpointResult>> {
  const { Piscina } = await import("piscina");
  return new Piscina<CheckpointJob, CheckpointResult>({
    filename: new URL("./checkpoint-thread.js", import.meta.url).href,
    name: "checkpoint",
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: 10_000,
    atomics: "disabled",
  });
}
