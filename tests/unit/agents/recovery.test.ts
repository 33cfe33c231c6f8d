// A bug here would look like this: an invocation that a crash makes disappear, a completion that
// counts twice, a row number that is used again.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { invocationTable } from "../../../agents/home/invocation-record.js";
import { node } from "../../../agents/declare/node.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { type } from "../../../store/schema.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { seededRandom } from "../../../testing/seeded-random.js";

/** Splits a number into halves down to 1; every node keyed and unkeyed in turn. Never a result. */
function treeAgent(onRun: (nodeInvocationId: string, n: number) => void) {
  return agent({
    entry: "plain",
    result: type<number>(),
    nodes: {
      plain: node({ input: type<number>(), to: ["keyed"] }),
      keyed: node({ input: type<number>(), to: ["plain"], key: (n) => n % 5 }),
    },
  }).implement({
    async plain(ctx, n) {
      onRun(ctx.nodeInvocationId, n);
      await undefined;
      if (n > 1) for (const half of [n >> 1, n - (n >> 1)]) ctx.emit("keyed", half);
    },
    async keyed(ctx, n) {
      onRun(ctx.nodeInvocationId, n);
      await undefined;
      if (n > 1) for (const half of [n >> 1, n - (n >> 1)]) ctx.emit("plain", half);
    },
  });
}

describe("recovery — running nodes", () => {
  it("runs again what was running, from its start, with the same message and ids", async () => {
    const seen: string[] = [];
    const hold = latch();
    let lives = 0;
    const declared = agent({
      entry: "a",
      result: type<string>(),
      nodes: { a: node({ input: type<string>(), to: ["b"] }), b: node({ input: type<string>() }) },
    }).implement({
      a: (ctx, message) => ctx.emit("b", message),
      async b(ctx, message) {
        lives += 1;
        seen.push(`${ctx.invocationId} ${ctx.nodeInvocationId} ${message}`);
        if (lives === 1) await hold.opened;
        ctx.result(message);
      },
    });
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1 });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate("x"));
    await harness.run();
    harness.crash(0);
    // The first life goes on without effect: nothing it submits is heard.
    hold.open();
    expect(await harness.until(invocation.result())).toBe("x");
    expect(seen.length).toBe(2);
    expect(seen[1]).toBe(seen[0]);
    expect(harness.rowCount(queueTable)).toBe(1);
  });

  it("queues rows again in arrival order, keyed ones one at a time", async () => {
    const log: number[] = [];
    let hold = latch();
    const declared = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<number>(), key: () => "same" }) },
    }).implement({
      async a(ctx, n) {
        await hold.opened;
        log.push(n);
        ctx.result(null);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const client = clientsOf(harness).agent(declared);
    const all = Promise.all(Array.from({ length: 20 }, (_, n) => client.initiate(n)));
    await harness.until(all);
    hold = latch();
    for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
    hold.open();
    await harness.run();
    expect(log).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  it("uses no number again: rows are fresh over restarts", async () => {
    const { waiting } = (() => {
      const hold = latch();
      const declared = agent({
        entry: "a",
        result: type<null>(),
        nodes: { a: node({ input: type<number>() }) },
      }).implement({ a: () => hold.opened });
      return { waiting: declared };
    })();
    const harness = new ProgramHarness({ agents: { waiting }, tasks: 1 });
    const client = clientsOf(harness).agent(waiting);
    // The harness throws when a row that is said to be fresh was there before.
    for (let life = 0; life < 4; life += 1) {
      await harness.until(Promise.all([1, 2, 3].map((n) => client.initiate(n))));
      harness.crash(0);
    }
    await harness.run();
    // Every row has a state: it was started in a life that follows a death. One is the mark.
    expect(harness.rowCount(queueTable)).toBe(2 * 12 + 1);
  });
});

describe("recovery — crashes at any point", () => {
  it("ends every invocation once, whatever crashes, and nothing is left behind", async () => {
    let given = 0;
    for (let seed = 1; seed <= 40; seed += 1) {
      const runs = new Map<string, number>();
      const tree = treeAgent((id, n) => runs.set(id, n));
      const harness = new ProgramHarness({ agents: { tree }, seed });
      const client = clientsOf(harness).agent(tree);
      const random = seededRandom(seed);
      const invocations = await harness.until(
        Promise.all([9, 12, 5].map((n) => client.initiate(n))),
      );
      for (let crashes = 0; crashes < 12; crashes += 1) {
        for (let steps = Math.floor(random() * 12); steps > 0; steps -= 1) await harness.step();
        harness.crash(Math.floor(random() * harness.taskCount));
      }
      await harness.run();
      // Who is hit by crash after crash is given up: not lost, and done when it is replayed.
      for (const letter of await lettersOf(harness)) {
        expect(letter.reason).toContain("is not run again");
        given += 1;
        await harness.until(clientsOf(harness).deadLetters.replay(letter.id));
      }
      await harness.run();
      for (const invocation of invocations) {
        await expect(harness.until(invocation.result())).rejects.toMatchObject({
          code: "INVOCATION_FAILED",
          details: { reason: expect.stringMatching(/^Agent completed without result/) },
        });
      }
      // A tree of n leaves has 2n - 1 nodes, each with an id of its own however often it ran.
      expect(runs.size).toBe(9 * 2 - 1 + 12 * 2 - 1 + 5 * 2 - 1);
      const marks = [0, 1, 2].filter((task) => harness.rows(task).count(queueTable) > 0).length;
      expect(harness.rowCount(queueTable)).toBe(marks);
      expect(harness.rowCount(invocationTable)).toBe(3);
    }
    expect(given).toBeLessThan(8);
  });
});

describe("recovery — another topology", () => {
  it("fails for good what waits for a node that is gone; all else goes on", async () => {
    const shape = { entry: "a", result: type<number>() } as const;
    const a = node({ input: type<number>(), to: ["b"] });
    const b = node({ input: type<number>() });
    const hold = latch();
    const before = agent({ ...shape, nodes: { a, b } }).implement({
      async a(ctx, n) {
        // Its row stays, before that of "b".
        if (n === 0) await hold.opened;
        ctx.emit("b", n);
      },
      b: () => hold.opened,
    });
    const harness = new ProgramHarness({ agents: { x: before }, tasks: 1 });
    const client = clientsOf(harness).agent(before);
    const ids: string[] = [];
    for (let n = 0; n < 2; n += 1) ids.push((await harness.until(client.initiate(n))).id);
    await harness.run();
    const after = agent({ ...shape, nodes: { a: b } }).implement({
      a: (ctx, n) => ctx.result(n),
    });
    const rows = harness.rows(0);
    const next = new ProgramHarness({ agents: { x: after }, tasks: 1, rows: [rows] });
    const again = clientsOf(next).agent(after);
    expect(await next.until(again.get(ids[0] ?? "").result())).toBe(0);
    await expect(next.until(again.get(ids[1] ?? "").result())).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
      details: { failures: [{ node: "b", attempt: 0 }] },
      cause: { code: "NODE_UNKNOWN", details: { agent: "x", node: "b", known: ["a"] } },
    });
    expect(await lettersOf(next)).toMatchObject([{ node: "b", message: 1, attempts: 1 }]);
    const other = new ProgramHarness({ agents: { y: after }, tasks: 1, rows: [rows] });
    await other.run();
    expect(other.rowCount(queueTable)).toBe(1);
  });
});
