// lmdb-js alone — the library under ours, used directly in the caller's own thread: what a process
// can have that gives up tasks, order, versions and awaited answers. It encodes values as it comes,
// by msgpackr.

import { open, type RootDatabase } from "lmdb";
import { uniform } from "../chance.js";
import { keyOf, manyKeys } from "../counters.js";
import { duringSync, verify } from "../measure.js";
import type { Stage } from "../stage.js";
import type { SubjectSpec } from "../target.js";

/** Updates that share a transaction, and with it one durable commit. */
const transactionUpdates = 1_000;

/** Reads, adds one and writes, 1,000 in a transaction that is on the device when it returns. */
export function lmdbUpdates(label: string): SubjectSpec {
  return {
    ours: false,
    shown: [{ figure: "perSecond", label }],
    open: async (stage) => {
      const { database, close } = await openDatabase(stage, {});
      let added = 0;
      return {
        measure: async ({ ms, index }) => {
          const next = uniform(manyKeys, stage.seed + index);
          const { count, perSecond } = duringSync(ms, () => {
            database.transactionSync(() => {
              for (let each = 0; each < transactionUpdates; each += 1) {
                const key = keyOf(next());
                database.putSync(key, (database.get(key) ?? 0) + 1);
              }
            });
          });
          added += count * transactionUpdates;
          verify("sum of all counters", sumOf(database), added);
          return { perSecond: perSecond * transactionUpdates };
        },
        close,
      };
    },
  };
}

/** Reads and decodes, without a promise, of keys that have a value. */
export function lmdbGets(label: string): SubjectSpec {
  return {
    ours: false,
    shown: [{ figure: "perSecond", label }],
    open: async (stage) => {
      const { database, close } = await openDatabase(stage, {});
      database.transactionSync(() => {
        for (let index = 0; index < manyKeys; index += 1) database.putSync(keyOf(index), 1);
      });
      return {
        measure: async ({ ms, index }) => {
          const next = uniform(manyKeys, stage.seed + index);
          let sum = 0;
          const { count, ...loaded } = duringSync(ms, () => {
            sum += database.get(keyOf(next())) ?? 0;
          });
          verify("sum of what was read", sum, count);
          return loaded;
        },
        close,
      };
    },
  };
}

/** Values encoded and put per second, written to memory alone: no flush, no read before. */
export async function lmdbPutsPerSecond(stage: Stage, ms: number): Promise<number> {
  const { database, close } = await openDatabase(stage, { noSync: true });
  const next = uniform(manyKeys, stage.seed);
  const { perSecond } = duringSync(ms, (index) => {
    database.transactionSync(() => {
      for (let each = 0; each < transactionUpdates; each += 1) {
        database.putSync(keyOf(next()), index);
      }
    });
  });
  await close();
  return perSecond * transactionUpdates;
}

async function openDatabase(stage: Stage, changes: { noSync?: boolean }) {
  const database = open<number, string>({
    path: await stage.newDirectory("lmdb"),
    // A commit waits for the device, as ours does.
    overlappingSync: false,
    ...changes,
  });
  return { database, close: stage.atEnd(() => database.close()) };
}

function sumOf(database: RootDatabase<number, string>): number {
  let sum = 0;
  for (const { value } of database.getRange()) sum += value;
  return sum;
}
