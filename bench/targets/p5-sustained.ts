// P5 — the load of P1 for a minute, checkpoints running all the time, on many more keys.

import { type Draw, uniform, zipfian } from "../chance.js";
import { manyKeys, sharedCounters, updates } from "../counters.js";
import { atLeast, atMost, ratio, ratioWithin, type SubjectSpec, type Target } from "../target.js";

const full = { million: 1_000_000, tenMillion: 10_000_000 };
const quick = { million: 80_000, tenMillion: 100_000 };
/** How much longer the slow ones wait than most do. */
const tail = ["p99Ms", "p50Ms"] as const;

export function p5(isQuick: boolean): Target {
  const { million, tenMillion } = isQuick ? quick : full;
  return {
    id: "P5",
    title: "Durable updates sustained for a minute, checkpoints running",
    unit: "updates/s",
    subjects: {
      many: sustained(manyKeys, "uniform", uniform),
      million: sustained(million, "uniform", uniform),
      zipfian: sustained(tenMillion, "zipfian 0.99", zipfian),
    },
    comparisons: [
      ratio("P5", "10^6 keys / 50,000", ["million", "many"], "perSecond", atLeast(0.6)),
      ratio("P5-zipfian", "10^7 keys / 50,000", ["zipfian", "many"], "perSecond", atLeast(0.4)),
      ratioWithin("P5-p99", "p99 / p50, 10^6 keys", "million", tail, atMost(20)),
      ratioWithin("P5-zipfian-p99", "p99 / p50, 10^7 keys", "zipfian", tail, atMost(20)),
    ],
    limits: ["encodeAndPut", "append"],
    ms: { full: 60_000, quick: 500 },
    // What fills the directories has warmed up everything.
    warmUp: false,
  };
}

function sustained(
  keys: number,
  word: string,
  draw: (keys: number, seed: number) => Draw,
): SubjectSpec {
  return updates({
    label: `${keys.toLocaleString("en-US")} keys, ${word}`,
    directory: (stage) => sharedCounters(stage, keys),
    draw: (seed) => draw(keys, seed),
  });
}
