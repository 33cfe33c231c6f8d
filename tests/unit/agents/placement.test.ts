// A bug here would look like this: a node on the wrong task, or an emit that overtakes another.
// Placement is seen through `ctx.now()`, which these harnesses let say the number of the task.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentProgram } from "../../../agents/execution.js";
import { parseInvocationId, placementOf } from "../../../agents/wire/invocation-id.js";
import { sum } from "../../../agents/declare/aggregators.js";
import { node } from "../../../agents/declare/node.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import type { ProgramEntry, TaskProgramFactory } from "../../../runtime/task-program.js";
import { hashKey } from "../../../store/key-hash.js";
import { type } from "../../../store/schema.js";
import { encodeDynamicKey } from "../../../store/tuple-key.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";

/** Programs whose nodes see the number of their task as the time. */
const placed: TaskProgramFactory = (port, entries) =>
  agentProgram()({ ...port, now: () => port.taskId }, entries);

function placedHarness(agents: Readonly<Record<string, ProgramEntry>>, tasks: number, seed = 1) {
  return new ProgramHarness({ agents, tasks, seed, program: placed });
}

function homeOf(harness: ProgramHarness, id: string): number {
  return harness.ownerOf(placementOf(parseInvocationId("a", id)));
}

/**
 * `fan` emits the numbers below its message to `leaf` in order; a leaf notes its task and the
 * number.
 */
function fanAgent(seen: (readonly [number, number])[], key?: (n: number) => number) {
  return agent({
    entry: "fan",
    result: type<string>(),
    nodes: {
      fan: node({ input: type<number>(), to: ["leaf"] }),
      leaf: node({ input: type<number>(), ...(key === undefined ? {} : { key }) }),
    },
  }).implement({
    fan(ctx, count) {
      seen.push([ctx.now(), -1]);
      for (let n = 0; n < count; n += 1) ctx.emit("leaf", n);
    },
    leaf(ctx, n) {
      seen.push([ctx.now(), n]);
    },
  });
}

describe("placement", () => {
  it("runs the start node on the home task", async () => {
    const seen: (readonly [number, number])[] = [];
    const fan = fanAgent(seen);
    const harness = placedHarness({ fan }, 5);
    const client = clientsOf(harness).agent(fan);
    const homes: number[] = [];
    for (let count = 0; count < 20; count += 1) {
      const { id } = await harness.until(client.initiate(0));
      homes.push(homeOf(harness, id));
      await harness.run();
    }
    expect(seen.map(([task]) => task)).toEqual(homes);
    expect(new Set(homes).size).toBe(5);
  });

  it("keeps a first emit on its task and gives each further one the next of a round", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const seen: (readonly [number, number])[] = [];
      const fan = fanAgent(seen);
      const harness = placedHarness({ fan }, 4, seed);
      await harness.until(clientsOf(harness).agent(fan).initiate(9));
      await harness.run();
      const home = seen.find(([, n]) => n === -1)?.[0] ?? -1;
      const tasks = seen
        .filter(([, n]) => n >= 0)
        .sort(([, a], [, b]) => a - b)
        .map(([task]) => task);
      expect(tasks[0]).toBe(home);
      const round = tasks.slice(1, 5);
      expect([...round].sort()).toEqual([0, 1, 2, 3]);
      expect(round[3]).toBe(home);
      expect(tasks.slice(5)).toEqual(round);
    }
  });

  it("takes a round in random order", async () => {
    const orders = new Set<string>();
    for (let seed = 1; seed <= 20; seed += 1) {
      const seen: (readonly [number, number])[] = [];
      const fan = fanAgent(seen);
      const harness = placedHarness({ fan }, 4, seed);
      await harness.until(clientsOf(harness).agent(fan).initiate(5));
      await harness.run();
      const leaves = seen.filter(([, n]) => n >= 0).sort(([, a], [, b]) => a - b);
      orders.add(leaves.map(([task]) => task).join());
    }
    expect(orders.size).toBeGreaterThan(6);
  });

  it("runs a keyed node on the task that owns the key", async () => {
    const seen: (readonly [number, number])[] = [];
    const fan = fanAgent(seen, (n) => n);
    const harness = placedHarness({ fan }, 4);
    await harness.until(clientsOf(harness).agent(fan).initiate(40));
    await harness.run();
    const leaves = seen.filter(([, n]) => n >= 0);
    expect(leaves.length).toBe(40);
    for (const [task, n] of leaves) {
      expect(task).toBe(harness.ownerOf(hashKey(encodeDynamicKey(n))));
    }
  });

  it("keeps the first emit to a plain node, whatever other nodes were sent before", async () => {
    const seen: (readonly [string, number, number])[] = [];
    const declared = agent({
      entry: "fan",
      result: type<null>(),
      nodes: {
        fan: node({ input: type<number>(), to: ["middle"] }),
        middle: node({ input: type<number>(), to: ["split", "keyed", "plain"] }),
        split: scatter({ input: type<number>(), to: ["all"] }),
        all: gather({ collect: sum }),
        keyed: node({ input: type<number>(), key: (n) => n }),
        plain: node({ input: type<number>() }),
      },
    }).implement({
      fan(ctx, count) {
        for (let n = 0; n < count; n += 1) ctx.emit("middle", n);
      },
      middle(ctx, n) {
        seen.push(["middle", ctx.now(), n]);
        ctx.emit("split", n);
        ctx.emit("keyed", n);
        ctx.emit("plain", n);
        ctx.emit("keyed", n + 1);
        ctx.emit("plain", -1);
      },
      split(ctx, n) {
        seen.push(["split", ctx.now(), n]);
      },
      all: (ctx) => {
        seen.push(["all", ctx.now(), 0]);
      },
      keyed() {},
      plain(ctx, n) {
        seen.push(["plain", ctx.now(), n]);
      },
    });
    const harness = placedHarness({ declared }, 4);
    const { id } = await harness.until(clientsOf(harness).agent(declared).initiate(8));
    await harness.run();
    const placesOf = (name: string): readonly string[] => {
      const own = seen.filter(([of, , n]) => of === name && n >= 0);
      return own.map(([, task, n]) => `${n} at ${task}`).sort();
    };
    const middles = placesOf("middle");
    expect(new Set(seen.filter(([of]) => of === "middle").map(([, task]) => task)).size).toBe(4);
    expect(placesOf("plain")).toEqual(middles);
    // Scatter and gather nodes always run on the home task.
    const home = homeOf(harness, id);
    expect(placesOf("split")).toEqual(middles.map((_, n) => `${n} at ${home}`));
    expect(new Set(placesOf("all"))).toEqual(new Set([`0 at ${home}`]));
  });

  it("makes the owner of the key of a keyed start node the home of the invocation", async () => {
    const keyed = agent({
      entry: "a",
      result: type<number>(),
      nodes: { a: node({ input: type<string>(), key: (m) => m }) },
    }).implement({ a: (ctx) => ctx.result(ctx.now()) });
    const harness = placedHarness({ keyed }, 4);
    const client = clientsOf(harness).agent(keyed);
    for (const name of ["alice", "bob", "carol", "dave", "eve"]) {
      const owner = harness.ownerOf(hashKey(encodeDynamicKey(name)));
      const invocation = await harness.until(client.initiate(name));
      expect(homeOf(harness, invocation.id)).toBe(owner);
      expect(await harness.until(invocation.result())).toBe(owner);
    }
  });
});

describe("order", () => {
  it("processes emits from one node invocation to one task in emit order", async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const seen: (readonly [number, number])[] = [];
      const fan = fanAgent(seen);
      const harness = placedHarness({ fan }, 3, seed);
      await harness.until(clientsOf(harness).agent(fan).initiate(30));
      await harness.run();
      for (let task = 0; task < 3; task += 1) {
        const numbers = seen.filter(([at, n]) => at === task && n >= 0).map(([, n]) => n);
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      }
    }
  });

  it("runs a cycle as often as its nodes emit", async () => {
    const declared = agent({
      entry: "up",
      result: type<number>(),
      nodes: {
        up: node({ input: type<number>(), to: ["down"] }),
        down: node({ input: type<number>(), to: ["up"], key: (n) => n % 3 }),
      },
    }).implement({
      up(ctx, n) {
        if (n >= 10) ctx.result(n);
        else ctx.emit("down", n);
      },
      down: (ctx, n) => ctx.emit("up", n + 1),
    });
    const harness = new ProgramHarness({ agents: { declared } });
    expect(await harness.until(clientsOf(harness).agent(declared).invoke(0))).toBe(10);
  });
});
