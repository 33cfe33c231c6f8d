// P8 — a new process after kill -9, with very many messages outstanding: from its start until it
// has answered a durable update.

import { ask, killAfter } from "../child.js";
import { atMost, figureOf, figuresIn, type Target } from "../target.js";
import { newCounters } from "../counters.js";
import type { RestartOrder } from "./restart-child.js";

const program = new URL("./restart-child.js", import.meta.url);

export function p8(isQuick: boolean): Target {
  const messages = isQuick ? 2_000 : 100_000;
  return {
    id: "P8",
    title: `Restart after kill -9, ${messages.toLocaleString("en-US")} messages outstanding`,
    unit: "ms",
    subjects: {
      partita: {
        ours: true,
        shown: [
          { figure: "launchMs", label: "launched, since the start of the process" },
          { figure: "servingMs", label: "an update is answered" },
        ],
        open: async (stage) => ({
          measure: async () => {
            const { path } = await newCounters(stage);
            const order = { path, messages };
            const leave: RestartOrder = { ...order, role: "leave" };
            await killAfter(stage, program, leave, "outstanding");
            const find: RestartOrder = { ...order, role: "find" };
            return figuresIn(await ask(stage, program, find));
          },
          close: async () => {},
        }),
      },
    },
    comparisons: [
      {
        key: "P8",
        what: "start of the process until it serves",
        unit: "ms",
        bound: atMost(1_000),
        of: ["partita"],
        value: (figures) => figureOf(figures, "partita", "servingMs"),
      },
    ],
    limits: ["node", "threads"],
    ms: { full: 1_000, quick: 1_000 },
    warmUp: false,
  };
}
