// A bug here would look like this: a dead letter that is replayed twice or not at all, a caller who
// gets the old outcome after a replay.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentProgram } from "../../../agents/execution.js";
import { DeadLetters, deadLetterTable, parseLetterId } from "../../../agents/node/dead-letters.js";
import { parseInvocationId, placementOf } from "../../../agents/wire/invocation-id.js";
import { invocationTable } from "../../../agents/home/invocation-record.js";
import { node } from "../../../agents/declare/node.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { numberKey } from "../../../agents/wire/number-key.js";
import type { TaskPort } from "../../../runtime/task-program.js";
import { type } from "../../../store/schema.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { failAll, letterBench } from "./letter-bench.js";

const unknown = { code: "DEAD_LETTER_UNKNOWN" };

describe("dead letters — replay", () => {
  it("runs it again under the same ids, and result() waits for the new outcome", async () => {
    const made = letterBench();
    const [id = ""] = await failAll(made, 1);
    const [letter] = await lettersOf(made.harness);
    made.poison = false;
    await made.harness.until(made.clients.deadLetters.replay(letter?.id ?? ""));
    expect(await made.harness.until(made.client.get(id).result())).toBe(0);
    expect(new Set(made.log).size).toBe(1);
    expect(made.log.length).toBe(3);
    expect(await lettersOf(made.harness)).toEqual([]);
    expect(made.harness.rowCount(deadLetterTable)).toBe(1);
  });

  it("is pending when replay resolves, whatever comes first on the way", async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const made = letterBench({ seed });
      const [id = ""] = await failAll(made, 1);
      const [letter] = await lettersOf(made.harness);
      made.poison = false;
      await made.harness.until(made.clients.deadLetters.replay(letter?.id ?? ""));
      expect(await made.harness.until(made.client.get(id).result())).toBe(0);
    }
  });

  it("starts with a fresh count, and may fail for good again, with all failures kept", async () => {
    const made = letterBench();
    const [id = ""] = await failAll(made, 1);
    const [letter] = await lettersOf(made.harness);
    await made.harness.until(made.clients.deadLetters.replay(letter?.id ?? ""));
    await expect(made.harness.until(made.client.get(id).result())).rejects.toMatchObject({
      details: { failures: [0, 1, 2, 3].map((attempt) => ({ attempt })) },
      cause: { message: "no 0" },
    });
    const [again, ...others] = await lettersOf(made.harness);
    expect(others).toEqual([]);
    expect(again).toMatchObject({ attempts: 2, failures: [{ attempt: 2 }, { attempt: 3 }] });
    expect(again?.id).not.toBe(letter?.id);
    expect(again?.nodeInvocationId).toBe(letter?.nodeInvocationId);
  });

  it("refuses the second of two, and what is no letter", async () => {
    const made = letterBench();
    await failAll(made, 2);
    const [one, other] = await lettersOf(made.harness);
    const { deadLetters } = made.clients;
    await made.harness.until(deadLetters.replay(one?.id ?? ""));
    const refused = [one?.id, "0-0", "7-1", "x", "", "0-1 ", "00-1", "-1-1", null, Symbol("s"), {}];
    for (const id of refused) {
      // cast: what a JavaScript caller could pass
      const given = id as string;
      await expect(made.harness.until(deadLetters.replay(given))).rejects.toMatchObject(unknown);
      await expect(made.harness.until(deadLetters.discard(given))).rejects.toMatchObject(unknown);
    }
    await made.harness.until(deadLetters.discard(other?.id ?? ""));
  });

  it("resolves both when two ask at once, and runs it once", async () => {
    const made = letterBench({ tasks: 3 });
    await failAll(made, 1);
    const [letter] = await lettersOf(made.harness);
    made.poison = false;
    made.log.length = 0;
    const { deadLetters } = clientsOf(made.harness);
    const both = Promise.allSettled([
      made.clients.deadLetters.replay(letter?.id ?? ""),
      deadLetters.replay(letter?.id ?? ""),
    ]);
    const outcomes = await made.harness.until(both);
    await made.harness.run();
    expect(outcomes.some(({ status }) => status === "fulfilled")).toBe(true);
    expect(made.log.length).toBe(1);
  });

  it("cannot be discarded while it is being replayed, nor is it listed", async () => {
    const ports = new Map<number, TaskPort>();
    const onPort = (port: TaskPort) => void ports.set(port.taskId, port);
    const made = letterBench({ tasks: 3, onPort, seed: 3 });
    await failAll(made, 6);
    // One whose home is another task: the answer of that one takes a while.
    const letter = (await lettersOf(made.harness)).find(({ id, invocationId }) => {
      const home = placementOf(parseInvocationId("work", invocationId));
      return !id.startsWith(`${made.harness.ownerOf(home)}-`);
    });
    const { task, letterNo } = parseLetterId(letter?.id ?? "", 3);
    const port = ports.get(task);
    if (port === undefined) throw new Error(`task ${task} has no port`);
    const listed = (): readonly number[] => {
      const page = { kind: "letters", from: 1, limit: 100, agent: "" } as const;
      return new DeadLetters(port, 100).page(page).letters.map((found) => found.letterNo);
    };
    expect(listed()).toContain(letterNo);
    made.poison = false;
    const replayed = made.clients.deadLetters.replay(letter?.id ?? "");
    while (listed().includes(letterNo)) await made.harness.step();
    // It has not come back to the queue yet.
    expect(made.harness.rows(task).get(deadLetterTable, numberKey(letterNo, 2))).toBeDefined();
    const { deadLetters } = clientsOf(made.harness);
    const discarded = made.harness.until(deadLetters.discard(letter?.id ?? ""));
    await expect(discarded).rejects.toMatchObject(unknown);
    await made.harness.until(replayed);
    expect((await lettersOf(made.harness)).length).toBe(5);
  });

  it("runs an invocation that is forgotten, and nobody waits", async () => {
    const made = letterBench({ tasks: 1 }, { invocationsRetainedMax: 2 });
    const [id = ""] = await failAll(made, 1);
    const [letter] = await lettersOf(made.harness);
    made.poison = false;
    for (let n = 0; n < 6; n += 1) await made.harness.until(made.client.invoke({ key: "z", n }));
    made.log.length = 0;
    await made.harness.until(made.clients.deadLetters.replay(letter?.id ?? ""));
    await made.harness.run();
    expect(made.log.length).toBe(1);
    await expect(made.harness.until(made.client.get(id).result())).rejects.toMatchObject({
      code: "INVOCATION_UNKNOWN",
    });
    expect(made.harness.rowCount(queueTable)).toBe(1);
  });

  it("begins nothing again that it had begun, and that is forgotten", async () => {
    const ran: number[] = [];
    const hold = latch();
    let poison = true;
    const child = agent({
      entry: "a",
      result: type<number>(),
      nodes: { a: node({ input: type<number>() }) },
    }).implement({
      async a(ctx, n) {
        ran.push(n);
        await hold.opened;
        ctx.result(n);
      },
    });
    const parent = agent({
      agents: { child },
      entry: "b",
      result: type<string>(),
      maxRetries: 0,
      nodes: { b: node({ input: type<number>() }) },
    }).implement({
      async b(ctx, n) {
        const begun = ctx.agents.child.invoke(n);
        if (poison) throw new Error("no");
        ctx.result(await begun.then(String, (error: unknown) => String(Object(error).code)));
      },
    });
    const program = agentProgram({ invocationsRetainedMax: 2 });
    const harness = new ProgramHarness({ agents: { parent, child }, tasks: 1, program });
    const clients = clientsOf(harness);
    const top = await harness.until(clients.agent(parent).initiate(7));
    await harness.run();
    hold.open();
    for (let n = 0; n < 9; n += 1) await harness.until(clients.agent(child).invoke(0));
    const [letter] = await lettersOf(harness);
    poison = false;
    await harness.until(clients.deadLetters.replay(letter?.id ?? ""));
    expect(await harness.until(top.result())).toBe("INVOCATION_UNKNOWN");
    expect(ran.filter((n) => n === 7)).toEqual([7]);
  });

  it.each([{ maxRetries: 0 }, { maxRetries: 1 }])(
    "of a forgotten invocation begins others than its attempts have begun: $maxRetries",
    async ({ maxRetries }) => {
      const begun = new Set<string>();
      let runs = 0;
      let poison = true;
      const child = agent({
        entry: "a",
        result: type<number>(),
        maxRetries: 0,
        nodes: { a: node({ input: type<number>() }) },
      }).implement({
        a(ctx, n) {
          if (n === 7) {
            runs += 1;
            begun.add(ctx.invocationId);
          }
          if (n === 7 && poison) throw new Error("no");
          ctx.result(n);
        },
      });
      const results: unknown[] = [];
      const parent = agent({
        agents: { child },
        entry: "b",
        result: type<number>(),
        maxRetries,
        nodes: { b: node({ input: type<number>() }) },
      }).implement({
        async b(ctx, n) {
          const result = await ctx.agents.child.invoke(n);
          if (n === 7) results.push(result);
          ctx.result(result);
        },
      });
      const program = agentProgram({ invocationsRetainedMax: 2 });
      const harness = new ProgramHarness({ agents: { parent, child }, tasks: 1, program });
      const clients = clientsOf(harness);
      await harness.until(clients.agent(parent).initiate(7));
      await harness.run();
      for (let n = 0; n < 9; n += 1) await harness.until(clients.agent(parent).invoke(0));
      const letters = await lettersOf(harness);
      poison = false;
      const mine = letters.find((letter) => letter.agent === "parent");
      await harness.until(clients.deadLetters.replay(mine?.id ?? ""));
      await harness.run();
      expect(results).toEqual([7]);
      expect([runs, begun.size]).toEqual([maxRetries + 2, maxRetries + 2]);
    },
  );

  it("keeps a record that a replay has made pending, beyond what is retained", async () => {
    const made = letterBench({ tasks: 1 }, { invocationsRetainedMax: 3 });
    const ids = await failAll(made, 3);
    const letters = await lettersOf(made.harness);
    const letter = letters.find(({ invocationId }) => invocationId === ids[0]);
    made.poison = false;
    await made.harness.until(made.clients.deadLetters.replay(letter?.id ?? ""));
    expect(await made.harness.until(made.client.get(ids[0] ?? "").result())).toBe(0);
    for (let n = 0; n < 9; n += 1) await made.harness.until(made.client.invoke({ key: "z", n }));
    await made.harness.run();
    // What was pending beyond them is gone since it has ended; collected as others are.
    expect(made.harness.rowCount(invocationTable)).toBeLessThanOrEqual(3);
  });
});

describe("dead letters — an invocation with several node invocations", () => {
  function fan() {
    const hold = latch();
    const state = { poison: true };
    const declared = agent({
      entry: "fan",
      result: type<string>(),
      maxRetries: 0,
      nodes: {
        fan: node({ input: type<null>(), to: ["bad", "slow"] }),
        bad: node({ input: type<null>() }),
        slow: node({ input: type<null>() }),
      },
    }).implement({
      fan(ctx) {
        ctx.emit("bad", null);
        ctx.emit("slow", null);
      },
      bad() {
        if (state.poison) throw new Error("bad");
      },
      async slow() {
        await hold.opened;
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    return { harness, hold, state, clients: clientsOf(harness), declared };
  }

  it("accounts for siblings that end while it is failed: a replay ends it", async () => {
    const { harness, hold, state, clients, declared } = fan();
    const invocation = await harness.until(clients.agent(declared).initiate(null));
    await expect(harness.until(invocation.result())).rejects.toMatchObject({
      details: { reason: 'Node "bad" failed (last failure: bad)' },
    });
    hold.open();
    await harness.run();
    state.poison = false;
    const [letter] = await lettersOf(harness);
    await harness.until(clients.deadLetters.replay(letter?.id ?? ""));
    await expect(harness.until(invocation.result())).rejects.toMatchObject({
      details: {
        reason: "Agent completed without result (last failure: bad)",
        failures: [{ message: "bad" }],
      },
    });
  });

  it("waits for siblings that still run when it is replayed", async () => {
    const { harness, hold, state, clients, declared } = fan();
    const invocation = await harness.until(clients.agent(declared).initiate(null));
    await harness.until(invocation.result().catch(() => {}));
    state.poison = false;
    const [letter] = await lettersOf(harness);
    await harness.until(clients.deadLetters.replay(letter?.id ?? ""));
    const result = invocation.result();
    let isSettled = false;
    void result
      .catch(() => {})
      .finally(() => {
        isSettled = true;
      });
    await harness.run();
    expect(isSettled).toBe(false);
    hold.open();
    await expect(harness.until(result)).rejects.toMatchObject({
      details: { reason: "Agent completed without result (last failure: bad)" },
    });
  });

  it("does not take a result back", async () => {
    const hold = latch();
    let poison = true;
    const declared = agent({
      entry: "fan",
      result: type<string>(),
      maxRetries: 0,
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
      async bad(ctx) {
        await hold.opened;
        if (poison) throw new Error("bad");
        ctx.result("late");
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const clients = clientsOf(harness);
    const invocation = await harness.until(clients.agent(declared).initiate(null));
    expect(await harness.until(invocation.result())).toBe("good");
    hold.open();
    await harness.run();
    poison = false;
    const [letter] = await lettersOf(harness);
    await harness.until(clients.deadLetters.replay(letter?.id ?? ""));
    await harness.run();
    expect(await harness.until(invocation.result())).toBe("good");
  });
});

describe("dead letters — crashes at any point of a replay", () => {
  it("runs it exactly once, or leaves it where it was; who asks again learns which", async () => {
    let again = 0;
    for (let seed = 1; seed <= 60; seed += 1) {
      const made = letterBench({ seed });
      const [id = ""] = await failAll(made, 1);
      const [letter] = await lettersOf(made.harness);
      made.poison = false;
      made.log.length = 0;
      const random = seededRandom(seed);
      const replay = async (): Promise<void> => {
        await made.clients.deadLetters.replay(letter?.id ?? "");
      };
      let replayed = replay().catch((error: unknown) => error);
      for (let steps = Math.floor(random() * 14); steps > 0; steps -= 1) await made.harness.step();
      made.harness.crash(Math.floor(random() * made.harness.taskCount));
      if ((await made.harness.until(replayed)) !== undefined) {
        again += 1;
        replayed = replay().catch((error: unknown) => error);
        const error = await made.harness.until(replayed);
        if (error !== undefined) expect(error).toMatchObject(unknown);
      }
      expect(await made.harness.until(made.client.get(id).result())).toBe(0);
      await made.harness.run();
      expect(made.harness.rowCount(deadLetterTable)).toBe(1);
      // A crash may run it again before its completion is committed, as any node.
      expect(made.log.length).toBeLessThanOrEqual(2);
    }
    expect(again).toBeGreaterThan(3);
  });
});
