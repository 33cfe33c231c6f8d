// A bug here would look like this: a chunk that is lost, comes twice or out of order, a reset that
// nobody is told of, a stream that never ends.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { placementOf, parseInvocationId, parseNodeId } from "../../../agents/wire/invocation-id.js";
import { encodeStream } from "../../../agents/wire/stream-message.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { followed } from "../../support/stream-events.js";
import { oneWriter } from "./writers.js";

describe("streams — chunks", () => {
  it("carry index 0, 1, 2… for one node invocation", async () => {
    const { harness, client } = oneWriter();
    const invocation = await harness.until(client.initiate([4]));
    const { events, ended } = followed(invocation.stream("write"));
    await harness.until(ended);
    const [first] = events;
    const nodeInvocationId = first?.nodeInvocationId;
    expect(events).toEqual([
      ...["a", "b", "c", "d"].map((value, index) => {
        return { kind: "chunk", nodeInvocationId, index, value };
      }),
      { kind: "completed", nodeInvocationId },
    ]);
  });

  it("are any values, encoded when they are given", async () => {
    const values = [null, undefined, { a: [1n] }, new Date(5), new Uint8Array([1])];
    const declared = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<null>() }) },
    }).implement({
      async a(ctx) {
        const changing = { n: 1 };
        const sent = ctx.chunk(changing);
        changing.n = 2;
        await sent;
        for (const value of values) await ctx.chunk(value);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    const stream = followed(invocation.stream("a"));
    await harness.run();
    expect(stream.values).toEqual([{ n: 1 }, ...values]);
  });

  it("that cannot be carried are refused, and those before and after stand", async () => {
    let refused: unknown;
    const declared = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<null>() }) },
    }).implement({
      async a(ctx) {
        await ctx.chunk(1);
        refused = await ctx.chunk(() => {}).catch((error: unknown) => error);
        await ctx.chunk(2);
        ctx.result(null);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    const stream = followed(invocation.stream("a"));
    await harness.run();
    expect(refused).toMatchObject({ code: "VALUE_UNSUPPORTED" });
    expect(stream.shown).toEqual(["0:1", "1:2", "completed"]);
  });

  it("are refused when the node function has returned", async () => {
    let late: (() => Promise<void>) | undefined;
    const declared = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<null>() }) },
    }).implement({
      a(ctx) {
        ctx.result(null);
        late = () => ctx.chunk(1);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    await harness.until(clientsOf(harness).agent(declared).invoke(null));
    await expect(late?.()).rejects.toMatchObject({ code: "NODE_FINISHED" });
  });

  it("that are not awaited arrive in order, before the node counts as finished", async () => {
    const declared = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<number>() }) },
    }).implement({
      a(ctx, count) {
        for (let no = 0; no < count; no += 1) void ctx.chunk(no);
        ctx.result(null);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const client = clientsOf(harness).agent(declared);
    const invocation = await harness.until(client.initiate(3_000));
    await harness.until(invocation.result());
    const stream = followed(invocation.stream("a"));
    await harness.until(stream.ended);
    expect(stream.values).toEqual(Array.from({ length: 3_000 }, (_, no) => no));
  });
});

describe("streams — which chunks are accepted", () => {
  async function streaming() {
    const hold = latch();
    const { harness, client } = oneWriter(hold.opened);
    const invocation = await harness.until(client.initiate([5]));
    await harness.run();
    const stream = followed(invocation.stream("write"));
    await harness.run();
    const [first] = stream.events;
    const nodeInvocationId = parseNodeId(first?.nodeInvocationId ?? "");
    if (nodeInvocationId === undefined) throw new Error("nothing was streamed");
    const port = harness.clientPort();
    const invocationId = parseInvocationId("declared", invocation.id);
    const home = port.ownerOf(placementOf(invocationId));
    const subject = { agent: "declared", invocationId, nodeInvocationId, node: "write" };
    const send = (attempt: number, boot: number, no: number, first: number): Promise<unknown> => {
      const chunks = [new Uint8Array(0)];
      const message = { kind: "chunks", ...subject, attempt, run: { boot, no }, first, chunks };
      return harness.until(port.request(home, encodeStream({ ...message, kind: "chunks" })));
    };
    return { harness, hold, stream, send };
  }

  it("accepts none of an attempt that is not current", async () => {
    const { send } = await streaming();
    await expect(send(1, 1, 7, 0)).rejects.toMatchObject({ code: "INVOCATION_RETRIED" });
  });

  it("accepts none of an earlier life of the task", async () => {
    const { send } = await streaming();
    await expect(send(0, 0, 7, 0)).rejects.toMatchObject({ code: "INVOCATION_RETRIED" });
  });

  it("accepts none of another run but from index 0 on", async () => {
    const { send } = await streaming();
    await expect(send(0, 1, 7, 2)).rejects.toMatchObject({ code: "INVOCATION_RETRIED" });
  });

  it("takes index 0 of another run as a reset", async () => {
    const { harness, stream, send } = await streaming();
    await send(0, 1, 7, 0);
    await send(0, 1, 7, 0);
    await send(0, 1, 7, 1);
    await harness.run();
    expect(stream.shown).toEqual(["0:a", "1:b", "reset", "0:undefined", "1:undefined"]);
  });
});

describe("streams — index 0 for an invocation already seen is a reset", () => {
  it("tells who follows that it was run again, and gives the new list", async () => {
    const hold = latch();
    const { harness, client } = oneWriter(hold.opened);
    const invocation = await harness.until(client.initiate([4]));
    const stream = followed(invocation.stream("write"));
    await harness.run();
    expect(stream.shown).toEqual(["0:a", "1:b"]);
    for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
    await harness.run();
    expect(stream.shown).toEqual(["0:a", "1:b", "reset", "0:a", "1:b"]);
    hold.open();
    await harness.until(stream.ended);
    expect(stream.shown.slice(2)).toEqual(["reset", "0:a", "1:b", "2:c", "3:d", "completed"]);
  });

  it("shows late subscribers no resets from before", async () => {
    const hold = latch();
    const { harness, client } = oneWriter(hold.opened);
    const invocation = await harness.until(client.initiate([4]));
    await harness.run();
    for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
    await harness.run();
    const late = followed(invocation.stream("write"));
    await harness.run();
    expect(late.shown).toEqual(["0:a", "1:b"]);
    hold.open();
    await harness.until(late.ended);
    expect(late.shown).toEqual(["0:a", "1:b", "2:c", "3:d", "completed"]);
  });

  it("keeps nothing of a longer list that was reset", async () => {
    let runs = 0;
    const hold = latch();
    const declared = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<null>() }) },
    }).implement({
      async a(ctx) {
        runs += 1;
        const run = runs;
        for (let no = 0; no < (run === 1 ? 9 : 2); no += 1) await ctx.chunk(run);
        if (run === 1) await hold.opened;
        ctx.result(null);
      },
    });
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1 });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    await harness.run();
    harness.crash(0);
    const stream = followed(invocation.stream("a"));
    await harness.until(stream.ended);
    expect(stream.shown.slice(-3)).toEqual(["0:2", "1:2", "completed"]);
    expect(stream.values).toEqual([2, 2]);
  });
});
