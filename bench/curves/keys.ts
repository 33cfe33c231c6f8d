// Keys — how updates per second change with the number of keys.

import { uniform } from "../chance.js";
import { sharedCounters, updates } from "../counters.js";
import type { SubjectSpec, Target } from "../target.js";

const sizes = [10_000, 100_000, 1_000_000, 10_000_000];
const sizesQuick = [10_000, 100_000];
/** Each round adds up all counters afterwards. */
const roundsMax = 3;

export function keysCurve(isQuick: boolean): Target {
  const counts = isQuick ? sizesQuick : sizes;
  return {
    id: "keys",
    partOf: "P5",
    title: "Durable updates by the number of keys, uniform",
    unit: "updates/s",
    subjects: Object.fromEntries(counts.map((keys) => [`${keys}`, point(keys)])),
    comparisons: [],
    limits: [],
    ms: { full: 15_000, quick: 300 },
    roundsMax,
    warmUp: false,
  };
}

function point(keys: number): SubjectSpec {
  return updates({
    label: keys.toLocaleString("en-US"),
    directory: (stage) => sharedCounters(stage, keys),
    draw: (seed) => uniform(keys, seed),
  });
}
