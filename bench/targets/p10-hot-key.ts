// P10 — all updates on one key, beside 50,000 keys.

import { updates } from "../counters.js";
import { atLeast, ratio, type Target } from "../target.js";

export const p10: Target = {
  id: "P10",
  title: "Durable updates of one hot key, 20,000 in flight",
  unit: "updates/s",
  subjects: {
    hot: updates({ label: "one key", draw: () => () => 0 }),
    many: updates({ label: "50,000 keys" }),
  },
  comparisons: [ratio("P10", "one key / 50,000 keys", ["hot", "many"], "perSecond", atLeast(1))],
  limits: ["batched"],
  ms: { full: 2_500, quick: 250 },
};
