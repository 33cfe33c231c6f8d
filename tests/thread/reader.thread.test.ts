// Readers on threads of their own, while the owner commits, swaps and checkpoints as fast as it
// can.

import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { describe, expect, it, onTestFinished } from "vitest";
import type { CheckpointJob, CheckpointResult } from "../../store/checkpoint.js";
import type { RecordWrite, TaskStorage } from "../../store/storage.js";
import { createTaskMemory } from "../../store/task-memory.js";
import { openTaskStorage } from "../../store/task-storage.js";
import { record } from "../support/storage-bytes.js";
import { commit } from "../support/storage-fixture.js";
import { tempDirectory } from "../support/temp-directory.js";
import type { ReaderReport, ReaderThreadData } from "../topologies/reader-thread.js";

const file = new URL("../../dist/tests/topologies/reader-thread.js", import.meta.url);
const pairs = 12;
/** Looks of each reader while the owner commits: it goes on until they were taken. */
const looksMin = 2_000;
const checkpointsMin = 6;

function startThread(data: ReaderThreadData): Worker {
  const worker = new Worker(file, { workerData: data });
  onTestFinished(async () => {
    await worker.terminate();
  });
  return worker;
}

/** The next message of a thread; rejects when it dies before. */
function answerOf<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    const cleanUp = (): void => {
      worker.off("message", onMessage);
      worker.off("error", onError);
    };
    const onMessage = (message: T): void => {
      cleanUp();
      resolve(message);
    };
    const onError = (error: unknown): void => {
      cleanUp();
      reject(error);
    };
    worker.on("message", onMessage);
    worker.on("error", onError);
  });
}

/** A value all of whose words are `number`, of a length that changes with it. */
function filled(number: number): Uint8Array {
  return new Uint8Array(new Uint32Array(4 + (number % 60)).fill(number).buffer);
}

/** Frame number `number`, by the rules that reader-thread.ts gives. */
class Owner {
  readonly #storage: TaskStorage;
  readonly #published: Int32Array;

  constructor(storage: TaskStorage, published: Int32Array) {
    this.#storage = storage;
    this.#published = published;
  }

  async commit(number: number): Promise<void> {
    const version = number * 20;
    const pair = (number * 7) % pairs;
    const value = filled(number);
    const queued = `q${String(number).padStart(8, "0")}`;
    const served = `q${String(number - 1).padStart(8, "0")}`;
    const records: RecordWrite[] = [
      record(16, `left-${pair}`, version + 1, value),
      record(16, `right-${pair}`, version + 2, value),
      record(18, served, version + 3, undefined),
      record(18, queued, version + 4, value, { fresh: true }),
    ];
    const clears = number % 10 === 0;
    for (let row = 0; clears && row < 5; row += 1) {
      records.push(record(17, `${row}-${number % 3}`, version + 6 + row, value));
    }
    await commit(this.#storage, records, clears ? [[17, version + 5]] : []);
    Atomics.store(this.#published, pair, number);
  }
}

interface Setting {
  readonly durability: "durable" | "relaxed";
  readonly frames: number;
  readonly checkpointEvery: number;
}

async function hammer({ durability, frames, checkpointEvery }: Setting): Promise<void> {
  const directory = tempDirectory();
  const taskId = 1;
  const memory = createTaskMemory({ arenaBytes: 1024 * 1024 });
  const published = new Int32Array(new SharedArrayBuffer(pairs * 4));
  const done = new Int32Array(new SharedArrayBuffer(4));
  const jobs = startThread({ role: "checkpoint" });
  const runCheckpoint = (job: CheckpointJob): Promise<CheckpointResult> => {
    const answer = answerOf<CheckpointResult>(jobs);
    jobs.postMessage(job);
    return answer;
  };
  const options = { directory, taskId, memory, durability, runCheckpoint };
  const storage = await openTaskStorage(options);
  onTestFinished(() => storage.close());
  const shared = published.buffer;
  const looks = [1, 2].map(() => new Int32Array(new SharedArrayBuffer(4)));
  const reports = looks.map((word) => {
    const words = { published: shared, done: done.buffer, looks: word.buffer };
    return answerOf<ReaderReport>(
      startThread({ role: "reader", directory, taskId, memory, ...words }),
    );
  });
  // A reader that found something wrong reports it at once and looks no more.
  let hasReport = false;
  void Promise.race(reports).finally(() => {
    hasReport = true;
  });
  const fewestLooks = (): number => Math.min(...looks.map((word) => Atomics.load(word, 0)));
  // A thread may take longer to start than all frames together: they begin when both look.
  while (fewestLooks() < 50 && !hasReport) await setImmediate();
  const looksBefore = fewestLooks();
  const owner = new Owner(storage, published);
  let checkpoint = Promise.resolve();
  // One that is asked for while another is written is no further one.
  const isEnough = (): boolean => {
    if (hasReport) return true;
    return fewestLooks() > looksBefore + looksMin && storage.stats().checkpoints >= checkpointsMin;
  };
  for (let number = 1; number <= frames || !isEnough(); number += 1) {
    await owner.commit(number);
    if (number % checkpointEvery === 0) checkpoint = storage.checkpoint();
    if (number % 4 === 0) await setImmediate();
  }
  await checkpoint;
  Atomics.store(done, 0, 1);
  for (const report of await Promise.all(reports)) {
    expect(report.problem).toBeUndefined();
    expect(report.gets).toBeGreaterThan(looksMin);
    expect(report.pages).toBeGreaterThan(looksMin / 50);
  }
  expect(storage.stats().checkpoints).toBeGreaterThanOrEqual(checkpointsMin);
}

describe("reader — on other threads than the owner", () => {
  it("sees nothing old, torn or partial while the owner swaps all the time", async () => {
    await hammer({ durability: "relaxed", frames: 6_000, checkpointEvery: 100 });
  });

  it("sees nothing old, torn or partial while arenas fill up by themselves", async () => {
    await hammer({ durability: "relaxed", frames: 30_000, checkpointEvery: 100_000 });
  });

  it("sees nothing old, torn or partial while every frame is synced", async () => {
    await hammer({ durability: "durable", frames: 1_500, checkpointEvery: 200 });
  });
});
