// Nodes that only wait: they hold no place and, when there are many, no memory. Bugs here would
// look like work that stands still behind those that wait, a function that does its work twice when
// it is woken, or one that is never woken.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram, type ProgramBounds } from "../../../agents/execution.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness, settled } from "../../support/program-harness.js";
import { StoreContent } from "../../support/program-store.js";
import { balances } from "./fixtures.js";

interface Context {
  askHuman<T = unknown>(prompt: unknown): Promise<T>;
  sleep(ms: number): Promise<void>;
  result(value: string): void;
  now(): number;
  random(): number;
  readonly stores: {
    readonly balances: {
      get(key: string): Promise<number | undefined>;
      update(name: "deposit", key: string, amount: number): Promise<number>;
    };
  };
}

function waiting(
  run: (ctx: Context, message: string) => Promise<void>,
  bounds: Partial<ProgramBounds> = {},
  seed = 1,
) {
  const waits = agent({
    stores: { balances },
    entry: "act",
    result: type<string>(),
    nodes: { act: node({ input: type<string>() }) },
  }).implement({ act: run });
  const content = new StoreContent({ deposit: (cents, by) => Number(cents ?? 0) + Number(by) });
  const harness = new ProgramHarness({
    agents: { waits },
    stores: { balances: { declared: balances, content } },
    program: agentProgram(bounds),
    seed,
  });
  return { harness, content, client: clientsOf(harness).agent(waits) };
}

describe("resting nodes — places", () => {
  it("a node all of whose operations are waits does not count among those that run", async () => {
    const { harness, client } = waiting(
      async (ctx, message) => ctx.result(message === "now" ? "" : await ctx.askHuman(message)),
      { runningNodesMax: 1 },
    );
    const asked = ["a", "b", "c", "d", "e"].map((message) => client.initiate(message));
    const invocations = await harness.until(Promise.all(asked));
    expect(await harness.until(client.invoke("now"))).toBe("");
    for (const invocation of invocations) {
      const [question] = await harness.until(invocation.humanInputs());
      if (question === undefined) throw new Error("it asks");
      await harness.until(invocation.answer(question, question.prompt));
    }
    const results = await harness.until(Promise.all(invocations.map((each) => each.result())));
    expect(results).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("nobody who waits for a drain waits for a human", async () => {
    const { harness, client } = waiting(async (ctx) => ctx.result(await ctx.askHuman("?")));
    await harness.until(client.initiate(""));
    await harness.run();
    for (let task = 0; task < 3; task += 1) expect(harness.program(task).running).toBe(0);
  });
});

describe("resting nodes — functions that are given up", () => {
  it("the function runs again when the answer is there, and sees what it saw", async () => {
    for (const awakeWaitingMax of [0, 1]) {
      const seen: string[] = [];
      const { harness, client } = waiting(
        async (ctx, message) => {
          seen.push(`${message} ${ctx.now()} ${ctx.random()}`);
          ctx.result(await ctx.askHuman(message));
        },
        { awakeWaitingMax },
      );
      const messages = ["a", "b", "c"];
      const invocations = await harness.until(Promise.all(messages.map((m) => client.initiate(m))));
      await harness.run();
      harness.clock.nowMs += 1_000_000;
      for (const invocation of invocations) {
        const [question] = await harness.until(invocation.humanInputs());
        if (question === undefined) throw new Error("it asks");
        await harness.until(invocation.answer(question, "yes"));
        expect(await harness.until(invocation.result())).toBe("yes");
      }
      expect(seen.length).toBeGreaterThan(messages.length);
      expect(new Set(seen).size).toBe(messages.length);
    }
  });

  it("after a restart nothing of it runs until the answer is there", async () => {
    let runs = 0;
    const { harness, client } = waiting(async (ctx) => {
      runs += 1;
      ctx.result(await ctx.askHuman("?"));
    });
    const invocation = await harness.until(client.initiate(""));
    await harness.run();
    // Far more often than a node may meet deaths.
    for (let round = 0; round < 10; round += 1) {
      for (let task = 0; task < 3; task += 1) harness.crash(task);
      await harness.run();
    }
    expect(runs).toBe(1);
    const [question] = await harness.until(invocation.humanInputs());
    if (question === undefined) throw new Error("it asks");
    await harness.until(invocation.answer(question, "yes"));
    expect(await harness.until(invocation.result())).toBe("yes");
    expect(runs).toBe(2);
  });

  it("one that goes on by itself is not cut off: it stays in memory", async () => {
    let wake: () => void = () => {};
    const outside = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const { harness, client, content } = waiting(
      async (ctx) => {
        const answer = ctx.askHuman<string>("?");
        await Promise.race([answer, outside]);
        await ctx.stores.balances.update("deposit", "anna", 1);
        ctx.result("without an answer");
      },
      { awakeWaitingMax: 0 },
    );
    const invocation = await harness.until(client.initiate(""));
    await harness.run();
    expect(content.get("anna")).toBeUndefined();
    wake();
    await settled();
    expect(await harness.until(invocation.result())).toBe("without an answer");
    await harness.run();
    expect(content.get("anna")).toBe(1);
    expect(await harness.until(invocation.humanInputs())).toEqual([]);
  });

  it("nor is it given up again, however long it takes to go on", async () => {
    let goOn: () => void = () => {};
    let runs = 0;
    const { harness, client } = waiting(
      async (ctx) => {
        runs += 1;
        const outside = new Promise<void>((resolve) => {
          goOn = resolve;
        });
        await Promise.race([ctx.askHuman("?"), outside]);
        ctx.result("without an answer");
      },
      { awakeWaitingMax: 0 },
    );
    const invocation = await harness.until(client.initiate(""));
    await harness.run();
    // It has rested, and was given up: that it goes on shows that there was something else.
    goOn();
    await harness.run();
    expect(runs).toBe(2);
    goOn();
    expect(await harness.until(invocation.result())).toBe("without an answer");
    expect(runs).toBe(2);
  });

  it("nor is it on record as resting any more: after a death it is run again", async () => {
    let goOn: () => void = () => {};
    let runs = 0;
    const { harness, client } = waiting(
      async (ctx) => {
        runs += 1;
        const outside = new Promise<void>((resolve) => {
          goOn = resolve;
        });
        await Promise.race([ctx.askHuman("?"), outside]);
        ctx.result("without an answer");
      },
      { awakeWaitingMax: 0 },
    );
    const invocation = await harness.until(client.initiate(""));
    await harness.run();
    goOn();
    await harness.run();
    for (let task = 0; task < 3; task += 1) harness.crash(task);
    await harness.run();
    expect(runs).toBe(3);
    // It has rested again in this life.
    goOn();
    await harness.run();
    goOn();
    expect(await harness.until(invocation.result())).toBe("without an answer");
  });
});

describe("resting nodes — time limits", () => {
  it("a limit holds for a node that only waits, however many do, and over restarts", async () => {
    const limited = agent({
      entry: "act",
      result: type<string>(),
      maxRetries: 0,
      nodes: { act: node({ input: type<string>(), nodeTimeoutMs: 60_000 }) },
    }).implement({ act: async (ctx) => ctx.result(await ctx.askHuman<string>("?")) });
    for (const crashes of [false, true]) {
      const program = agentProgram({ awakeWaitingMax: 0, runningNodesMax: 1 });
      const harness = new ProgramHarness({ agents: { limited }, program });
      const client = clientsOf(harness).agent(limited);
      const all = ["a", "b", "c"].map((message) => client.initiate(message));
      const invocations = await harness.until(Promise.all(all));
      await harness.runNow();
      for (const invocation of invocations) {
        expect(await harness.until(invocation.humanInputs())).toHaveLength(1);
      }
      if (crashes) for (let task = 0; task < 3; task += 1) harness.crash(task);
      for (const invocation of invocations) {
        await expect(harness.until(invocation.result())).rejects.toThrow(/took more than 60000 ms/);
      }
    }
  });
});

describe("resting nodes — pauses", () => {
  it("`sleep` ends when its time has come, over restarts", async () => {
    for (let seed = 1; seed < 20; seed += 1) {
      const { harness, client } = waiting(
        async (ctx) => {
          const before = ctx.now();
          await ctx.sleep(60_000);
          ctx.result(String(ctx.now() - before >= 60_000));
        },
        { awakeWaitingMax: seed % 2 },
        seed,
      );
      const invocation = await harness.until(client.initiate(""));
      await harness.runNow();
      for (let task = 0; task < 3; task += 1) if ((seed >> task) % 2 === 0) harness.crash(task);
      expect(await harness.until(invocation.result())).toBe("true");
    }
  });

  it("many pauses end in the order of their times", async () => {
    const ended: string[] = [];
    const { harness, client } = waiting(async (ctx, message) => {
      await ctx.sleep(Number(message));
      ended.push(message);
      ctx.result(message);
    });
    const times = Array.from({ length: 40 }, (_, index) => String((index * 7_919) % 1_000));
    await harness.until(Promise.all(times.map((time) => client.invoke(time))));
    expect(ended).toEqual([...times].sort((a, b) => Number(a) - Number(b)));
  });

  it("a pause of a year is no shorter", async () => {
    const yearMs = 365 * 86_400_000;
    const { harness, client } = waiting(async (ctx) => {
      await ctx.sleep(yearMs);
      ctx.result("");
    });
    const begunMs = harness.clock.nowMs;
    await harness.until(client.invoke(""));
    expect(harness.clock.nowMs - begunMs).toBeGreaterThanOrEqual(yearMs);
  });

  it("refuses a time that is none", async () => {
    const { harness, client } = waiting(async (ctx, message) => {
      await ctx.sleep(Number(message));
      ctx.result("");
    });
    for (const time of ["-1", "NaN", "1e20"]) {
      await expect(harness.until(client.invoke(time))).rejects.toThrow(/sleep in node "act"/);
    }
  });
});
