// Targets — all that the benchmark knows, in the order in which it is measured.

import { keysCurve } from "./curves/keys.js";
import { tasksCurve } from "./curves/tasks.js";
import { p1 } from "./targets/p1-updates.js";
import { p10 } from "./targets/p10-hot-key.js";
import { p2 } from "./targets/p2-gets.js";
import { p3 } from "./targets/p3-one-by-one.js";
import { p4 } from "./targets/p4-agents.js";
import { p5 } from "./targets/p5-sustained.js";
import { p6 } from "./targets/p6-relaxed.js";
import { p7 } from "./targets/p7-launch.js";
import { p8 } from "./targets/p8-restart.js";
import { p9 } from "./targets/p9-memory.js";
import type { Target } from "./target.js";

/** Those that take many keys or a minute take fewer and less when it is to be quick. */
export function targetsOf(isQuick: boolean): readonly Target[] {
  return [
    ...[p1, p2, p3, p4, p6, p10, p7(isQuick), p8(isQuick)],
    tasksCurve,
    ...[p9(isQuick), p5(isQuick), keysCurve(isQuick)],
  ];
}
