// A bug here would look like this: a deposit for each attempt, a mail for each replay, records of
// operations that stay for ever.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { runtimeOver } from "../../../launch.js";
import { systemTable } from "../../../runtime/system-table.js";
import { topology } from "../../../runtime/topology.js";
import { type } from "../../../store/schema.js";
import { openedCluster } from "../../support/inline-cluster.js";
import { balances } from "./fixtures.js";

/** A topology whose node does what has effects, and then throws as long as there is poison. */
async function payments() {
  const state = { poison: true, runs: 0, mails: 0 };
  const pay = agent({
    stores: { balances },
    entry: "a",
    result: type<number>(),
    nodes: { a: node({ input: type<string>() }) },
  }).implement({
    async a(ctx, payer) {
      state.runs += 1;
      for (const account of [payer, "bank", "tax"]) {
        await ctx.stores.balances.update("deposit", account, 1);
      }
      await ctx.run("mail", () => {
        state.mails += 1;
      });
      if (state.poison) throw new Error("after all that");
      ctx.result(state.mails);
    },
  });
  const declared = topology("payments", "file:///payments.js", {
    stores: { balances },
    agents: { pay },
  });
  const cluster = await openedCluster(declared);
  const runtime = runtimeOver(declared, cluster);
  const { id } = await runtime.agent("pay").initiate("ada");
  const failed = await runtime
    .agent("pay")
    .get(id)
    .result()
    .catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "INVOCATION_FAILED" });
  const ids: string[] = [];
  for await (const letter of runtime.deadLetters.list()) ids.push(letter.id);
  return {
    state,
    runtime,
    invocation: runtime.agent("pay").get(id),
    letterId: ids[0] ?? "",
    balances: () => runtime.store("balances").getMany(["ada", "bank", "tax"]),
    recorded: () =>
      cluster.local.host.drivers.reduce(
        (sum, { storage }) => sum + storage.page(systemTable.operations, {}, 100).length,
        0,
      ),
  };
}

describe("retry — what a node does beside its result", () => {
  it("takes effect once over all attempts", async () => {
    const { state, balances: paid, recorded } = await payments();
    expect(state).toMatchObject({ runs: 3, mails: 1 });
    expect(await paid()).toEqual([1, 1, 1]);
    // They are kept as long as the dead letter is.
    expect(recorded()).toBe(4);
  });

  it("takes effect once over a replay too, after which nothing is recorded", async () => {
    const { state, runtime, invocation, letterId, balances: paid, recorded } = await payments();
    state.poison = false;
    await runtime.deadLetters.replay(letterId);
    expect(await invocation.result()).toBe(1);
    await runtime.drain();
    expect(state).toMatchObject({ runs: 4, mails: 1 });
    expect(await paid()).toEqual([1, 1, 1]);
    expect(recorded()).toBe(0);
  });

  it("is no longer recorded when the dead letter is discarded", async () => {
    const { runtime, letterId, balances: paid, recorded } = await payments();
    await runtime.deadLetters.discard(letterId);
    await runtime.drain();
    expect(recorded()).toBe(0);
    expect(await paid()).toEqual([1, 1, 1]);
  });
});
