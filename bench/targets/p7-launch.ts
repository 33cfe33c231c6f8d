// P7 — launch and close on a directory with many keys, each time in a new process.

import { ask } from "../child.js";
import { filledCounters } from "../counters.js";
import { atMost, type Comparison, figureOf, figuresIn, type Target } from "../target.js";
import type { LaunchOrder } from "./launch-child.js";

const tasks = 4;
const program = new URL("./launch-child.js", import.meta.url);

export function p7(isQuick: boolean): Target {
  const keys = isQuick ? 50_000 : 1_000_000;
  return {
    id: "P7",
    title: `Launch and close, 4 tasks, ${keys.toLocaleString("en-US")} keys`,
    unit: "ms",
    subjects: {
      partita: {
        ours: true,
        shown: [
          { figure: "launchMs", label: "launch" },
          { figure: "closeMs", label: "close" },
        ],
        open: async (stage) => {
          const { path } = await filledCounters(stage, { keys, tasks });
          const order: LaunchOrder = { path, keys, tasks };
          return {
            measure: async () => figuresIn(await ask(stage, program, order)),
            close: async () => {},
          };
        },
      },
    },
    comparisons: [time("P7", "launch", "launchMs", 200), time("P7-close", "close", "closeMs", 100)],
    limits: ["threads"],
    ms: { full: 1_000, quick: 1_000 },
  };
}

function time(key: string, what: string, figure: string, ms: number): Comparison {
  const value: Comparison["value"] = (figures) => figureOf(figures, "partita", figure);
  return { key, what, unit: "ms", bound: atMost(ms), of: ["partita"], value };
}
