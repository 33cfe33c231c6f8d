// The process of P7: launches on a directory that exists, and closes.

import { keyOf, launchCounters } from "../counters.js";
import { verify } from "../measure.js";

export interface LaunchOrder {
  readonly path: string;
  readonly keys: number;
  readonly tasks: number;
}

const keysRead = 1_000;

const order: LaunchOrder = JSON.parse(process.argv[2] ?? "");
const startedAt = performance.now();
const runtime = await launchCounters(order.path, { tasks: order.tasks });
const launchedAt = performance.now();
const counters = runtime.store("counters");
for (let read = 0; read < keysRead; read += 1) {
  const key = keyOf(Math.floor((read * order.keys) / keysRead));
  verify(key, (await counters.get(key)) ?? 0, 1);
}
const closingAt = performance.now();
await runtime.close();
const closedAt = performance.now();
console.log(JSON.stringify({ launchMs: launchedAt - startedAt, closeMs: closedAt - closingAt }));
