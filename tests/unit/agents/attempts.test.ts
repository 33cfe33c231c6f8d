// A bug here would look like this: an invocation that is tried more often than it may be, a node
// that runs again though it had finished, an orphan whose effects count.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { sum } from "../../../agents/declare/aggregators.js";
import { node } from "../../../agents/declare/node.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import { fenceTable } from "../../../agents/node/fences.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { PartitaError } from "../../../base/errors.js";
import { type } from "../../../store/schema.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { type Latch, latch } from "../../support/latch.js";
import { type HarnessSettings, ProgramHarness } from "../../support/program-harness.js";
import { StoreContent } from "../../support/program-store.js";
import { traced } from "../../support/traced-nodes.js";
import { balances } from "./fixtures.js";

interface Part {
  readonly name: string;
  /** In which of its runs it throws, counted from 0. */
  readonly throwsIn: readonly number[];
  /** In which it waits for the latch first. */
  readonly waitsIn: readonly number[];
}

/** An agent that splits into parts, of which some throw and some hang; the last one answers. */
function fanBench(
  options: { readonly maxRetries?: number; readonly retryBackoffMs?: number } = {},
  settings: { readonly tasks?: number; readonly seed?: number } = {},
) {
  const log: string[] = [];
  const runs = new Map<string, number>();
  const signals: AbortSignal[] = [];
  const refusals: unknown[] = [];
  const read: unknown[] = [];
  const hold: { latch: Latch } = { latch: latch() };
  const content = new StoreContent({ deposit: (cents, by) => Number(cents ?? 0) + Number(by) });
  const fan = agent({
    ...options,
    entry: "split",
    result: type<string>(),
    stores: { balances },
    nodes: {
      split: node({ input: type<readonly Part[]>(), to: ["part"] }),
      part: node({ input: type<Part>(), to: ["last"] }),
      last: node({ input: type<string>() }),
    },
  }).implement({
    split(ctx, parts) {
      log.push("split");
      for (const part of parts) ctx.emit("part", part);
    },
    async part(ctx, { name, throwsIn, waitsIn }) {
      const run = runs.get(name) ?? 0;
      runs.set(name, run + 1);
      log.push(`${name} ${ctx.nodeInvocationId}`);
      if (waitsIn.includes(run)) {
        signals.push(ctx.signal);
        await hold.latch.opened;
        await ctx.stores.balances.update("deposit", name, 1).catch((error) => refusals.push(error));
        const half = ctx.stores.balances.modify(name, (cents = 0) => cents / 2);
        await half.catch((error: unknown) => refusals.push(error));
        const outcome = ctx.run("note", () => name);
        await outcome.catch((error: unknown) => refusals.push(error));
        read.push(await ctx.stores.balances.get("other", 7));
      }
      if (throwsIn.includes(run)) throw new Error(`${name} in run ${run}`);
      ctx.emit("last", name);
    },
    last(ctx, name) {
      log.push(`last of ${name} ${ctx.nodeInvocationId}`);
    },
  });
  const stores = { balances: { declared: balances, content } };
  const harness = new ProgramHarness({ agents: { fan }, stores, ...settings });
  const clients = clientsOf(harness);
  const client = clients.agent(fan);
  const runsOf = (name: string) => log.filter((entry) => entry.split(" ")[0] === name);
  const countOf = (name: string) => runsOf(name).length;
  /** Node invocations, however often each has run. */
  const idsOf = (name: string) => new Set(runsOf(name)).size;
  return { harness, clients, client, log, hold, signals, refusals, read, content, countOf, idsOf };
}

const part = (
  name: string,
  throwsIn: readonly number[] = [],
  waitsIn: readonly number[] = [],
): Part => ({
  name,
  throwsIn,
  waitsIn,
});

const noResult = { code: "INVOCATION_FAILED" };

/** A scatter whose leaves all throw, each time. */
function throwingLeaves(settings: Omit<HarnessSettings, "agents">) {
  let thrown = 0;
  const declared = agent({
    entry: "split",
    result: type<number>(),
    maxRetries: 2,
    nodes: {
      split: scatter({ input: type<number>(), to: ["leaf"] }),
      leaf: node({ input: type<number>(), to: ["all"] }),
      all: gather({ collect: sum }),
    },
  }).implement({
    split(ctx, count) {
      for (let n = 0; n < count; n += 1) ctx.emit("leaf", n);
    },
    leaf(_ctx, n) {
      thrown += 1;
      throw new Error(`leaf ${n}`);
    },
    all: (ctx, total) => ctx.result(total),
  });
  const harness = new ProgramHarness({ agents: { declared }, ...settings });
  return { harness, client: clientsOf(harness).agent(declared), thrown: () => thrown };
}

describe("attempts — one retry counter per invocation", () => {
  it("several failures of one attempt cause one retry", async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const { harness, client, hold, countOf, idsOf } = fanBench({ maxRetries: 1 }, { seed });
      const parts = ["a", "b", "c", "d"].map((name) => part(name, [0], [0]));
      const invocation = await harness.until(client.initiate(parts));
      await harness.run();
      hold.latch.open();
      // With a retry for each failure there would be too few.
      await expect(harness.until(invocation.result())).rejects.toMatchObject({
        details: { reason: expect.stringContaining("Agent completed without result") },
      });
      for (const name of ["a", "b", "c", "d"]) expect(countOf(name)).toBe(2);
      expect(idsOf("last")).toBe(4);
    }
  });

  it("after maxRetries the invocation fails, whichever of its nodes have failed", async () => {
    const { harness, client, countOf } = fanBench({ maxRetries: 2 }, { tasks: 1 });
    // Each failure is of another node, and after all of them none would fail.
    const parts = [part("a", [0]), part("b", [1]), part("c", [2])];
    await expect(harness.until(client.invoke(parts))).rejects.toMatchObject({
      details: {
        reason: expect.stringContaining('Node "part" failed'),
        failures: [{ attempt: 0 }, { attempt: 1 }, { attempt: 2 }],
      },
    });
    expect(countOf("split")).toBe(1);
  });

  it("all failures of all attempts stay on record, with node name, message and stack", async () => {
    const { harness, client } = fanBench({ maxRetries: 2 }, { tasks: 1 });
    const call = client.invoke([part("a", [0, 1, 2])]);
    await expect(harness.until(call)).rejects.toMatchObject({
      details: {
        failures: [0, 1, 2].map((attempt) => ({
          node: "part",
          attempt,
          message: `a in run ${attempt}`,
          stack: expect.stringContaining("attempts.test.ts"),
        })),
        failuresLost: 0,
      },
    });
  });

  it("those that there is no room for are counted, wherever failures are shown", async () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const { harness, client, thrown } = throwingLeaves({ seed });
      const invocation = await harness.until(client.initiate(100));
      await harness.until(invocation.result().catch(() => {}));
      await harness.run();
      const error: unknown = await harness.until(invocation.result()).catch((e: unknown) => e);
      if (!PartitaError.is(error, "INVOCATION_FAILED")) throw error;
      const { failures, failuresLost } = error.details;
      expect(failures.length).toBe(64);
      // Those of the last attempt, all of which count, and one of each before it.
      expect(64 + failuresLost).toBeGreaterThanOrEqual(102);
      expect(64 + failuresLost).toBeLessThanOrEqual(thrown());
      const nodes = await traced(harness, invocation);
      expect(nodes.length).toBe(102);
      expect(new Set(nodes.map((one) => one.failuresLost))).toEqual(new Set([failuresLost]));
      expect(nodes.reduce((sum, one) => sum + one.failures.length, 0)).toBe(64);
    }
  });
});

describe("attempts — what a retry runs again", () => {
  it("a finished plain node is not re-run, its emits are there once, same child ids", async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const { harness, client, countOf, idsOf } = fanBench({}, { seed });
      const call = client.invoke([part("a", [0, 1]), part("b")]);
      await expect(harness.until(call)).rejects.toMatchObject(noResult);
      await harness.run();
      expect(countOf("split")).toBe(1);
      expect([idsOf("a"), idsOf("b"), idsOf("last")]).toEqual([1, 1, 2]);
    }
  });

  it("an unfinished node is run again from its start, with the same message and id", async () => {
    const { harness, client, log } = fanBench({}, { tasks: 1 });
    await harness.until(client.invoke([part("a", [0])]).catch(() => {}));
    const [first, second, ...others] = log.filter((entry) => entry.startsWith("a "));
    expect(second).toBe(first);
    expect(others).toEqual([]);
  });

  it("an attempt that a crash cuts off is neither forgotten nor counted twice", async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const { harness, client, clients, countOf, idsOf } = fanBench({ maxRetries: 9 }, { seed });
      const random = seededRandom(seed);
      const parts = [part("a", [0]), part("b", [0, 1]), part("c"), part("d", [0])];
      const invocation = await harness.until(client.initiate(parts));
      for (let crash = 0; crash < 3; crash += 1) {
        for (let steps = Math.floor(random() * 15); steps > 0; steps -= 1) await harness.step();
        harness.crash(Math.floor(random() * harness.taskCount));
      }
      await harness.run();
      for (const { id, reason } of await lettersOf(harness)) {
        expect(reason).toContain("is not run again");
        await harness.until(clients.deadLetters.replay(id));
      }
      await harness.run();
      await expect(harness.until(invocation.result())).rejects.toMatchObject({
        details: { reason: expect.stringContaining("Agent completed without result") },
      });
      expect([countOf("a"), countOf("b")].map((count, n) => count > n + 1)).toEqual([true, true]);
      expect(idsOf("last")).toBe(4);
      expect(harness.rowCount(fenceTable)).toBe(0);
    }
  });
});

describe("attempts — orphans", () => {
  /** One part fails while another hangs in its first run. */
  async function orphaned(seed: number) {
    const bench = fanBench({ maxRetries: 1 }, { seed });
    const { harness, client, countOf } = bench;
    const invocation = await harness.until(client.initiate([part("a", [], [0]), part("b", [0])]));
    await harness.run();
    expect(countOf("a")).toBe(2);
    return { ...bench, invocation };
  }

  it("node invocations still running when a retry is accepted are run again", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const { harness, invocation, countOf, signals } = await orphaned(seed);
      expect(signals[0]?.aborted).toBe(true);
      expect(signals[0]?.reason).toMatchObject({ code: "INVOCATION_RETRIED" });
      await expect(harness.until(invocation.result())).rejects.toMatchObject(noResult);
      expect(countOf("last")).toBe(2);
    }
  });

  it("refuses their store writes with INVOCATION_RETRIED, store reads still work", async () => {
    const { harness, hold, refusals, read, content } = await orphaned(1);
    hold.latch.open();
    await harness.run();
    expect(refusals).toMatchObject([0, 1, 2].map(() => ({ code: "INVOCATION_RETRIED" })));
    expect(refusals).toMatchObject([{ details: { agent: "fan", node: "part" } }, {}, {}]);
    expect(read).toEqual([7]);
    expect(content.values.size).toBe(0);
  });

  it("refuses their completion and their failure", async () => {
    for (const throwsIn of [[], [0]]) {
      const { harness, client, hold, countOf } = fanBench({ maxRetries: 1 }, { tasks: 1 });
      const parts = [part("a", throwsIn, [0, 1]), part("b", [0])];
      const invocation = await harness.until(client.initiate(parts));
      await harness.run();
      expect(countOf("a")).toBe(2);
      const second = latch();
      const first = hold.latch;
      hold.latch = second;
      first.open();
      await harness.run();
      // Both runs waited for the first latch: of their two completions one counts.
      expect(countOf("last")).toBe(2);
      await expect(harness.until(invocation.result())).rejects.toMatchObject({
        details: { failures: [{ attempt: 0 }] },
      });
      expect(harness.rowCount(queueTable)).toBe(1);
    }
  });

  it("a completion that was on its way when the retry came does not count", async () => {
    let met = 0;
    for (let seed = 1; seed <= 60; seed += 1) {
      const settings = { seed, tasks: 2 };
      const { harness, client, hold, countOf, idsOf } = fanBench({ maxRetries: 1 }, settings);
      const parts = [part("a", [], [0]), part("b", [0])];
      const invocation = await harness.until(client.initiate(parts));
      const random = seededRandom(seed);
      for (let steps = Math.floor(random() * 25); steps > 0; steps -= 1) await harness.step();
      hold.latch.open();
      await harness.run();
      await expect(harness.until(invocation.result())).rejects.toMatchObject({
        details: { reason: expect.stringContaining("Agent completed without result") },
      });
      expect(idsOf("last")).toBe(2);
      if (countOf("a") === 2) met += 1;
    }
    expect(met).toBeGreaterThan(5);
    expect(met).toBeLessThan(60);
  });
});

describe("attempts — failure reports", () => {
  it("after a result there is no retry", async () => {
    const hold = latch();
    let runs = 0;
    const declared = agent({
      entry: "fan",
      result: type<string>(),
      nodes: {
        fan: node({ input: type<null>(), to: ["good", "bad"] }),
        good: node({ input: type<null>() }),
        bad: node({ input: type<null>() }),
      },
    }).implement({
      fan(ctx) {
        ctx.emit("good", null);
        ctx.emit("bad", null);
      },
      good: (ctx) => ctx.result("good"),
      async bad() {
        await hold.opened;
        runs += 1;
        throw new Error("bad");
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    expect(await harness.until(invocation.result())).toBe("good");
    hold.open();
    await harness.run();
    expect(runs).toBe(1);
    expect(await harness.until(invocation.result())).toBe("good");
    expect(await lettersOf(harness)).toMatchObject([{ node: "bad", attempts: 1 }]);
  });

  it("lets all that failed in an attempt wait, whichever of them was heard of first", async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const { harness, client, countOf, hold } = fanBench({ retryBackoffMs: 1_000 }, { seed });
      const parts = ["a", "b", "c"].map((name) => ({ name, throwsIn: [0], waitsIn: [0] }));
      void client.initiate(parts);
      await harness.runNow();
      hold.latch.open();
      await harness.runNow();
      expect(parts.map(({ name }) => countOf(name))).toEqual([1, 1, 1]);
      await harness.run();
      expect(parts.map(({ name }) => countOf(name))).toEqual([2, 2, 2]);
    }
  });

  it("runs what failed again when retryBackoffMs is over, less by chance", async () => {
    const { harness, client, countOf } = fanBench({ retryBackoffMs: 1_000 }, { tasks: 1 });
    const invocation = await harness.until(client.initiate([part("a", [0]), part("b")]));
    const began = harness.clock.nowMs;
    await harness.runNow();
    expect(countOf("a")).toBe(1);
    await expect(harness.until(invocation.result())).rejects.toMatchObject(noResult);
    expect(countOf("a")).toBe(2);
    expect(harness.clock.nowMs - began).toBeGreaterThanOrEqual(500);
    expect(harness.clock.nowMs - began).toBeLessThanOrEqual(1_000);
  });

  it("a pause goes on behind a crash, and is not begun again", async () => {
    const { harness, client, countOf } = fanBench({ retryBackoffMs: 10_000 }, { tasks: 1 });
    await harness.until(client.initiate([part("a", [0])]));
    await harness.runNow();
    const began = harness.clock.nowMs;
    harness.crash(0);
    await harness.runNow();
    expect(countOf("a")).toBe(1);
    await harness.run();
    expect(countOf("a")).toBe(2);
    expect(harness.clock.nowMs - began).toBeLessThanOrEqual(10_000);
  });

  it("leaves no fence behind when nothing of the invocation runs any more", async () => {
    const { harness, client } = fanBench();
    await harness.until(client.invoke([part("a", [0]), part("b")]).catch(() => {}));
    await harness.run();
    expect(harness.rowCount(fenceTable)).toBe(0);
  });
});
