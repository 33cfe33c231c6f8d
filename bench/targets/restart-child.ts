// The processes of P8: one accepts invocations and holds their messages until it is killed, the
// other finds them.

import { keyOf, launchCounters } from "../counters.js";
import { inFlight, verify } from "../measure.js";
import { holdVariable } from "../topology.js";

export interface RestartOrder {
  readonly path: string;
  readonly role: "leave" | "find";
  /** Outstanding messages, each of which will add one to a counter of its own. */
  readonly messages: number;
}

const order: RestartOrder = JSON.parse(process.argv[2] ?? "");
await (order.role === "leave" ? leave() : find());

async function leave(): Promise<void> {
  process.env[holdVariable] = "1";
  const runtime = await launchCounters(order.path);
  const held = runtime.agent("held");
  await inFlight(order.messages, 2_000, (index) => held.initiate(keyOf(index)));
  for await (const [key] of runtime.store("counters").entries()) verify(`updates of ${key}`, 1, 0);
  console.log("outstanding");
  // Until it is killed.
  setInterval(() => {}, 1_000);
}

async function find(): Promise<void> {
  const runtime = await launchCounters(order.path);
  const launchedAt = performance.now();
  const counters = runtime.store("counters");
  verify("the first update", await counters.update("add", "served", 1), 1);
  // Both count from the start of the process.
  const servingAt = performance.now();
  await runtime.drain();
  let sum = 0;
  for await (const [, count] of counters.entries()) sum += count;
  verify("messages that were done, and the first update", sum, order.messages + 1);
  const doneAt = performance.now();
  await runtime.close();
  console.log(JSON.stringify({ launchMs: launchedAt, servingMs: servingAt, doneMs: doneAt }));
}
