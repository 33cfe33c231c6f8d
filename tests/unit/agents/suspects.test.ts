// A bug here would look like this: a node that takes its task down at every start for ever, an
// innocent one that is given up in its place, a suspect that never gets its turn.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentProgram } from "../../../agents/execution.js";
import { node } from "../../../agents/declare/node.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { limits } from "../../../base/limits.js";
import type { TaskPort } from "../../../runtime/task-program.js";
import { type } from "../../../store/schema.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";

interface Order {
  readonly key: string;
  /** `kill`: the task dies as soon as the function runs. `hang`: it never returns. */
  readonly what: "work" | "kill" | "hang";
}

/** An agent some of whose messages kill their task, and a harness that lets them. */
function deadlyBench(suspectHint?: number) {
  const log: string[] = [];
  /** Tasks that have been killed and not yet crashed. */
  const killed: number[] = [];
  const frames: number[] = [];
  const deadly = agent({
    entry: "a",
    result: type<string>(),
    nodes: { a: node({ input: type<Order>(), key: ({ key }) => key }) },
  }).implement({
    async a(ctx, { key, what }) {
      log.push(key);
      if (what === "kill") killed.push(0);
      if (what !== "work") await new Promise(() => {});
      ctx.result(key);
    },
  });
  const program = agentProgram();
  const harness = new ProgramHarness({
    agents: { deadly },
    tasks: 1,
    program: (port, entries) => {
      const made = program({ ...port, suspectHint }, entries);
      const apply = made.apply.bind(made);
      // Notes how many rows one frame marks.
      made.apply = (turn, message) => {
        if (message[0] === 17) frames.push(message[1] ?? 0);
        return apply(turn, message);
      };
      return made;
    },
  });
  const clients = clientsOf(harness);
  const client = clients.agent(deadly);
  /** Serves until all is done; a killed task is started again. Returns how often one was. */
  const live = async (): Promise<number> => {
    let deaths = 0;
    do {
      const task = killed.shift();
      killed.length = 0;
      if (task === undefined) continue;
      deaths += 1;
      harness.crash(task);
    } while ((await harness.step()) || killed.length > 0);
    return deaths;
  };
  return { harness, client, clients, log, live, frames };
}

describe("suspects — a node that kills its task each time", () => {
  it("is given up after four runs, with a reason that says so; others are served", async () => {
    const { harness, client, live, log } = deadlyBench();
    const bad = await harness.until(client.initiate({ key: "bad", what: "kill" }));
    const good = await harness.until(client.initiate({ key: "good", what: "work" }));
    // Once as it came, once with others in the life after, twice alone.
    expect(await live()).toBe(limits.suspectDeathsMax + 1);
    expect(log.filter((key) => key === "bad").length).toBe(limits.suspectDeathsMax + 1);
    expect(await harness.until(good.result())).toBe("good");
    await expect(harness.until(bad.result())).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
      details: {
        reason: expect.stringMatching(/Node "a" failed \(last failure: .* died 3 times while it/),
      },
      cause: { code: "NODE_DEADLY", details: { agent: "deadly", node: "a", deaths: 3 } },
    });
    expect(await lettersOf(harness)).toMatchObject([{ key: "bad", node: "a", attempts: 3 }]);
    expect(harness.rowCount(queueTable)).toBe(1);
    expect(harness.program(0).running).toBe(0);
  });

  it("opens its key to the next when it is given up", async () => {
    const { harness, client, live, log } = deadlyBench();
    await harness.until(client.initiate({ key: "x", what: "kill" }));
    const next = await harness.until(client.initiate({ key: "x", what: "work" }));
    await live();
    expect(await harness.until(next.result())).toBe("x");
    expect(log).toEqual(["x", "x", "x", "x", "x"]);
  });

  it("leaves those alone that ran beside it: they are done before its turn comes", async () => {
    const { harness, client, live } = deadlyBench();
    const orders = Array.from({ length: 12 }, (_, n) => ({ key: `k${n}`, what: "work" }) as const);
    const killers = [3, 7].map((n) => ({ key: `bad${n}`, what: "kill" }) as const);
    const all = [...orders.slice(0, 5), ...killers, ...orders.slice(5)];
    const begun = await harness.until(Promise.all(all.map((order) => client.initiate(order))));
    await live();
    for (const [n, order] of all.entries()) {
      const result = begun[n]?.result() ?? Promise.resolve("none");
      if (order.what === "work") expect(await harness.until(result)).toBe(order.key);
      else await expect(harness.until(result)).rejects.toMatchObject({ code: "INVOCATION_FAILED" });
    }
    expect((await lettersOf(harness)).map(({ key }) => key).sort()).toEqual(["bad3", "bad7"]);
  });

  it("can be replayed when it is mended, with no deaths to its name", async () => {
    const { harness, client, clients, live, log } = deadlyBench();
    const bad = await harness.until(client.initiate({ key: "bad", what: "kill" }));
    await live();
    log.length = 0;
    const [letter] = await lettersOf(harness);
    await harness.until(clients.deadLetters.replay(letter?.id ?? ""));
    expect(await live()).toBe(limits.suspectDeathsMax + 1);
    expect(log.length).toBe(limits.suspectDeathsMax + 1);
    await expect(harness.until(bad.result())).rejects.toMatchObject({ code: "INVOCATION_FAILED" });
  });
});

describe("suspects — marks", () => {
  it("writes one for all that start together, none in a life that follows no death", async () => {
    const { harness, client, frames } = deadlyBench();
    const orders = Array.from({ length: 7 }, (_, n) => ({ key: `k${n}`, what: "hang" }) as const);
    await harness.until(Promise.all(orders.map((order) => client.initiate(order))));
    await harness.runNow();
    expect(frames).toEqual([]);
    harness.crash(0);
    await harness.runNow();
    expect(frames).toEqual([7]);
  });

  it("tells whom the watchdog has named: that one runs alone, others as usual", async () => {
    // The row of the first message.
    const { harness, client, frames, log } = deadlyBench(1);
    for (const key of ["a", "b", "c"]) await harness.until(client.initiate({ key, what: "hang" }));
    await harness.runNow();
    harness.crash(0);
    await harness.runNow();
    expect(frames.toSorted()).toEqual([1, 2]);
    expect(log.slice(3).toSorted()).toEqual(["a", "b", "c"]);
  });

  it("starts nothing of an earlier life before its mark is durable", async () => {
    const { harness, client, log } = deadlyBench();
    await harness.until(client.initiate({ key: "x", what: "hang" }));
    await harness.runNow();
    expect(log).toEqual(["x"]);
    harness.crash(0);
    while (!harness.hasBatchInHand(0)) await harness.stepNow();
    expect(log).toEqual(["x"]);
    await harness.runNow();
    expect(log).toEqual(["x", "x"]);
  });

  it("does not wait for suspects with what comes new", async () => {
    const { harness, client, log } = deadlyBench();
    for (const key of ["a", "b"]) await harness.until(client.initiate({ key, what: "hang" }));
    await harness.runNow();
    for (let life = 0; life < 2; life += 1) {
      harness.crash(0);
      await harness.runNow();
    }
    // One of the two has its turn and the other waits for it.
    expect(log).toEqual(["a", "b", "a", "b", "a"]);
    expect(harness.program(0).running).toBe(2);
    expect(await harness.until(client.invoke({ key: "c", what: "work" }))).toBe("c");
    expect(log.at(-1)).toBe("c");
  });
});

describe("suspects — turns", () => {
  it("ends one after a while when it kills nothing: the next runs beside it", async () => {
    const { harness, client, log } = deadlyBench();
    for (const key of ["a", "b"]) await harness.until(client.initiate({ key, what: "hang" }));
    await harness.runNow();
    for (let life = 0; life < 2; life += 1) {
      harness.crash(0);
      await harness.runNow();
    }
    const before = harness.clock.nowMs;
    expect(log.filter((key) => key === "b").length).toBe(2);
    await harness.run();
    expect(log.filter((key) => key === "b").length).toBe(3);
    expect(harness.clock.nowMs - before).toBe(2 * limits.suspectTimeMs);
  });

  it("runs one at a time in the whole process, whatever task it belongs to", async () => {
    let running = 0;
    let most = 0;
    let doneAlone = 0;
    let phase: "hang" | "alone" = "hang";
    const declared = agent({
      entry: "a",
      result: type<null>(),
      stores: {},
      nodes: { a: node({ input: type<number>(), key: (n) => n }) },
    }).implement({
      async a(ctx) {
        if (phase === "hang") await new Promise(() => {});
        running += 1;
        most = Math.max(most, running);
        // Other queues are served meanwhile.
        await ctx.run("wait", () => {});
        await ctx.run("longer", () => {});
        running -= 1;
        doneAlone += 1;
        ctx.result(null);
      },
    });
    const harness = new ProgramHarness({ agents: { declared }, tasks: 3 });
    const client = clientsOf(harness).agent(declared);
    await harness.until(Promise.all(Array.from({ length: 12 }, (_, n) => client.initiate(n))));
    await harness.runNow();
    for (let task = 0; task < 3; task += 1) harness.crash(task);
    await harness.runNow();
    phase = "alone";
    for (let task = 0; task < 3; task += 1) harness.crash(task);
    await harness.run();
    expect(doneAlone).toBe(12);
    expect(most).toBe(1);
  });

  it("ends with an abort: nothing more starts, and who waits for the turns is told", async () => {
    const { harness, client, log } = deadlyBench();
    for (const key of ["a", "b"]) await harness.until(client.initiate({ key, what: "hang" }));
    await harness.runNow();
    harness.crash(0);
    await harness.runNow();
    harness.crash(0);
    await harness.runNow();
    harness.program(0).abort(new Error("closed by force"));
    await harness.until(harness.suspectsRun);
    expect(log).toEqual(["a", "b", "a", "b", "a"]);
    expect(harness.program(0).running).toBe(0);
    expect(harness.clock.advance()).toBe(false);
  });

  it("treats what a clean start finds as any other", async () => {
    const { harness, client } = deadlyBench();
    const hold = latch();
    await harness.until(client.initiate({ key: "a", what: "hang" }));
    await harness.runNow();
    for (let life = 0; life < 2; life += 1) {
      harness.crash(0);
      await harness.runNow();
    }
    const rows = harness.rows(0);
    let ran = 0;
    const mended = agent({
      entry: "a",
      result: type<string>(),
      nodes: { a: node({ input: type<Order>(), key: ({ key }) => key }) },
    }).implement({
      async a(ctx) {
        ran += 1;
        await hold.opened;
        ctx.result("mended");
      },
    });
    const clean = (port: TaskPort): TaskPort => ({
      ...port,
      boot: { ...port.boot, unclean: false },
    });
    const again = new ProgramHarness({
      agents: { deadly: mended },
      tasks: 1,
      rows: [rows],
      program: (port, entries) => agentProgram()(clean(port), entries),
    });
    await again.runNow();
    expect(ran).toBe(1);
    hold.open();
    await again.run();
    expect(again.rowCount(queueTable)).toBe(1);
  });
});
