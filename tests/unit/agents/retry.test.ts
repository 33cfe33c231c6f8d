// A bug here would look like this: a poison message that holds up others, a failure that nobody can
// find afterwards, an attempt that a crash forgets or counts twice.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { deadLetterTable } from "../../../agents/node/dead-letters.js";
import { agentProgram } from "../../../agents/execution.js";
import { node } from "../../../agents/declare/node.js";
import { encodeAttempt } from "../../../agents/wire/attempt-message.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { decodeRun } from "../../../agents/wire/message.js";
import { numberKey } from "../../../agents/wire/number-key.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { type } from "../../../store/schema.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness, settled } from "../../support/program-harness.js";

interface Work {
  readonly key: string;
  readonly n: number;
  /** Runs that throw before one that does not. */
  readonly poison?: number;
}

/** A keyed agent whose runs are logged; some of them throw. */
function workAgent(options: { readonly maxRetries?: number; readonly retryBackoffMs?: number }) {
  const log: string[] = [];
  const runs = new Map<string, number>();
  const ids = new Map<string, Set<string>>();
  const work = agent({
    ...options,
    entry: "a",
    result: type<number>(),
    nodes: { a: node({ input: type<Work>(), key: ({ key }) => key }) },
  }).implement({
    async a(ctx, { key, n, poison = 0 }) {
      const name = `${key}${n}`;
      const run = runs.get(name) ?? 0;
      runs.set(name, run + 1);
      ids.set(
        name,
        (ids.get(name) ?? new Set()).add(`${ctx.invocationId} ${ctx.nodeInvocationId}`),
      );
      log.push(name);
      await undefined;
      if (run < poison) throw new Error(`failure ${run} of ${name}`);
      ctx.result(n);
    },
  });
  return { work, log, runs, ids };
}

describe("retry — a node that throws", () => {
  it("runs again at once, with the same message and ids, and may then succeed", async () => {
    const { work, log, ids } = workAgent({});
    const harness = new ProgramHarness({ agents: { work } });
    const client = clientsOf(harness).agent(work);
    const before = harness.clock.nowMs;
    expect(await harness.until(client.invoke({ key: "x", n: 1, poison: 2 }))).toBe(1);
    expect(log).toEqual(["x1", "x1", "x1"]);
    expect(ids.get("x1")?.size).toBe(1);
    expect(harness.clock.nowMs).toBe(before);
    await harness.run();
    expect(harness.rowCount(deadLetterTable)).toBe(0);
    // The mark of the task that ran it: no row and no state is left.
    expect(harness.rowCount(queueTable)).toBe(1);
  });

  it.each([
    [undefined, 3],
    [0, 1],
    [5, 6],
  ])("fails after maxRetries %s, and its record lists %i attempts", async (maxRetries, count) => {
    const { work, log } = workAgent(maxRetries === undefined ? {} : { maxRetries });
    const harness = new ProgramHarness({ agents: { work } });
    const invocation = clientsOf(harness).agent(work).invoke({ key: "x", n: 1, poison: 99 });
    const last = `failure ${count - 1} of x1`;
    await expect(harness.until(invocation)).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
      details: {
        reason: `Node "a" failed (last failure: ${last})`,
        failures: Array.from({ length: count }, (_, attempt) => ({
          node: "a",
          attempt,
          message: `failure ${attempt} of x1`,
          stack: expect.stringContaining("retry.test.ts"),
        })),
      },
      cause: { message: last },
    });
    expect(log.length).toBe(count);
  });

  it("names its last error even when the record has no room for every failure", async () => {
    const { work } = workAgent({ maxRetries: 100 });
    const harness = new ProgramHarness({ agents: { work } });
    const invocation = clientsOf(harness).agent(work).invoke({ key: "x", n: 1, poison: 999 });
    await expect(harness.until(invocation)).rejects.toMatchObject({
      details: { reason: 'Node "a" failed (last failure: failure 100 of x1)' },
      cause: { message: "failure 100 of x1" },
    });
  });
});

describe("retry — the word of home", () => {
  it("gives nothing up that runs again, since a power cut took that it had failed", async () => {
    const gate = latch();
    const slow = agent({
      entry: "a",
      result: type<number>(),
      nodes: { a: node({ input: type<number>() }) },
    }).implement({
      async a(ctx, n) {
        if (ctx.attempt === 0) throw new Error("the first attempt fails");
        await gate.opened;
        ctx.result(n);
      },
    });
    const harness = new ProgramHarness({ agents: { slow }, tasks: 1 });
    const result = clientsOf(harness).agent(slow).invoke(7);
    await harness.run();
    const row = harness.rows(0).get(queueTable, numberKey(1)) ?? new Uint8Array(0);
    const { nodeInvocationId } = decodeRun(row);
    const giveUp = encodeAttempt({ kind: "giveUp", arrivalNo: 1, nodeInvocationId });
    await harness.until(harness.clientPort().request(0, giveUp));
    gate.open();
    expect(await harness.until(result)).toBe(7);
    expect(await lettersOf(harness)).toEqual([]);
  });
});

describe("retry — keys", () => {
  it("lets later messages of the key wait behind it, and others go on", async () => {
    const { work, log } = workAgent({ retryBackoffMs: 1_000 });
    const harness = new ProgramHarness({ agents: { work }, tasks: 1 });
    const client = clientsOf(harness).agent(work);
    void client.initiate({ key: "x", n: 1, poison: 1 });
    void client.initiate({ key: "x", n: 2 });
    void client.initiate({ key: "y", n: 1 });
    await harness.runNow();
    // Its pause is not over.
    expect([...log].sort()).toEqual(["x1", "y1"]);
    void client.initiate({ key: "y", n: 2 });
    await harness.runNow();
    expect(log.at(-1)).toBe("y2");
    await harness.run();
    expect(log.slice(3)).toEqual(["x1", "x2"]);
  });

  it("serves other keys between the attempts of a poison one", async () => {
    const { work, log } = workAgent({ maxRetries: 50 });
    const program = agentProgram({ runningNodesMax: 1 });
    const harness = new ProgramHarness({ agents: { work }, tasks: 1, program });
    const client = clientsOf(harness).agent(work);
    const calls = Promise.allSettled([
      client.invoke({ key: "x", n: 1, poison: 999 }),
      ...Array.from({ length: 10 }, (_, n) => client.invoke({ key: `y${n}-`, n })),
    ]);
    await harness.until(calls);
    // Ten others with one place to run: the first attempts of x1 are among them, most come after.
    const lastOther = log.findLastIndex((name) => name.startsWith("y"));
    expect(log.slice(0, lastOther).filter((name) => name === "x1").length).toBeLessThan(12);
    expect(log.filter((name) => name === "x1").length).toBe(51);
  });

  it("holds no place among the running in a pause, and counts as unfinished work", async () => {
    const { work, log } = workAgent({ retryBackoffMs: 1_000 });
    const program = agentProgram({ runningNodesMax: 1 });
    const harness = new ProgramHarness({ agents: { work }, tasks: 1, program });
    const client = clientsOf(harness).agent(work);
    const poisoned = client.invoke({ key: "x", n: 1, poison: 1 });
    await harness.runNow();
    expect(harness.program(0).running).toBe(1);
    void client.invoke({ key: "y", n: 1 });
    await harness.runNow();
    expect(log).toEqual(["x1", "y1"]);
    expect(await harness.until(poisoned)).toBe(1);
    expect(harness.program(0).running).toBe(0);
  });
});

describe("retry — pauses", () => {
  it("doubles them up to an hour, each shortened by chance to half at most", async () => {
    const times: number[] = [];
    const declared = agent({
      entry: "a",
      result: type<number>(),
      maxRetries: 12,
      retryBackoffMs: 10_000,
      nodes: { a: node({ input: type<null>() }) },
    }).implement({
      a() {
        times.push(harness.clock.nowMs);
        throw new Error("again");
      },
    });
    const harness: ProgramHarness = new ProgramHarness({ agents: { declared } });
    await harness.until(clientsOf(harness).agent(declared).invoke(null)).catch(() => {});
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(pauses.length).toBe(12);
    const shares = pauses.map((pause, n) => pause / Math.min(10_000 * 2 ** n, 3_600_000));
    for (const share of shares) {
      expect(share).toBeGreaterThan(0.5);
      expect(share).toBeLessThanOrEqual(1);
    }
    expect(new Set(shares).size).toBeGreaterThan(6);
  });

  it("begins nothing after an abort, and leaves the row for the next launch", async () => {
    const { work, log } = workAgent({ retryBackoffMs: 1_000 });
    const harness = new ProgramHarness({ agents: { work }, tasks: 1 });
    const client = clientsOf(harness).agent(work);
    const { id } = await harness.until(client.initiate({ key: "x", n: 1, poison: 1 }));
    await harness.runNow();
    harness.program(0).abort(new Error("closed by force"));
    expect(harness.program(0).running).toBe(0);
    expect(harness.clock.advance()).toBe(false);
    await settled();
    expect(log).toEqual(["x1"]);
    harness.crash(0);
    expect(await harness.until(client.get(id).result())).toBe(1);
    expect(log).toEqual(["x1", "x1"]);
  });
});

describe("retry — crashes at any point", () => {
  it("runs no attempt less, at most one more for each crash; all end as they should", async () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const { work, runs } = workAgent({ maxRetries: 3 });
      const harness = new ProgramHarness({ agents: { work }, seed });
      const client = clientsOf(harness).agent(work);
      const random = seededRandom(seed);
      const poisons = [0, 3, 999, 2, 999];
      const invocations = await harness.until(
        Promise.all(poisons.map((poison, n) => client.initiate({ key: `k${n % 3}`, n, poison }))),
      );
      const crashes = 4;
      for (let crash = 0; crash < crashes; crash += 1) {
        for (let steps = Math.floor(random() * 12); steps > 0; steps -= 1) await harness.step();
        harness.crash(Math.floor(random() * harness.taskCount));
      }
      await harness.run();
      for (const [n, poison] of poisons.entries()) {
        const invocation = invocations[n];
        if (invocation === undefined) throw new Error("there are as many as poisons");
        const result = harness.until(invocation.result());
        if (poison < 999) expect(await result).toBe(n);
        else {
          const error: unknown = await result.catch((thrown: unknown) => thrown);
          expect(error).toMatchObject({ code: "INVOCATION_FAILED" });
          // Every attempt that was counted is on the record, once.
          expect(error).toMatchObject({
            details: { failures: [0, 1, 2, 3].map((attempt) => ({ attempt })) },
          });
        }
        const count = runs.get(`k${n % 3}${n}`) ?? 0;
        expect(count).toBeGreaterThanOrEqual(Math.min(poison, 3) + 1);
        expect(count).toBeLessThanOrEqual(Math.min(poison, 3) + 1 + crashes);
      }
      const letters = await lettersOf(harness);
      expect(letters.map(({ message }) => message)).toEqual(
        expect.arrayContaining([2, 4].map((n) => expect.objectContaining({ n }))),
      );
      expect(letters.length).toBe(2);
    }
  });
});
