// Counters — the library's store of counters as a subject: updated, read, and added up afterwards.
//
// Invariant:
//   K1. After each measurement the sum over all counters is the number of updates that were
//       answered since the directory was made, or the measurement has failed.

import { type LaunchOptions, launch } from "partita";
import { type Draw, uniform } from "./chance.js";
import { during, inFlight, verify } from "./measure.js";
import type { Stage } from "./stage.js";
import type { Round, SubjectSpec } from "./target.js";
import { benchTopology } from "./topology.js";

/** The machine that the targets are written for. */
export const machine = { tasks: 2, threads: 2 } as const;

export const manyKeys = 50_000;
export const manyInFlight = 20_000;

/** Filling so many takes seconds. */
const keysToTell = 1_000_000;

export interface CountersOptions {
  readonly launch?: Partial<LaunchOptions>;
  readonly label: string;
  /** What charts show. Default `perSecond`. */
  readonly figure?: "perSecond" | "p50Ms";
  readonly inFlight?: number;
  /** Default: uniform over `manyKeys`. */
  readonly draw?: (seed: number) => Draw;
  /** A directory that has counters already; default a new one. */
  readonly directory?: (stage: Stage) => Promise<CountersDirectory>;
}

/** A directory of counters and what they must add up to. */
export interface CountersDirectory {
  readonly path: string;
  sum: number;
}

export type Launched = Awaited<ReturnType<typeof launchCounters>>;

export function keyOf(index: number): string {
  return `key-${index}`;
}

/** Updates with many in flight, or one after the other. */
export function updates(options: CountersOptions): SubjectSpec {
  const { label, figure = "perSecond" } = options;
  return {
    ours: true,
    shown: [{ figure, label }],
    open: async (stage) => {
      const directory = await (options.directory ?? newCounters)(stage);
      const runtime = await launchCounters(directory.path, options.launch);
      const close = stage.atEnd(() => runtime.close());
      const counters = runtime.store("counters");
      const { draw = (seed: number) => uniform(manyKeys, seed) } = options;
      const measure = async ({ ms, index }: Round) => {
        const next = draw(stage.seed + index);
        const inFlightMax = options.inFlight ?? manyInFlight;
        const sampleEvery = inFlightMax === 1 ? 1 : 16;
        const load = { ms, inFlight: inFlightMax, sampleEvery, signal: stage.signal };
        const { count, ...loaded } = await during(load, () =>
          counters.update("add", keyOf(next()), 1),
        );
        directory.sum += count;
        await verifySum(runtime, directory);
        return loaded;
      };
      return { measure, close };
    },
  };
}

/** Gets, one after the other, of keys that have a value. */
export function gets(label: string): SubjectSpec {
  return {
    ours: true,
    shown: [{ figure: "perSecond", label }],
    open: async (stage) => {
      const { path } = await filledCounters(stage, { keys: manyKeys, tasks: machine.tasks });
      const runtime = await launchCounters(path);
      const close = stage.atEnd(() => runtime.close());
      const counters = runtime.store("counters");
      return {
        measure: async ({ ms, index }) => {
          const next = uniform(manyKeys, stage.seed + index);
          let sum = 0;
          const load = { ms, inFlight: 1, signal: stage.signal };
          const { count, ...loaded } = await during(load, async () => {
            sum += (await counters.get(keyOf(next()))) ?? 0;
          });
          verify("sum of what was read", sum, count);
          return loaded;
        },
        close,
      };
    },
  };
}

export async function launchCounters(path: string, changes: Partial<LaunchOptions> = {}) {
  return await launch(benchTopology, { directory: path, ...machine, ...changes });
}

export async function newCounters(stage: Stage): Promise<CountersDirectory> {
  return { path: await stage.newDirectory("counters"), sum: 0 };
}

/** A new directory in which every key has 1. */
export async function filledCounters(
  stage: Stage,
  { keys, tasks }: { readonly keys: number; readonly tasks: number },
): Promise<CountersDirectory> {
  if (keys >= keysToTell)
    stage.say(`a directory of ${keys.toLocaleString("en-US")} keys is filled`);
  const directory = await newCounters(stage);
  await using runtime = await launchCounters(directory.path, { tasks });
  const counters = runtime.store("counters");
  await inFlight(keys, manyInFlight, (index) => {
    stage.signal.throwIfAborted();
    return counters.update("add", keyOf(index), 1);
  });
  directory.sum = keys;
  await verifySum(runtime, directory);
  return directory;
}

/** One with at least 1 for every key, filled once in a run; open in one place at a time. */
export async function sharedCounters(stage: Stage, keys: number): Promise<CountersDirectory> {
  const make = () => filledCounters(stage, { keys, tasks: machine.tasks });
  return await stage.shared(`counters of ${keys} keys`, make);
}

/** K1. */
export async function verifySum(runtime: Launched, directory: CountersDirectory): Promise<void> {
  let sum = 0;
  for await (const [, count] of runtime.store("counters").entries()) sum += count;
  verify("sum of all counters", sum, directory.sum);
}
