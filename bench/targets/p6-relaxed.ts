// P6 — what durability costs: the load of P1 in mode `relaxed`, beside `durable`.

import { updates } from "../counters.js";
import { ratio, type Target } from "../target.js";

export const p6: Target = {
  id: "P6",
  title: "Updates of P1, relaxed beside durable",
  unit: "updates/s",
  subjects: {
    relaxed: updates({ label: "relaxed", launch: { durability: "relaxed" } }),
    durable: updates({ label: "durable" }),
  },
  comparisons: [ratio("P6", "relaxed / durable", ["relaxed", "durable"], "perSecond")],
  limits: ["batched", "append"],
  ms: { full: 2_500, quick: 250 },
};
