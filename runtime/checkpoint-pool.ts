// Checkpoint pool — runs checkpoint jobs in Piscina threads of their own, at most one for each
// task.
//
// Owns: the pool, and the wait for a task's job before its thread is started again (the job reads
// the frozen arena). Leaves to others: the job (store/checkpoint.ts), when to run one
// (task-storage.ts).

import { Piscina } from "piscina";
import type { CheckpointJob, CheckpointResult } from "../store/checkpoint.js";

export class CheckpointPool {
  readonly #pool: Piscina<CheckpointJob, CheckpointResult>;
  readonly #running = new Map<number, Promise<unknown>>();

  constructor(threads: number) {
    this.#pool = new Piscina<CheckpointJob, CheckpointResult>({
      filename: new URL("./checkpoint-thread.js", import.meta.url).href,
      name: "checkpoint",
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: 10_000,
      atomics: "disabled",
    });
  }

  /** Runs a job; rejects with what it threw. */
  async run(job: CheckpointJob): Promise<CheckpointResult> {
    const result = this.#pool.run(job);
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
    await this.#pool.close();
  }
}
