// Power cuts in a weak mode take the newest rows of one task and leave others theirs. A bug here
// would look like this: a node that waits for ever for a word that was said, a question that nobody
// is asked, an invocation of which something is always outstanding.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { list } from "../../../agents/declare/aggregators.js";
import { node } from "../../../agents/declare/node.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import { invocationTable } from "../../../agents/home/invocation-record.js";
import { encodeAttempt } from "../../../agents/wire/attempt-message.js";
import { fenceTable } from "../../../agents/node/fences.js";
import { type } from "../../../store/schema.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { type Latch, latch } from "../../support/latch.js";
import {
  fences,
  homeTables,
  keepOld,
  letters,
  nodeRows,
  rowTables,
} from "../../support/old-rows.js";
import { treeOf } from "../../support/tree-rows.js";
import { ProgramHarness } from "../../support/program-harness.js";

const cutRows = [...rowTables, ...letters];

/** What nodes do is up to the test: by name and attempt. */
function bench(seed: number, act: (name: string, attempt: number) => Promise<void> | void) {
  const log: string[] = [];
  const state: { names: readonly string[] } = { names: ["a"] };
  const declared = agent({
    entry: "first",
    result: type<string>(),
    maxRetries: 3,
    nodes: {
      first: node({ input: type<null>(), to: ["second"] }),
      second: node({ input: type<string>(), key: (name) => name, to: ["third"] }),
      third: node({ input: type<string>() }),
    },
  }).implement({
    async first(ctx) {
      await act("first", ctx.attempt);
      for (const name of state.names) ctx.emit("second", name);
    },
    async second(ctx, name) {
      log.push(`${name} in ${ctx.attempt}`);
      await act(name, ctx.attempt);
      ctx.emit("third", name);
    },
    async third(ctx, name) {
      await act("third", ctx.attempt);
      if (name === "a") ctx.result("done");
    },
  });
  const harness = new ProgramHarness({ agents: { declared }, seed, isWeak: true });
  return { harness, client: clientsOf(harness).agent(declared), log, state };
}

const seeds = Array.from({ length: 12 }, (_, index) => index + 1);

describe("power cuts — a node that has failed, and home has told what follows", () => {
  it("runs again when its invocation is over, fails, and goes: its key is free", async () => {
    for (const seed of seeds) {
      const cut = { isOver: false, hold: latch() };
      const { harness, client } = bench(seed, async (name, attempt) => {
        if (name !== "a") return;
        if (attempt === 0 || cut.isOver) throw new Error("no");
        await cut.hold.opened;
      });
      const invocation = await harness.until(client.initiate(null));
      await harness.runNow();
      const comeBack = keepOld(harness, [...rowTables, ...fences]);
      cut.hold.open();
      expect(await harness.until(invocation.result())).toBe("done");
      await harness.runNow();
      cut.isOver = true;
      comeBack();
      // Deaths meanwhile forget nothing.
      for (let step = 0; step < seed * 2; step += 1) await harness.stepNow();
      for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
      await harness.run();
      expect(nodeRows(harness)).toBe(0);
      expect(await lettersOf(harness)).toEqual([]);
      expect(await harness.until(invocation.result())).toBe("done");
      await harness.until(invocation.cancel());
      cut.isOver = false;
      expect(await harness.until(client.invoke(null))).toBe("done");
    }
  });

  it("is told of the attempt again that counts when its task has forgotten it", async () => {
    for (const seed of seeds) {
      const holds = new Map<number, Latch>([0, 1].map((attempt) => [attempt, latch()]));
      const { harness, client, log } = bench(seed, async (name, attempt) => {
        if (name !== "a") return;
        await holds.get(attempt)?.opened;
        if (attempt === 0) throw new Error("no");
      });
      const invocation = await harness.until(client.initiate(null));
      await harness.runNow();
      const comeBack = keepOld(harness, [...rowTables, ...fences]);
      holds.get(0)?.open();
      await harness.runNow();
      comeBack();
      await harness.runNow();
      holds.get(1)?.open();
      expect(await harness.until(invocation.result())).toBe("done");
      await harness.run();
      expect(log).toEqual(["a in 0", "a in 1", "a in 0", "a in 1"]);
      expect(nodeRows(harness) + harness.rowCount(fenceTable)).toBe(0);
    }
  });

  it("goes on in an attempt beyond its own when home has forgotten that one", async () => {
    for (const seed of seeds) {
      const holds = new Map<number, Latch>([0, 1].map((attempt) => [attempt, latch()]));
      const { harness, client, log } = bench(seed, async (name, attempt) => {
        if (name !== "a") return;
        await holds.get(attempt)?.opened;
        if (attempt < 2) throw new Error("no");
      });
      const invocation = await harness.until(client.initiate(null));
      await harness.runNow();
      const forget = keepOld(harness, homeTables);
      holds.get(0)?.open();
      await harness.runNow();
      forget();
      holds.get(1)?.open();
      expect(await harness.until(invocation.result())).toBe("done");
      await harness.run();
      expect(new Set(log)).toEqual(new Set(["a in 0", "a in 1", "a in 2"]));
      expect(nodeRows(harness) + harness.rowCount(fenceTable)).toBe(0);
    }
  });

  it("costs no retry when it has finished before: others go on in their attempt", async () => {
    for (const seed of seeds) {
      const holds = { a: latch(), b: latch(), throws: false };
      const { harness, client, state, log } = bench(seed, async (name) => {
        if (name === "b") await holds.b.opened;
        if (name !== "a") return;
        if (holds.throws) throw new Error("no");
        await holds.a.opened;
      });
      state.names = ["a", "b"];
      const invocation = await harness.until(client.initiate(null));
      await harness.runNow();
      const comeBack = keepOld(harness, rowTables);
      holds.a.open();
      await harness.runNow();
      holds.throws = true;
      comeBack();
      await harness.runNow();
      expect(nodeRows(harness)).toBe(1);
      holds.b.open();
      expect(await harness.until(invocation.result())).toBe("done");
      await harness.until(invocation.cancel());
      expect(new Set(log)).toEqual(new Set(["a in 0", "b in 0"]));
      expect(await lettersOf(harness)).toEqual([]);
    }
  });

  it("is taken for no other row that has got its number", async () => {
    const hold = latch();
    const { harness, client } = bench(1, (name) => (name === "a" ? hold.opened : undefined));
    const invocation = await harness.until(client.initiate(null));
    await harness.runNow();
    const nodeInvocationId = { high: 1, low: 2 };
    const port = harness.clientPort();
    for (let task = 0; task < harness.taskCount; task += 1) {
      for (let arrivalNo = 1; arrivalNo < 4; arrivalNo += 1) {
        const drop = encodeAttempt({ kind: "drop", arrivalNo, nodeInvocationId });
        await harness.until(port.request(task, drop));
      }
    }
    await harness.runNow();
    hold.open();
    expect(await harness.until(invocation.result())).toBe("done");
  });

  it("goes when home says that nothing is left, though its function never returns", async () => {
    for (const seed of seeds) {
      const holds = { a: latch(), b: latch() };
      const { harness, client, state } = bench(seed, async (name, attempt) => {
        if (name === "b" && attempt === 0) throw new Error("no");
        if (name === "a") await holds.a.opened;
        if (name === "b") await holds.b.opened;
      });
      state.names = ["a", "b"];
      const invocation = await harness.until(client.initiate(null));
      await harness.runNow();
      const comeBack = keepOld(harness, rowTables);
      holds.a.open();
      expect(await harness.until(invocation.result())).toBe("done");
      await harness.runNow();
      holds.a = latch();
      comeBack();
      await harness.runNow();
      expect(nodeRows(harness)).toBe(2);
      holds.b.open();
      await harness.run();
      expect(nodeRows(harness) + harness.rowCount(fenceTable)).toBe(0);
      await harness.until(invocation.cancel());
    }
  });
});

describe("power cuts — a node that waits for a human", () => {
  const asks = () => {
    const hold = latch();
    const declared = agent({
      entry: "ask",
      result: type<string>(),
      nodes: { ask: node({ input: type<string>(), key: (key) => key }) },
    }).implement({
      async ask(ctx) {
        const answer = await ctx.askHuman<string>("what?");
        await hold.opened;
        ctx.result(answer);
      },
    });
    return { hold, declared };
  };

  it("asks again when only home knows of the answer", async () => {
    for (const seed of seeds) {
      const { hold, declared } = asks();
      const harness = new ProgramHarness({ agents: { declared }, seed, isWeak: true });
      const client = clientsOf(harness).agent(declared);
      const invocation = await harness.until(client.initiate("k"));
      await harness.runNow();
      const comeBack = keepOld(harness, rowTables);
      const [question] = await harness.until(invocation.humanInputs());
      await harness.until(invocation.answer(question?.id ?? "", "one"));
      await harness.runNow();
      expect(await harness.until(invocation.humanInputs())).toEqual([]);
      comeBack();
      await harness.runNow();
      const again = await harness.until(invocation.humanInputs());
      expect(again).toEqual([question]);
      await harness.until(invocation.answer(question?.id ?? "", "two"));
      hold.open();
      expect(await harness.until(invocation.result())).toBe("two");
      expect(await harness.until(invocation.humanInputs())).toEqual([]);
    }
  });

  it("asks nothing a second time that is open", async () => {
    for (const seed of seeds) {
      const { hold, declared } = asks();
      const harness = new ProgramHarness({ agents: { declared }, seed, isWeak: true });
      const invocation = await harness.until(clientsOf(harness).agent(declared).initiate("k"));
      await harness.runNow();
      const before = await harness.until(invocation.humanInputs());
      for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
      await harness.runNow();
      expect(await harness.until(invocation.humanInputs())).toEqual(before);
      hold.open();
    }
  });

  it("goes when no home knows of its invocation: its key is free", async () => {
    for (const seed of seeds) {
      const { hold, declared } = asks();
      const harness = new ProgramHarness({ agents: { declared }, seed, isWeak: true });
      const client = clientsOf(harness).agent(declared);
      const forget = keepOld(harness, homeTables);
      await harness.until(client.initiate("k"));
      await harness.runNow();
      forget();
      await harness.run();
      expect(harness.rowCount(invocationTable) + nodeRows(harness)).toBe(0);
      const next = await harness.until(client.initiate("k"));
      hold.open();
      const step = await harness.until(next.nextStep());
      if (step.kind !== "question") throw new Error("it has a result");
      await harness.until(next.answer(step.question, "yes"));
      expect(await harness.until(next.result())).toBe("yes");
    }
  });
});

describe("power cuts — a node that ends again", () => {
  it("has ended once; what it emits beyond its first time runs, and is waited for", async () => {
    for (const seed of seeds) {
      const holds = { first: latch(), third: latch() };
      const { harness, client, state, log } = bench(seed, async (name) => {
        if (name === "first") await holds.first.opened;
        if (name === "third") await holds.third.opened;
      });
      const invocation = await harness.until(client.initiate(null));
      await harness.runNow();
      const comeBack = keepOld(harness, rowTables);
      holds.first.open();
      await harness.runNow();
      state.names = ["a", "b"];
      comeBack();
      await harness.runNow();
      expect(log.toSorted()).toEqual(["a in 0", "a in 0", "b in 0"]);
      const cancelled = harness.until(invocation.cancel());
      holds.third.open();
      await cancelled;
      await harness.run();
      expect(nodeRows(harness)).toBe(0);
    }
  });

  it("and emits less than before: what has come of the rest is outstanding no more", async () => {
    for (const seed of seeds) {
      const hold = { first: latch(), a: latch() };
      const { harness, client, state } = bench(seed, async (name) => {
        if (name === "first") await hold.first.opened;
        if (name === "a") await hold.a.opened;
      });
      const invocation = await harness.until(client.initiate(null));
      await harness.runNow();
      const { home } = treeOf(harness, invocation.id);
      const forget = keepOld(harness, [...rowTables, ...homeTables], home);
      hold.first.open();
      await harness.runNow();
      state.names = [];
      hold.first = latch();
      forget();
      hold.a.open();
      await harness.runNow();
      hold.first.open();
      await harness.runNow();
      // A look for lost nodes finds none, and that something is outstanding.
      for (let look = 0; look < 3; look += 1) {
        harness.clock.pass(10_000);
        await harness.runNow();
      }
      await harness.until(invocation.cancel());
      expect(nodeRows(harness)).toBe(0);
    }
  });

  /** A scope of two parts; one of them throws while it is to. */
  const parts = (seed: number) => {
    const log: string[] = [];
    const state = { throws: true, hold: latch() };
    const declared = agent({
      entry: "split",
      result: type<readonly number[]>(),
      maxRetries: 0,
      nodes: {
        split: scatter({ input: type<null>(), to: ["part"] }),
        part: node({ input: type<number>(), key: (n: number) => n, to: ["join"] }),
        join: gather({ collect: list(type<number>()) }),
      },
    }).implement({
      split(ctx) {
        for (const n of [1, 2]) ctx.emit("part", n);
      },
      async part(ctx, n) {
        await state.hold.opened;
        if (n === 1 && state.throws) throw new Error("no");
        ctx.emit("join", n);
      },
      join(_ctx, given) {
        log.push(given.toSorted().join());
      },
    });
    const harness = new ProgramHarness({ agents: { declared }, seed, isWeak: true });
    const clients = clientsOf(harness);
    return { harness, clients, client: clients.agent(declared), log, state };
  };

  it.each([false, true])(
    "that was given up, which its task has forgotten: throws %s",
    async (throws) => {
      for (const seed of seeds) {
        const { harness, clients, client, log, state } = parts(seed);
        const invocation = await harness.until(client.initiate(null));
        await harness.runNow();
        const comeBack = keepOld(harness, cutRows);
        state.hold.open();
        const failed = { code: "INVOCATION_FAILED" };
        await expect(harness.until(invocation.result())).rejects.toMatchObject(failed);
        await harness.runNow();
        state.throws = throws;
        comeBack();
        await harness.run();
        // Its scope is finished after all, or it is a dead letter again.
        expect(log).toEqual(throws ? [] : ["1,2"]);
        const kept = await lettersOf(harness);
        expect(kept.length).toBe(throws ? 1 : 0);
        expect(nodeRows(harness)).toBe(0);
        state.throws = false;
        for (const { id } of kept) await harness.until(clients.deadLetters.replay(id));
        await harness.run();
        expect(log).toEqual(["1,2"]);
        await harness.until(invocation.cancel());
      }
    },
  );
});
