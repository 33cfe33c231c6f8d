// Driving actions — clients of agents that drive others, of those that begin others and do not
// wait for them, and of those that call themselves while they hold a key.

import { PartitaError } from "../../index.js";
import type { Action } from "./actions.js";
import { begin, inquiryOf } from "./waiting-actions.js";

/** An inquiry that another agent drives: to its end, or to its first question. */
export const errand: Action = async (run, _client, scenario) => {
  const id = run.name("c");
  const leaves = run.pick(3) === 0;
  // What is left standing is asked at desks of its own.
  const inquiry = inquiryOf(run, scenario, id, leaves);
  const agent = run.runtime.agent("clerks");
  const input = { inquiry, leaves };
  const begun = await begin(run, id, (options) => agent.initiate(input, options));
  if (begun === undefined) return;
  const result = await run.persistently(`errand ${id}`, () => begun.result());
  if (result === undefined) return;
  const expected = leaves ? 0 : inquiry.asks.length;
  if (result.value !== expected) run.violations.push(`S2: ${id} is ${result.value} of ${expected}`);
  if (leaves) run.left.push(id);
};

/** What others have begun, and do not wait for: it is cancelled with them, and stands still. */
export const lead: Action = async (run) => {
  const id = run.name("y");
  const agent = run.runtime.agent("leaders");
  const input = { id, walks: 1 + run.pick(3), forwards: run.pick(3) };
  const begun = await begin(run, id, (options) => agent.initiate(input, options));
  if (begun === undefined) return;
  const counts = run.runtime.store("counts");
  const name = `${id} steps`;
  for (let look = run.pick(6); look > 0; look -= 1) {
    await run.outcome(`look at ${id}`, () => counts.get(name));
  }
  const cancelled = await run.persistently(`cancel ${id}`, () => begun.cancel());
  if (cancelled === undefined) return;
  const ended = await run.persistently(`end of ${id}`, () =>
    begun.result().catch((error: unknown) => {
      if (PartitaError.is(error, "INVOCATION_CANCELLED")) return undefined;
      throw error;
    }),
  );
  // One that had ended, or was given up at too many deaths, cancels nothing.
  if (ended === undefined || ended.value !== undefined) return;
  const count = await run.persistently(`count ${id}`, () => counts.get(name));
  if (count !== undefined) run.stopped.push({ name, count: count.value ?? 0 });
};

/** A chain of calls from key to key, which comes back to its first key or does not. */
export const knot: Action = async (run) => {
  const id = run.name("k");
  const isCircle = run.pick(2) === 0;
  const agent = run.pick(2) === 0 ? "knots" : "loops";
  const keys = Array.from({ length: 1 + run.pick(3) }, (_, at) => `${id} key ${at}`);
  const path = isCircle ? [...keys, `${id} key 0`] : keys;
  // Whoever waits for a key that its caller holds is refused; unless that is lent.
  const expected = agent === "knots" ? keys.length : path.length;
  const names = Array.from({ length: expected }, (_, at) => `${id} knot ${at}`);
  const promised = { names, acknowledged: false };
  run.promised.push(promised);
  const client = run.runtime.agent(agent);
  const input = { id, path, at: 0 };
  const begun = await begin(run, id, (options) => client.initiate(input, options));
  if (begun === undefined) return;
  const result = await run.persistently(`${agent} ${id}`, () => begun.result());
  if (result === undefined) return;
  promised.acknowledged = true;
  if (result.value !== expected) run.violations.push(`K1: ${id} is ${result.value} of ${expected}`);
};
