// What several tests of agents share: a store, and the smallest agent there is.

import { agent } from "../../../agents/agent.js";
import type { AgentClient } from "../../../agents/client/client.js";
import { node } from "../../../agents/declare/node.js";
import { keyValueStore } from "../../../store/declaration.js";
import { string } from "../../../store/key.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { type HarnessSettings, ProgramHarness } from "../../support/program-harness.js";

export const balances = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { deposit: (cents = 0, amount: number) => cents + amount },
});

/** The part of a context that the one node of `oneNode` uses. */
export interface SimpleContext {
  result(value: string | null | undefined): void;
  now(): number;
  random(): number;
  readonly signal: AbortSignal;
}

type SimpleFunction = (ctx: SimpleContext, message: string) => void | Promise<void>;

/** An agent `simple` with the one node `a`, running in a harness. */
export function oneNode(
  run: SimpleFunction,
  settings: Omit<HarnessSettings, "agents"> = {},
): {
  readonly harness: ProgramHarness;
  readonly client: AgentClient<string, string | null | undefined>;
} {
  const simple = agent({
    entry: "a",
    result: type<string | null | undefined>(),
    nodes: { a: node({ input: type<string>() }) },
  }).implement({ a: run });
  const harness = new ProgramHarness({ agents: { simple }, ...settings });
  return { harness, client: clientsOf(harness).agent(simple) };
}
