// Limits — what the disk, threads and libraries below ours cost by themselves, measured in the same
// run, so that beside each figure stands what is left to win.

import { spawnSync } from "node:child_process";
import { type Limit, limitKinds, type LimitName } from "./limit.js";
import { during } from "./measure.js";
import { appendAndSync, fillAndSync } from "./peers/disk.js";
import { lmdbPutsPerSecond } from "./peers/lmdb.js";
import { batchedMessagesPerSecond, EchoThread, roundTrips, startThreads } from "./peers/thread.js";
import type { Stage } from "./stage.js";

/** Measures those that are asked for. */
export async function measureLimits(
  stage: Stage,
  names: ReadonlySet<LimitName>,
): Promise<ReadonlyMap<LimitName, Limit>> {
  const ms = stage.quick ? 100 : 1_000;
  const found = new Map<LimitName, Limit>();
  const thread = await EchoThread.open(stage);
  const measures: Readonly<Record<LimitName, () => Promise<number>>> = {
    append: async () => (await appendAndSync(stage, ms)).p50Ms,
    filled: async () => (await fillAndSync(stage, ms)).p50Ms,
    roundTrip: async () => (await roundTrips(stage, thread, ms)).p50Ms,
    batched: async () => await batchedMessagesPerSecond(stage, thread, ms),
    encodeAndPut: async () => await lmdbPutsPerSecond(stage, ms),
    settled: async () => {
      const load = { ms, inFlight: 1, signal: stage.signal };
      return (await during(load, () => Promise.resolve())).perSecond;
    },
    threads: async () => await startThreads(stage, 2),
    node: async () => startNode(),
  };
  for (const name of names) found.set(name, { ...limitKinds[name], value: await measures[name]() });
  await thread.close();
  return found;
}

function startNode(): number {
  const startedAt = performance.now();
  spawnSync(process.execPath, ["-e", "0"]);
  return performance.now() - startedAt;
}
