// What a node has begun and does not wait for, when its invocation is cancelled. A bug here would
// look like a child that goes on though `cancel()` of its parent has resolved, or like one that was
// stopped though its node had long ended; or like two that wait for each other's end.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { Invocation } from "../../../agents/client/invocation.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { fenceTable } from "../../../agents/node/fences.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { waitTable } from "../../../agents/node/wait-rows.js";
import { limits } from "../../../base/limits.js";
import { callId } from "../../../runtime/call-id.js";
import { type } from "../../../store/schema.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { type HarnessSettings, ProgramHarness } from "../../support/program-harness.js";
import { codeOf } from "../../support/agent-sentences/codes.js";

/** What a parent does once it has begun its children. */
type Way = "waits" | "ignores" | "ends" | "throws" | "follows" | "asks";

interface Order {
  readonly way: Way;
  /** A child for each, which begins those behind it. */
  readonly children: readonly string[];
}

interface Settings extends Omit<HarnessSettings, "agents"> {
  readonly maxRetries?: number;
  readonly retryBackoffMs?: number;
  readonly version?: number;
}

/**
 * A parent that begins children and does not wait for their results. A child "stubborn" runs until
 * the latch is open, whatever its signal says; one "a>b" begins "b"; others wait for their signal.
 */
function nursery(given: Settings = {}) {
  const { maxRetries = 0, retryBackoffMs = 0, version = 1, ...settings } = given;
  const hold = latch();
  const parentHold = latch();
  const state = { refused: "", throws: true };
  const log: string[] = [];
  const ids = new Map<string, string>();
  const child = agent({
    agents: { child: agentRef<string, string>("child") },
    entry: "play",
    result: type<string>(),
    nodes: {
      play: node({ input: type<string>(), to: ["next"] }),
      next: node({ input: type<string>() }),
    },
  }).implement({
    async play(ctx, name) {
      log.push(`${name} plays`);
      const [own, ...behind] = name.split(">");
      if (behind.length > 0) await ctx.agents.child.initiate(behind.join(">"));
      if (own === "quick") return ctx.result("done");
      if (own === "stubborn") await hold.opened;
      else await aborted(ctx.signal);
      log.push(`${name} stops`);
      ctx.emit("next", name);
    },
    next(_, name) {
      log.push(`${name} goes on`);
    },
  });
  const parent = agent({
    agents: { child },
    maxRetries,
    retryBackoffMs,
    version,
    updateMode: "restart",
    entry: "begin",
    result: type<string>(),
    nodes: {
      begin: node({ input: type<Order>(), to: ["stay"] }),
      stay: node({ input: type<null>() }),
    },
  }).implement({
    async begin(ctx, { way, children }) {
      let last: Invocation<string> | undefined;
      for (const name of children) {
        last = await ctx.agents.child.initiate(name);
        ids.set(name, last.id);
      }
      log.push("parent has begun them");
      if (way === "ends") return ctx.emit("stay", null);
      if (way === "throws" && state.throws) throw new Error("no");
      if (way === "asks") return ctx.result(await ctx.askHuman<string>("?"));
      if (way === "ignores") await parentHold.opened;
      if (way === "follows") {
        // Its home may not have heard of it yet.
        await ctx.sleep(1);
        for await (const _ of last?.stream("play") ?? []);
      }
      await aborted(ctx.signal);
      state.refused = await codeOf(ctx.agents.child.initiate("late"));
    },
    stay: (ctx) => aborted(ctx.signal),
  });
  const harness = new ProgramHarness({ agents: { parent, child }, ...settings });
  const clients = clientsOf(harness);
  const [parents, children] = [clients.agent(parent), clients.agent(child)];
  const childOf = (name: string) => children.get(ids.get(name) ?? "");
  return { harness, clients, parents, children, childOf, hold, parentHold, log, state };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve());
  });
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

async function expectNothingLeft(harness: ProgramHarness): Promise<void> {
  await harness.run();
  expect(rowsThatWait(harness)).toBe(0);
  expect(harness.rowCount(fenceTable)).toBe(0);
  expect(harness.rowCount(waitTable)).toBe(0);
  for (let task = 0; task < harness.taskCount; task += 1) {
    expect(harness.program(task).running).toBe(0);
  }
}

/** The rows of the queue, but for the marks of tasks that had some. */
function rowsThatWait(harness: ProgramHarness): number {
  let count = 0;
  for (let task = 0; task < harness.taskCount; task += 1) {
    count += Math.max(0, harness.rows(task).count(queueTable) - 1);
  }
  return count;
}

const cancelled = { code: "INVOCATION_CANCELLED" };

describe("own children — begun, and not waited for", () => {
  it("are cancelled with their parent, whose cancel() resolves when they stop", async () => {
    for (const way of ["waits", "asks", "follows"] as const) {
      for (let seed = 1; seed <= 10; seed += 1) {
        const { harness, parents, childOf, hold, log } = nursery({ seed });
        const order = { way, children: ["meek", "stubborn"] };
        const invocation = await harness.until(parents.initiate(order));
        await harness.run();
        const cancel = invocation.cancel();
        const settled = isSettled(cancel);
        await harness.run();
        for (const name of order.children) {
          await expect(harness.until(childOf(name).result())).rejects.toMatchObject(cancelled);
        }
        expect(log).toContain("meek stops");
        expect(settled()).toBe(false);
        hold.open();
        await harness.until(cancel);
        expect(log.at(-1)).toBe("stubborn stops");
        await harness.run();
        expect(log.filter((line) => line.endsWith("goes on"))).toEqual([]);
        await expectNothingLeft(harness);
      }
    }
  });

  it("are told at once, though the parent's function does not return", async () => {
    const { harness, parents, hold, parentHold, log } = nursery();
    const invocation = await harness.until(
      parents.initiate({ way: "ignores", children: ["meek"] }),
    );
    await harness.runNow();
    const cancel = invocation.cancel();
    await harness.run();
    expect(log).toContain("meek stops");
    hold.open();
    parentHold.open();
    await harness.until(cancel);
    await expectNothingLeft(harness);
  });

  it("so are the children of children", async () => {
    const { harness, parents, hold, log } = nursery();
    const invocation = await harness.until(
      parents.initiate({ way: "waits", children: ["meek>meek>stubborn"] }),
    );
    await harness.runNow();
    const cancel = invocation.cancel();
    const settled = isSettled(cancel);
    await harness.run();
    expect(log).toContain("meek>stubborn stops");
    expect(settled()).toBe(false);
    hold.open();
    await harness.until(cancel);
    expect(log.at(-1)).toBe("stubborn stops");
    await expectNothingLeft(harness);
  });

  it("and those of a node that has failed, and waits for its next attempt", async () => {
    const { harness, parents, log } = nursery({ maxRetries: 1, retryBackoffMs: 60_000 });
    const invocation = await harness.until(parents.initiate({ way: "throws", children: ["meek"] }));
    await harness.runNow();
    expect(log).toEqual(["parent has begun them", "meek plays"].toSorted().reverse());
    await harness.until(invocation.cancel());
    expect(log.at(-1)).toBe("meek stops");
    await expectNothingLeft(harness);
  });

  it("nothing is begun any more by a node that is cancelled", async () => {
    const { harness, parents, log, state } = nursery();
    const invocation = await harness.until(parents.initiate({ way: "waits", children: [] }));
    await harness.runNow();
    await harness.until(invocation.cancel());
    expect(state.refused).toBe("INVOCATION_CANCELLED");
    await harness.run();
    expect(log).toEqual(["parent has begun them"]);
  });

  it("however many there are", async () => {
    const count = 3 * limits.childrenStopMax + 1;
    const { harness, parents, log } = nursery();
    const children = Array.from({ length: count }, (_, n) => `meek ${n}`);
    const invocation = await harness.until(parents.initiate({ way: "waits", children }));
    await harness.runNow();
    await harness.until(invocation.cancel());
    expect(log.filter((line) => line.endsWith("stops")).length).toBe(count);
    await expectNothingLeft(harness);
  });

  it("one that has ended is fine", async () => {
    const { harness, parents, childOf } = nursery();
    const invocation = await harness.until(parents.initiate({ way: "waits", children: ["quick"] }));
    await harness.runNow();
    await harness.until(invocation.cancel());
    expect(await harness.until(childOf("quick").result())).toBe("done");
    await expectNothingLeft(harness);
  });
});

describe("own children — while their parent waits for them to stop", () => {
  it("it holds no place among those that run", async () => {
    const program = agentProgram({ runningNodesMax: 2 });
    const { harness, parents, children, hold } = nursery({ tasks: 1, program });
    const order: Order = { way: "waits", children: ["stubborn"] };
    const invocation = await harness.until(parents.initiate(order));
    await harness.runNow();
    const cancel = invocation.cancel();
    await harness.runNow();
    const other = harness.until(children.invoke("quick"));
    expect(await other).toBe("done");
    expect(harness.program(0).running).toBe(1);
    hold.open();
    await harness.until(cancel);
    await expectNothingLeft(harness);
  });

  it("an invocation that begins again from its root does not wait, and they stop", async () => {
    const before = nursery();
    const order: Order = { way: "waits", children: ["meek", "stubborn"] };
    const { id } = await before.harness.until(before.parents.initiate(order));
    await before.harness.run();
    const rows = [0, 1, 2].map((task) => before.harness.rows(task));
    const { harness, parents, children, hold, log, childOf } = nursery({ version: 2, rows });
    await harness.run();
    for (const name of order.children) {
      const left = children.get(before.childOf(name).id);
      await expect(harness.until(left.result())).rejects.toMatchObject(cancelled);
      expect(await harness.until(childOf(name).isComplete())).toBe(false);
    }
    expect(log.filter((line) => line === "parent has begun them").length).toBe(1);
    const cancel = parents.get(id).cancel();
    hold.open();
    await harness.until(cancel);
    await expectNothingLeft(harness);
  });
});

describe("own children — under an id of their own", () => {
  const idOf = (n: number, harness: ProgramHarness) => callId(`ring ${n}`, harness.clock.nowMs);

  it("two that have begun each other do not wait for each other's end", async () => {
    for (const call of ["initiate", "invoke"] as const) {
      const begun: string[] = [];
      const ring = agent({
        agents: { ring: agentRef<number, string>("ring") },
        entry: "go",
        result: type<string>(),
        nodes: { go: node({ input: type<number>() }) },
      }).implement({
        async go(ctx, n) {
          const next = 1 - n;
          begun[n] = ctx.invocationId;
          const other = ctx.agents.ring[call](next, { id: ids[next] ?? "" });
          await Promise.all([other, aborted(ctx.signal)]);
        },
      });
      const harness = new ProgramHarness({ agents: { ring } });
      const ids = [idOf(0, harness), idOf(1, harness)];
      const client = clientsOf(harness).agent(ring);
      const first = await harness.until(client.initiate(0, { id: ids[0] ?? "" }));
      await harness.runNow();
      await harness.until(first.cancel());
      const second = client.get(begun[1] ?? "");
      await expect(harness.until(second.result())).rejects.toMatchObject(cancelled);
      await expectNothingLeft(harness);
    }
  });
});

describe("own children — crashes at any point", () => {
  it.each([100, 0])("all have stopped when a cancel resolves, awake at most %i", async (awake) => {
    let again = 0;
    let began = 0;
    for (let seed = 1; seed <= 60; seed += 1) {
      const random = seededRandom(seed);
      const upTo = (max: number) => Math.floor(random() * max);
      const program = agentProgram({ awakeWaitingMax: awake });
      const way = (["waits", "asks"] as const)[upTo(2)] ?? "asks";
      const { harness, parents, hold, log } = nursery({ seed, program });
      hold.open();
      const children = ["meek", "meek>meek>meek", "quick", "meek>quick"];
      const invocation = await harness.until(parents.initiate({ way, children }));
      for (let steps = upTo(150); steps > 0; steps -= 1) {
        await harness.step();
        if (random() < 0.02) harness.crash(upTo(harness.taskCount));
      }
      let stopped = invocation.cancel().catch((error: unknown) => error);
      for (let crash = 0; crash < 4; crash += 1) {
        for (let steps = upTo(15); steps > 0; steps -= 1) await harness.step();
        harness.crash(upTo(harness.taskCount));
      }
      while ((await harness.until(stopped)) !== undefined) {
        again += 1;
        stopped = invocation.cancel().catch((error: unknown) => error);
      }
      expect(rowsThatWait(harness)).toBe(0);
      const lines = log.length;
      began += lines > 1 ? 1 : 0;
      await expectNothingLeft(harness);
      expect(log.length).toBe(lines);
    }
    expect(again).toBeGreaterThan(10);
    expect(began).toBeGreaterThan(30);
  });
});

describe("own children — when their node has ended", () => {
  it("go their own way: a cancel that comes later does not reach them", async () => {
    const { harness, parents, childOf, log } = nursery();
    const invocation = await harness.until(parents.initiate({ way: "ends", children: ["meek"] }));
    await harness.runNow();
    await harness.until(invocation.cancel());
    await harness.run();
    expect(await harness.until(childOf("meek").isComplete())).toBe(false);
    expect(log).not.toContain("meek stops");
    await harness.until(childOf("meek").cancel());
    await expectNothingLeft(harness);
  });

  it("so do those of one that was given up; they are its own again when replayed", async () => {
    for (const isReplayed of [true, false]) {
      const { harness, clients, parents, childOf, log, state } = nursery();
      const order: Order = { way: "throws", children: ["meek"] };
      const invocation = await harness.until(parents.initiate(order));
      await harness.run();
      await harness.until(invocation.cancel());
      expect(log).not.toContain("meek stops");
      const [letter] = await lettersOf(harness);
      state.throws = false;
      const { deadLetters } = clients;
      const { replay, discard } = {
        replay: () => deadLetters.replay(letter?.id ?? ""),
        discard: () => deadLetters.discard(letter?.id ?? ""),
      };
      await harness.until(isReplayed ? replay() : discard());
      await harness.run();
      if (isReplayed) await harness.until(invocation.cancel());
      expect(log.includes("meek stops")).toBe(isReplayed);
      await harness.until(childOf("meek").cancel());
      await expectNothingLeft(harness);
    }
  });
});
