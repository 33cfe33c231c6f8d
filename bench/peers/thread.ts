// Thread — what it costs to reach another thread and to hear from it, with nothing done there.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { during, type Loaded } from "../measure.js";
import type { Stage } from "../stage.js";

const url = new URL("./echo-thread.js", import.meta.url);

export class EchoThread {
  readonly close: () => Promise<void>;
  readonly #worker: Worker;
  readonly #waiting: ((message: unknown) => void)[] = [];

  private constructor(worker: Worker, stage: Stage) {
    this.#worker = worker;
    this.close = stage.atEnd(async () => void (await worker.terminate()));
    worker.on("message", (message) => this.#waiting.shift()?.(message));
  }

  static async open(stage: Stage): Promise<EchoThread> {
    const worker = new Worker(url, { execArgv: [] });
    await once(worker, "message", { signal: stage.signal });
    return new EchoThread(worker, stage);
  }

  /** There and back. */
  async send(message: unknown): Promise<unknown> {
    return await new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#worker.postMessage(message);
    });
  }
}

/** One message at a time, each awaited. */
export async function roundTrips(stage: Stage, thread: EchoThread, ms: number): Promise<Loaded> {
  const load = { ms, inFlight: 1, sampleEvery: 1, signal: stage.signal };
  return await during(load, (index) => thread.send(index));
}

/** Messages per second in batches, there and back, some batches in flight. */
export async function batchedMessagesPerSecond(
  stage: Stage,
  thread: EchoThread,
  ms: number,
): Promise<number> {
  const batch = Array.from({ length: 64 }, (_, index) => `key-${index}`);
  const load = { ms, inFlight: 16, signal: stage.signal };
  const { perSecond } = await during(load, () => thread.send(batch));
  return perSecond * batch.length;
}

/** Starts so many threads side by side and ends them; how long until all have said something. */
export async function startThreads(stage: Stage, count: number): Promise<number> {
  const startedAt = performance.now();
  const threads = await Promise.all(Array.from({ length: count }, () => EchoThread.open(stage)));
  const ms = performance.now() - startedAt;
  await Promise.all(threads.map((thread) => thread.close()));
  return ms;
}
