// P9 — memory: flat while keys are read and written, and within what is configured when far more is
// asked for than can be done. In a process of its own.

import { ask } from "../child.js";
import { newCounters } from "../counters.js";
import { verify } from "../measure.js";
import { atMost, figuresIn, ratioWithin, type Target } from "../target.js";
import type { MemoryOrder } from "./memory-child.js";

const program = new URL("./memory-child.js", import.meta.url);
/** Flat: what is left is the noise of the collector. */
const growthMax = 1.1;

export function p9(isQuick: boolean): Target {
  const keys = isQuick ? 20_000 : 1_000_000;
  const arenaBytes = (isQuick ? 4 : 64) * 2 ** 20;
  return {
    id: "P9",
    title: `Resident size, ${keys.toLocaleString("en-US")} keys for a minute, then 10x overload`,
    unit: "MiB",
    subjects: {
      partita: {
        ours: true,
        shown: [
          { figure: "idle", label: "launched, no data" },
          { figure: "before", label: "reading and writing, early" },
          { figure: "after", label: "reading and writing, late" },
          { figure: "peak", label: "the most, overload included" },
          { figure: "bound", label: "sum of the configured limits" },
        ],
        open: async (stage) => ({
          measure: async ({ ms, index }) => {
            const { path } = await newCounters(stage);
            const seed = stage.seed + index;
            const order: MemoryOrder = { path, keys, arenaBytes, ms, seed };
            const figures = figuresIn(await ask(stage, program, order));
            const { refused = 0, answered = 0 } = figures;
            verify("more refused than accepted", Number(refused > answered), 1);
            return figures;
          },
          close: async () => {},
        }),
      },
    },
    comparisons: [
      ratioWithin("P9", "late / early", "partita", ["after", "before"], atMost(growthMax)),
      ratioWithin("P9-overload", "most / limits", "partita", ["peak", "bound"], atMost(1)),
    ],
    limits: [],
    ms: { full: 60_000, quick: 1_000 },
    warmUp: false,
  };
}
