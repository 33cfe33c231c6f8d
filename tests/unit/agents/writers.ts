// An agent whose nodes stream, as several tests of streams use it.

import { agent } from "../../../agents/agent.js";
import type { AgentClient } from "../../../agents/client/client.js";
import { node } from "../../../agents/declare/node.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";

/** `start` emits each number to `write`, which streams that many letters; then a result. */
function writers(hold: Promise<void> = Promise.resolve()) {
  return agent({
    entry: "start",
    result: type<number>(),
    nodes: {
      start: node({ input: type<number[]>(), to: ["write"] }),
      write: node({ input: type<number>() }),
    },
  }).implement({
    start(ctx, counts) {
      for (const count of counts) ctx.emit("write", count);
    },
    async write(ctx, count) {
      for (let no = 0; no < count; no += 1) {
        await ctx.chunk(String.fromCharCode(97 + no));
        if (no === 1) await hold;
      }
      ctx.result(count);
    },
  });
}

/** The agent `declared`, alone in a harness. */
export function oneWriter(hold?: Promise<void>): {
  readonly harness: ProgramHarness;
  readonly client: AgentClient<number[], number>;
} {
  const declared = writers(hold);
  const harness = new ProgramHarness({ agents: { declared } });
  return { harness, client: clientsOf(harness).agent(declared) };
}
