// A bug here would look like this: an invocation that never ends, or ends twice, or ends as it
// should not; a failure that nobody can find afterwards.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { decodeFailure } from "../../../agents/wire/failure.js";
import { parseInvocationId, placementOf } from "../../../agents/wire/invocation-id.js";
import {
  decodeRecord,
  type InvocationRecord,
  invocationTable,
} from "../../../agents/home/invocation-record.js";
import { encodeAwait, encodeInitiate } from "../../../agents/wire/message.js";
import { node } from "../../../agents/declare/node.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { oneNode } from "./fixtures.js";

function homeOf(harness: ProgramHarness, id: string): number {
  return harness.ownerOf(placementOf(parseInvocationId("a", id)));
}

function recordOf(harness: ProgramHarness, id: string): InvocationRecord {
  const row = harness.rows(homeOf(harness, id)).get(invocationTable, parseInvocationId("a", id));
  if (row === undefined) throw new Error(`there is no record of ${id}`);
  return decodeRecord(row);
}

describe("execution — the first result wins", () => {
  it.each([[null], [undefined], [""], ["text"]])("%j is a result", async (value) => {
    const { harness, client } = oneNode((ctx) => ctx.result(value));
    expect(await harness.until(client.invoke("x"))).toBe(value);
    const invocation = await harness.until(client.initiate("x"));
    await harness.run();
    expect(await harness.until(invocation.result())).toBe(value);
  });

  it("resolves the client at once, stops nothing, drops later results", async () => {
    const hold = latch();
    const ended: number[] = [];
    const declared = agent({
      entry: "fan",
      result: type<number>(),
      nodes: {
        fan: node({ input: type<null>(), to: ["slow", "fast"] }),
        slow: node({ input: type<number>() }),
        fast: node({ input: type<number>() }),
      },
    }).implement({
      fan(ctx) {
        ctx.emit("slow", 1);
        ctx.emit("fast", 2);
        ctx.emit("slow", 3);
      },
      async slow(ctx, n) {
        await hold.opened;
        ended.push(n);
        ctx.result(n);
      },
      fast(ctx, n) {
        ended.push(n);
        ctx.result(n);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    expect(await harness.until(invocation.result())).toBe(2);
    expect(ended).toEqual([2]);
    hold.open();
    await harness.run();
    expect([...ended].sort()).toEqual([1, 2, 3]);
    expect(await harness.until(invocation.result())).toBe(2);
    expect(harness.rowCount(queueTable)).toBe(harness.taskCount);
  });

  it("is not changed by a later failure of a sibling, which stays on the record", async () => {
    const hold = latch();
    const declared = agent({
      maxRetries: 0,
      entry: "fan",
      result: type<number>(),
      nodes: { fan: node({ input: type<null>(), to: ["b"] }), b: node({ input: type<number>() }) },
    }).implement({
      fan(ctx) {
        ctx.emit("b", 1);
        ctx.emit("b", 2);
      },
      async b(ctx, n) {
        if (n === 2) ctx.result(n);
        else {
          await hold.opened;
          throw new Error("too late");
        }
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    expect(await harness.until(invocation.result())).toBe(2);
    hold.open();
    await harness.run();
    expect(await harness.until(invocation.result())).toBe(2);
    const { failures } = recordOf(harness, invocation.id);
    expect(failures.map((failure) => decodeFailure(failure).error.message)).toEqual(["too late"]);
  });
});

describe("execution — failure", () => {
  it("fails with 'Agent completed without result' when all have finished without one", async () => {
    const hold = latch();
    const declared = agent({
      entry: "a",
      result: type<number>(),
      nodes: { a: node({ input: type<number>(), to: ["a"] }) },
    }).implement({
      async a(ctx, depth) {
        if (depth > 0) for (let n = 0; n < 3; n += 1) ctx.emit("a", depth - 1);
        else await hold.opened;
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(3));
    await harness.run();
    expect(recordOf(harness, invocation.id).state.kind).toBe("pending");
    hold.open();
    await harness.run();
    await expect(harness.until(invocation.result())).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
      details: { reason: "Agent completed without result", failures: [] },
    });
    const record = recordOf(harness, invocation.id);
    expect(record.outstanding).toEqual({ high: 0, low: 0 });
  });

  it("fails with the node's name and the first line of its error when a node throws", async () => {
    const { harness, client } = oneNode(() => {
      throw new Error("no such account\nand a second line");
    });
    await expect(harness.until(client.invoke("x"))).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
      message: expect.stringContaining(
        'agent "simple": Node "a" failed (last failure: no such account)',
      ),
      details: {
        agent: "simple",
        reason: 'Node "a" failed (last failure: no such account)',
        failures: [0, 1, 2].map((attempt) => ({
          node: "a",
          attempt,
          message: "no such account\nand a second line",
        })),
      },
      cause: { message: "no such account\nand a second line" },
    });
  });

  it("keeps all failures on the record, with node name, message and stack", async () => {
    const hold = latch();
    const declared = agent({
      maxRetries: 0,
      entry: "fan",
      result: type<number>(),
      nodes: { fan: node({ input: type<null>(), to: ["b"] }), b: node({ input: type<number>() }) },
    }).implement({
      fan(ctx) {
        for (let n = 0; n < 5; n += 1) ctx.emit("b", n);
      },
      async b(_ctx, n) {
        if (n > 0) await hold.opened;
        throw new Error(`failure ${n}`);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const client = clientsOf(harness).agent(declared);
    const invocation = await harness.until(client.initiate(null));
    const failed = {
      code: "INVOCATION_FAILED",
      details: { reason: 'Node "b" failed (last failure: failure 0)' },
      cause: { message: "failure 0" },
    };
    await expect(harness.until(invocation.result())).rejects.toMatchObject(failed);
    hold.open();
    await harness.run();
    const error: unknown = await harness.until(invocation.result()).catch((thrown) => thrown);
    expect(error).toMatchObject(failed);
    const kept = recordOf(harness, invocation.id).failures.map(decodeFailure);
    expect(kept.map(({ error: { message } }) => message).sort()).toEqual(
      [0, 1, 2, 3, 4].map((n) => `failure ${n}`),
    );
    for (const { node: name, error: wire, nodeInvocationId } of kept) {
      expect(name).toBe("b");
      expect(wire.stack).toMatch(/execution\.test\.ts/);
      expect(nodeInvocationId).toMatch(/^[0-9a-f]{16}$/);
    }
  });

  it("is not taken back by a result that comes later", async () => {
    const hold = latch();
    const declared = agent({
      entry: "fan",
      result: type<number>(),
      nodes: { fan: node({ input: type<null>(), to: ["b"] }), b: node({ input: type<number>() }) },
    }).implement({
      fan(ctx) {
        ctx.emit("b", 0);
        ctx.emit("b", 1);
      },
      async b(ctx, n) {
        if (n === 0) throw new Error("first");
        await hold.opened;
        ctx.result(n);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    await expect(harness.until(invocation.result())).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
    });
    hold.open();
    await harness.run();
    await expect(harness.until(invocation.result())).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
    });
  });
});

describe("execution — broken invariants", () => {
  it("does not take a message that reached the wrong task", async () => {
    const { harness } = oneNode(() => {});
    const port = harness.clientPort();

    const message = encodeAwait({
      kind: "await",
      agent: "simple",
      invocationId: new Uint8Array(16),
      subscribe: true,
    });
    void port.request(harness.taskCount - 1, message);
    await expect(harness.run()).rejects.toThrow(/an invocation of task 0 reached task 2/);
  });

  it("refuses to begin an agent that the topology does not declare", async () => {
    const { harness } = oneNode(() => {});
    const port = harness.clientPort();

    const message = encodeInitiate({
      kind: "initiate",
      agent: "nobody",
      invocationId: new Uint8Array(16),
      subscribe: false,
      carried: new Uint8Array(0),
      key: undefined,
      input: new Uint8Array(0),
    });
    await expect(harness.until(port.request(0, message))).rejects.toMatchObject({
      code: "AGENT_UNKNOWN",
      details: { agent: "nobody", known: ["simple"] },
    });
    expect(harness.rowCount(invocationTable)).toBe(0);
  });
});
