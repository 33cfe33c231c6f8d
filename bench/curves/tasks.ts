// Tasks — how updates per second change with the number of tasks, on as many threads as the machine
// has cores.

import { availableParallelism } from "node:os";
import { updates } from "../counters.js";
import type { SubjectSpec, Target } from "../target.js";

const counts = [1, 2, 4, 8, 16];

export const tasksCurve: Target = {
  id: "tasks",
  title: "Durable updates of P1 by the number of tasks",
  unit: "updates/s",
  subjects: Object.fromEntries(counts.map((tasks) => [`${tasks} tasks`, point(tasks)])),
  comparisons: [],
  limits: [],
  ms: { full: 2_000, quick: 200 },
};

function point(tasks: number): SubjectSpec {
  const threads = Math.min(tasks, availableParallelism());
  return updates({ label: String(tasks), launch: { tasks, threads } });
}
