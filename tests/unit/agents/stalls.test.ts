// A bug here would look like this: an invocation that waits for ever for a node that nobody runs,
// or a node that waits, or works long, and is run twice.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { type } from "../../../store/schema.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { type HarnessSettings, ProgramHarness } from "../../support/program-harness.js";
import { looks, lose } from "./stall-bench.js";

interface Options {
  readonly maxRetries?: number;
  readonly stallThresholdMs?: number;
}

/** An agent that goes "first" → two "second" → "third"; those of `held` wait for the latch. */
function stallBench(options: Options = {}, settings: Omit<HarnessSettings, "agents"> = {}) {
  const log: string[] = [];
  const held = new Set<string>();
  const state = { hold: latch(), throws: false, answers: "" };
  const entered = async (name: string): Promise<void> => {
    log.push(name);
    if (held.has(name)) await state.hold.opened;
  };
  const declared = agent({
    ...options,
    entry: "first",
    result: type<string>(),
    nodes: {
      first: node({ input: type<null>(), to: ["second"] }),
      second: node({ input: type<string>(), to: ["third"], key: (name) => name }),
      third: node({ input: type<string>() }),
    },
  }).implement({
    async first(ctx) {
      await entered("first");
      for (const name of ["a", "b"]) ctx.emit("second", name);
    },
    async second(ctx, name) {
      await entered(`second ${name}`);
      if (state.throws) throw new Error("no");
      ctx.emit("third", name);
    },
    async third(ctx, name) {
      await entered(`third ${name}`);
      if (name === state.answers) ctx.result("done");
    },
  });
  const harness = new ProgramHarness({ agents: { declared }, tasks: 3, ...settings });
  const clients = clientsOf(harness);
  return { harness, clients, client: clients.agent(declared), log, held, state };
}

const withoutResult = {
  details: { reason: expect.stringContaining("Agent completed without result") },
};

describe("stalls — a node invocation that is lost", () => {
  it("emitted and never started: is run again from the record of its emitter", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const { harness, client, log, held, state } = stallBench({}, { seed });
      for (const name of ["second a", "second b"]) held.add(name);
      const invocation = await harness.until(client.initiate(null));
      await harness.runNow();
      expect(lose(harness, "second")).toBe(2);
      state.hold.open();
      await harness.runNow();
      log.length = 0;
      await looks(harness, 3);
      expect(log.toSorted()).toEqual(["second a", "second b", "third a", "third b"]);
      await expect(harness.until(invocation.result())).rejects.toMatchObject(withoutResult);
      expect(await harness.until(invocation.isComplete())).toBe(true);
      // The marks of the tasks alone.
      expect(harness.rowCount(queueTable)).toBeLessThanOrEqual(3);
    }
  });

  it("the first one of all is found, too", async () => {
    const { harness, client, log, held } = stallBench();
    held.add("first");
    const invocation = await harness.until(client.initiate(null));
    await harness.runNow();
    expect(lose(harness, "first")).toBe(1);
    held.clear();
    await looks(harness, 3);
    await expect(harness.until(invocation.result())).rejects.toMatchObject(withoutResult);
    expect(log.filter((name) => name === "first").length).toBe(2);
  });

  it("costs a retry: one for all that are lost in an attempt", async () => {
    const { harness, client, held } = stallBench({ maxRetries: 1 });
    for (const name of ["second a", "second b"]) held.add(name);
    const invocation = await harness.until(client.initiate(null));
    await harness.runNow();
    lose(harness, "second");
    await looks(harness, 3);
    // They run again, and are lost again: there is no retry left.
    expect(lose(harness, "second")).toBe(2);
    await looks(harness, 3);
    await expect(harness.until(invocation.result())).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
      details: {
        reason: expect.stringContaining('Node "second" failed (last failure: '),
        failures: expect.arrayContaining([
          expect.objectContaining({ node: "second", attempt: 0 }),
          expect.objectContaining({ node: "second", attempt: 1 }),
        ]),
      },
      cause: { code: "NODE_LOST", details: { agent: "declared", node: "second" } },
    });
    // Nothing is outstanding: all of it is over.
    await harness.until(invocation.cancel());
  });

  it("is begun again once, though several looks have missed it", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const { harness, client, log, held, state } = stallBench({ maxRetries: 9 }, { seed });
      held.add("second a").add("second b");
      await harness.until(client.initiate(null));
      await harness.runNow();
      lose(harness, "second");
      state.hold.open();
      await harness.runNow();
      log.length = 0;
      for (let look = 0; look < 6; look += 1) {
        harness.clock.pass(20_000 * 2 ** look);
        for (let steps = 0; steps < 3; steps += 1) await harness.stepNow();
      }
      await harness.runNow();
      expect(log.toSorted()).toEqual(["second a", "second b", "third a", "third b"]);
    }
  });

  it("is found again when the first look came to nothing", async () => {
    const { harness, client, held } = stallBench({ maxRetries: 5 });
    held.add("second a").add("second b");
    const invocation = await harness.until(client.initiate(null));
    await harness.runNow();
    await looks(harness, 4);
    lose(harness, "second");
    held.clear();
    await looks(harness, 64);
    await expect(harness.until(invocation.result())).rejects.toMatchObject(withoutResult);
  });
});

describe("stalls — behind the outcome", () => {
  it("ends what is lost though nobody waits for it: a cancel does not hang", async () => {
    const { harness, client, held } = stallBench();
    held.add("second a").add("second b");
    const invocation = await harness.until(client.initiate(null));
    await harness.runNow();
    lose(harness, "second");
    const cancelled = invocation.cancel();
    await harness.runNow();
    await looks(harness, 3);
    await harness.until(cancelled);
    await expect(harness.until(invocation.result())).rejects.toMatchObject({
      code: "INVOCATION_CANCELLED",
    });
  });

  it("is not tried again when there is a result", async () => {
    const { harness, client, log, held, state } = stallBench();
    state.answers = "b";
    held.add("second a");
    const invocation = await harness.until(client.initiate(null));
    expect(await harness.until(invocation.result())).toBe("done");
    await harness.runNow();
    expect(lose(harness, "second")).toBe(1);
    log.length = 0;
    await looks(harness, 3);
    expect(log).toEqual([]);
    await harness.until(invocation.cancel());
  });
});

describe("stalls — what is none", () => {
  it("a node that executes, however long, is never stalled", async () => {
    const { harness, client, log, held, state } = stallBench({ maxRetries: 0 });
    held.add("second a").add("third b");
    const invocation = await harness.until(client.initiate(null));
    await harness.runNow();
    await looks(harness, 100);
    expect(log.length).toBe(4);
    state.hold.open();
    await harness.runNow();
    await expect(harness.until(invocation.result())).rejects.toMatchObject(withoutResult);
    expect(log.length).toBe(5);
  });

  it("nor is one that waits in line for its key, or for a place to run", async () => {
    const program = agentProgram({ runningNodesMax: 2 });
    const { harness, client, log, held, state } = stallBench({ maxRetries: 0 }, { program });
    held.add("second a").add("second b");
    const begun = Promise.all([1, 2, 3].map(() => client.initiate(null)));
    const invocations = await harness.until(begun);
    await harness.runNow();
    await looks(harness, 30);
    held.clear();
    state.hold.open();
    await harness.runNow();
    for (const one of invocations) {
      await expect(harness.until(one.result())).rejects.toMatchObject(withoutResult);
    }
    expect(log.length).toBe(3 * 5);
  });

  it("nor is one that is parked for a pause", async () => {
    const { harness, client, log, state } = stallBench({ maxRetries: 3, stallThresholdMs: 100 });
    state.throws = true;
    const invocation = await harness.until(client.initiate(null));
    await harness.until(invocation.result().catch(() => {}));
    await harness.runNow();
    const runs = log.length;
    await looks(harness, 5);
    expect(log.length).toBe(runs);
  });

  it("nor is one that was given up: it is a dead letter until somebody replays it", async () => {
    const { harness, client, clients, log, held, state } = stallBench({ maxRetries: 0 });
    held.add("third a");
    state.throws = true;
    const invocation = await harness.until(client.initiate(null));
    await harness.until(invocation.result().catch(() => {}));
    await harness.runNow();
    state.throws = false;
    const letter = (await lettersOf(harness)).find(({ message }) => message === "a");
    await harness.until(clients.deadLetters.replay(letter?.id ?? ""));
    await harness.runNow();
    expect(log).toContain("third a");
    const runs = log.length;
    await looks(harness, 20);
    expect(log.length).toBe(runs);
    expect((await lettersOf(harness)).map(({ message }) => message)).toEqual(["b"]);
  });

  it("looks no earlier than stallThresholdMs after the invocation came further", async () => {
    const { harness, client, log, held } = stallBench({ stallThresholdMs: 60_000 });
    held.add("second a").add("second b");
    await harness.until(client.initiate(null));
    await harness.runNow();
    lose(harness, "second");
    await harness.runNow();
    log.length = 0;
    await looks(harness, 5);
    expect(log).toEqual([]);
    await looks(harness, 2);
    expect(log.toSorted()).toEqual(["second a", "second b"]);
  });
});
