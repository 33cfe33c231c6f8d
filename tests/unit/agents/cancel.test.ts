// A bug here would look like this: a cancel that resolves while something still runs, or never; a
// node that begins after it; a key that stays closed to others.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { fenceTable } from "../../../agents/node/fences.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { type } from "../../../store/schema.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { type HarnessSettings, ProgramHarness } from "../../support/program-harness.js";

interface Step {
  readonly key: string;
  readonly depth: number;
}

/** An agent that goes on for ever by itself: each node emits to the next, until it is cancelled. */
function endlessBench(
  settings: Omit<HarnessSettings, "agents"> = {},
  options: { readonly retryBackoffMs?: number } = {},
) {
  const hold = latch();
  const begun: string[] = [];
  const signals: AbortSignal[] = [];
  const state = { runs: 0, begun, signals, throws: false };
  const endless = agent({
    ...options,
    entry: "step",
    result: type<string>(),
    nodes: { step: node({ input: type<Step>(), to: ["step"], key: ({ key }) => key }) },
  }).implement({
    async step(ctx, { key, depth }) {
      state.runs += 1;
      state.begun.push(`${key}${depth}`);
      state.signals.push(ctx.signal);
      if (key === "hang") await hold.opened;
      await ctx.run("wait", () => {});
      if (state.throws) throw new Error("no");
      if (key === "answer") ctx.result(key);
      else for (const next of ["a", "b"]) ctx.emit("step", { key: next, depth: depth + 1 });
    },
  });
  const harness = new ProgramHarness({ agents: { endless }, ...settings });
  const clients = clientsOf(harness);
  return { harness, clients, client: clients.agent(endless), hold, state };
}

/** Whether it is settled by now. */
function isSettled(promise: Promise<unknown>): () => boolean {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  promise.then(note, note);
  return () => settled;
}

const cancelled = { code: "INVOCATION_CANCELLED" };

describe("cancel — an invocation", () => {
  it("ends it: result() rejects, whoever waits and whoever asks later", async () => {
    const { harness, client } = endlessBench();
    const invocation = await harness.until(client.initiate({ key: "a", depth: 0 }));
    const waiting = invocation.result().catch((error: unknown) => error);
    for (let step = 0; step < 40; step += 1) await harness.step();
    await harness.until(invocation.cancel());
    expect(await harness.until(waiting)).toMatchObject({
      ...cancelled,
      details: { agent: "endless", invocationId: invocation.id },
    });
    await expect(harness.until(client.get(invocation.id).result())).rejects.toMatchObject(
      cancelled,
    );
    expect(await harness.until(invocation.isComplete())).toBe(true);
  });

  it("reaches nodes by ctx.signal, and resolves only when its nodes have stopped", async () => {
    const { harness, client, hold, state } = endlessBench({ tasks: 1 });
    const invocation = await harness.until(client.initiate({ key: "hang", depth: 0 }));
    await harness.runNow();
    const cancel = invocation.cancel();
    const settled = isSettled(cancel);
    await harness.run();
    expect(state.signals[0]?.aborted).toBe(true);
    expect(state.signals[0]?.reason).toMatchObject(cancelled);
    expect(settled()).toBe(false);
    hold.open();
    await harness.until(cancel);
    expect(state.runs).toBe(1);
    expect(harness.rowCount(queueTable)).toBe(1);
  });

  it("lets nothing begin that waited, and nothing come of what ran", async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const { harness, client, state } = endlessBench({ seed });
      const random = seededRandom(seed);
      const invocation = await harness.until(client.initiate({ key: "a", depth: 0 }));
      for (let steps = Math.floor(random() * 80); steps > 0; steps -= 1) await harness.step();
      await harness.until(invocation.cancel());
      const { runs } = state;
      await harness.run();
      expect(state.runs).toBe(runs);
      // Nothing is left but the marks of tasks that had rows.
      const marks = [0, 1, 2].filter((task) => harness.rows(task).count(queueTable) > 0).length;
      expect(harness.rowCount(queueTable)).toBe(marks);
      expect(harness.rowCount(fenceTable)).toBe(0);
      for (const task of [0, 1, 2]) expect(harness.program(task).running).toBe(0);
    }
  });

  it("opens the keys that its nodes held or waited for to others, in their order", async () => {
    const { harness, client, hold, state } = endlessBench({ tasks: 1 });
    const first = await harness.until(client.initiate({ key: "hang", depth: 1 }));
    const second = await harness.until(client.initiate({ key: "hang", depth: 2 }));
    const third = await harness.until(client.initiate({ key: "hang", depth: 3 }));
    await harness.runNow();
    // It waits in line: it is gone at once, though the key is held.
    await harness.until(second.cancel());
    expect(state.begun).toEqual(["hang1"]);
    const cancels = [first.cancel(), third.cancel()];
    await harness.run();
    hold.open();
    await harness.until(Promise.all(cancels));
    expect(state.begun).toEqual(["hang1"]);
    const next = await harness.until(client.initiate({ key: "hang", depth: 4 }));
    while (!state.begun.includes("hang4")) await harness.step();
    await harness.until(next.cancel());
  });

  it("takes away what is parked, and pauses nothing longer than it", async () => {
    const { harness, client, state } = endlessBench({}, { retryBackoffMs: 60_000 });
    state.throws = true;
    const invocation = await harness.until(client.initiate({ key: "a", depth: 0 }));
    await harness.runNow();
    expect(state.runs).toBe(1);
    const before = harness.clock.nowMs;
    await harness.until(invocation.cancel());
    expect(harness.clock.nowMs).toBe(before);
    await harness.run();
    expect(state.runs).toBe(1);
    expect(await lettersOf(harness)).toEqual([]);
  });

  it.each([0, 60_000])(
    "waits for orphans, too, running again or paused (%i)",
    async (retryBackoffMs) => {
      const hold = latch();
      const returned: number[] = [];
      const declared = agent({
        entry: "split",
        retryBackoffMs,
        result: type<null>(),
        nodes: {
          split: node({ input: type<null>(), to: ["slow", "bad"] }),
          slow: node({ input: type<null>() }),
          bad: node({ input: type<null>() }),
        },
      }).implement({
        split(ctx) {
          ctx.emit("slow", null);
          ctx.emit("bad", null);
        },
        async slow(ctx) {
          if (ctx.attempt === 0) await hold.opened;
          else await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
          returned.push(ctx.attempt);
        },
        bad(ctx) {
          if (ctx.attempt === 0) throw new Error("no");
        },
      });
      const harness = new ProgramHarness({ agents: { declared }, tasks: 1 });
      const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
      await harness.runNow();
      const cancel = invocation.cancel();
      const settled = isSettled(cancel);
      await harness.runNow();
      expect(returned).toEqual(retryBackoffMs === 0 ? [1] : []);
      expect(settled()).toBe(false);
      hold.open();
      await harness.until(cancel);
      expect(returned.at(-1)).toBe(0);
    },
  );

  it("takes away what fails meanwhile: nothing is given up, nothing is left", async () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const { harness, client, state } = endlessBench({ seed });
      const random = seededRandom(seed);
      const invocation = await harness.until(client.initiate({ key: "a", depth: 0 }));
      for (let steps = Math.floor(random() * 40); steps > 0; steps -= 1) await harness.step();
      state.throws = true;
      const cancel = invocation.cancel();
      await harness.until(cancel);
      await harness.run();
      await expect(harness.until(invocation.result())).rejects.toMatchObject({
        code: expect.stringMatching(/INVOCATION_(CANCELLED|FAILED)/),
      });
      const marks = [0, 1, 2].filter((task) => harness.rows(task).count(queueTable) > 0).length;
      expect(harness.rowCount(queueTable)).toBe(marks);
      expect(harness.rowCount(fenceTable)).toBe(0);
    }
  });

  it("takes away what waits for a place to run", async () => {
    const program = agentProgram({ runningNodesMax: 1 });
    const { harness, client, hold, state } = endlessBench({ tasks: 1, program });
    const running = await harness.until(client.initiate({ key: "hang", depth: 0 }));
    const waiting = await harness.until(client.initiate({ key: "a", depth: 1 }));
    const other = await harness.until(client.initiate({ key: "answer", depth: 2 }));
    await harness.runNow();
    await harness.until(waiting.cancel());
    expect(state.begun).toEqual(["hang0"]);
    const stopped = running.cancel();
    hold.open();
    await harness.until(stopped);
    expect(await harness.until(other.result())).toBe("answer");
    expect(state.begun).toEqual(["hang0", "answer2"]);
  });
});

describe("cancel — whatever has happened before", () => {
  it("keeps a result, and stops what still runs", async () => {
    const hold = latch();
    let signal: AbortSignal | undefined;
    const declared = agent({
      entry: "fan",
      result: type<string>(),
      nodes: {
        fan: node({ input: type<null>(), to: ["good", "slow"] }),
        good: node({ input: type<null>() }),
        slow: node({ input: type<null>(), to: ["good"] }),
      },
    }).implement({
      fan(ctx) {
        ctx.emit("good", null);
        ctx.emit("slow", null);
      },
      good: (ctx) => ctx.result("good"),
      async slow(ctx) {
        signal = ctx.signal;
        await hold.opened;
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    expect(await harness.until(invocation.result())).toBe("good");
    await harness.run();
    const cancel = invocation.cancel();
    await harness.run();
    expect(signal?.aborted).toBe(true);
    hold.open();
    await harness.until(cancel);
    expect(await harness.until(invocation.result())).toBe("good");
  });

  it("is fine when it is called twice, by several, and when nothing runs any more", async () => {
    const { harness, client, clients, hold } = endlessBench();
    const invocation = await harness.until(client.initiate({ key: "hang", depth: 0 }));
    await harness.run();
    const other = clientsOf(harness);
    const all = [invocation.cancel(), invocation.cancel(), client.get(invocation.id).cancel()];
    expect(other.thread).not.toBe(clients.thread);
    await harness.run();
    hold.open();
    await harness.until(Promise.all(all));
    await harness.until(invocation.cancel());
  });

  it("knows no invocation that never was", async () => {
    const { harness, client } = endlessBench();
    const { cancel } = { cancel: () => client.get("00000000-000000000000-000000000000").cancel() };
    await expect(harness.until(cancel())).rejects.toMatchObject({ code: "INVOCATION_UNKNOWN" });
    const asked = client.get("00000000-000000000000-000000000000").isComplete();
    await expect(harness.until(asked)).rejects.toMatchObject({ code: "INVOCATION_UNKNOWN" });
  });

  it("ends with the reason of the caller's signal, and goes on without him", async () => {
    const { harness, client, hold } = endlessBench();
    const invocation = await harness.until(client.initiate({ key: "hang", depth: 0 }));
    await harness.run();
    const controller = new AbortController();
    const cancel = invocation.cancel({ signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(harness.until(cancel)).rejects.toThrow("enough");
    await harness.run();
    await expect(harness.until(invocation.result())).rejects.toMatchObject(cancelled);
    hold.open();
    await harness.until(invocation.cancel());
  });

  it("isComplete() is false as long as there is no outcome", async () => {
    const { harness, client, state } = endlessBench({}, { retryBackoffMs: 1_000 });
    state.throws = true;
    const invocation = await harness.until(client.initiate({ key: "answer", depth: 0 }));
    await harness.runNow();
    expect(await harness.until(invocation.isComplete())).toBe(false);
    state.throws = false;
    expect(await harness.until(invocation.result())).toBe("answer");
    expect(await harness.until(invocation.isComplete())).toBe(true);
  });
});

describe("cancel — crashes at any point", () => {
  it("stops everything, once it was accepted; who asks again is told when", async () => {
    let again = 0;
    for (let seed = 1; seed <= 60; seed += 1) {
      const { harness, client, state } = endlessBench({ seed });
      const random = seededRandom(seed);
      const invocation = await harness.until(client.initiate({ key: "a", depth: 0 }));
      for (let steps = Math.floor(random() * 60); steps > 0; steps -= 1) await harness.step();
      let stopped = invocation.cancel().catch((error: unknown) => error);
      for (let crash = 0; crash < 3; crash += 1) {
        for (let steps = Math.floor(random() * 12); steps > 0; steps -= 1) await harness.step();
        harness.crash(Math.floor(random() * harness.taskCount));
      }
      while ((await harness.until(stopped)) !== undefined) {
        again += 1;
        stopped = invocation.cancel().catch((error: unknown) => error);
      }
      const { runs } = state;
      await harness.run();
      expect(state.runs).toBe(runs);
      await expect(harness.until(invocation.result())).rejects.toMatchObject(cancelled);
      expect(harness.rowCount(fenceTable)).toBe(0);
      const marks = [0, 1, 2].filter((task) => harness.rows(task).count(queueTable) > 0).length;
      expect(harness.rowCount(queueTable)).toBe(marks);
    }
    expect(again).toBeGreaterThan(10);
  });
});
