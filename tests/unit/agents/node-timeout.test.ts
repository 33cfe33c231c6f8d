// A bug here would look like this: a node that hangs for ever and with it its key, a late result
// that counts after all, a timer that outlives its run.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { type } from "../../../store/schema.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { StoreContent } from "../../support/program-store.js";
import { balances } from "./fixtures.js";

interface Order {
  readonly key: string;
  /** Runs that hang before one that does not. */
  readonly hangs: number;
}

function slowBench(maxRetries: number) {
  const hold = latch();
  const signals: AbortSignal[] = [];
  const refusals: unknown[] = [];
  const content = new StoreContent({ deposit: (cents, by) => Number(cents ?? 0) + Number(by) });
  let runs = 0;
  const slow = agent({
    entry: "a",
    result: type<number>(),
    maxRetries,
    stores: { balances },
    nodes: { a: node({ input: type<Order>(), key: ({ key }) => key, nodeTimeoutMs: 5_000 }) },
  }).implement({
    async a(ctx, { hangs }) {
      const run = runs;
      runs += 1;
      signals.push(ctx.signal);
      if (run < hangs) await hold.opened;
      const added = ctx.stores.balances.update("deposit", "x", 1);
      await added.catch((error: unknown) => refusals.push(error));
      ctx.result(run);
    },
  });
  const stores = { balances: { declared: balances, content } };
  const harness = new ProgramHarness({ agents: { slow }, tasks: 1, stores });
  return { harness, client: clientsOf(harness).agent(slow), hold, signals, refusals, content };
}

const timedOut = { code: "NODE_TIMEOUT", details: { agent: "slow", node: "a", timeoutMs: 5_000 } };

describe("nodeTimeoutMs — a node that takes too long", () => {
  it("its ctx.signal aborts, then the attempt fails", async () => {
    const { harness, client, signals } = slowBench(1);
    const began = harness.clock.nowMs;
    await expect(harness.until(client.invoke({ key: "k", hangs: 9 }))).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
      details: { failures: [{ attempt: 0 }, { attempt: 1 }] },
      cause: timedOut,
    });
    expect(harness.clock.nowMs - began).toBe(10_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(signals[0]?.reason).toMatchObject(timedOut);
    expect(await lettersOf(harness)).toMatchObject([{ key: "k", attempts: 2 }]);
  });

  it("is run again while it hangs; what it does then is refused and counts no more", async () => {
    const { harness, client, hold, refusals, content } = slowBench(1);
    expect(await harness.until(client.invoke({ key: "k", hangs: 1 }))).toBe(1);
    await harness.run();
    expect(content.get("x")).toBe(1);
    hold.open();
    await harness.run();
    expect(refusals).toMatchObject([timedOut]);
    expect(content.get("x")).toBe(1);
    expect(harness.rowCount(queueTable)).toBe(1);
  });

  it("opens its key to the next when it is given up", async () => {
    const { harness, client } = slowBench(0);
    const first = client.invoke({ key: "k", hangs: 1 }).catch((error: unknown) => error);
    const second = client.invoke({ key: "k", hangs: 0 });
    expect(await harness.until(second)).toBe(1);
    expect(await harness.until(first)).toMatchObject({ code: "INVOCATION_FAILED" });
  });

  it("leaves those alone that end in time, and no timer behind", async () => {
    const { harness, client, signals } = slowBench(0);
    expect(await harness.until(client.invoke({ key: "k", hangs: 0 }))).toBe(0);
    expect(harness.clock.advance()).toBe(false);
    expect(signals[0]?.aborted).toBe(false);
  });

  it("begins anew with each run: a crash gives it all of its time again", async () => {
    const { harness, client } = slowBench(0);
    const invocation = await harness.until(client.initiate({ key: "k", hangs: 9 }));
    await harness.runNow();
    const began = harness.clock.nowMs;
    harness.clock.nowMs += 4_000;
    harness.crash(0);
    await expect(harness.until(invocation.result())).rejects.toMatchObject({ cause: timedOut });
    expect(harness.clock.nowMs - began).toBe(9_000);
  });
});
