// A bug here would look like this: a follower that follows the wrong one, misses what was before it
// came, or never hears the end.

import { getEventListeners } from "node:events";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { agent } from "../../../agents/agent.js";
import { OutcomeWaiters } from "../../../agents/client/outcome-waiters.js";
import { node } from "../../../agents/declare/node.js";
import { limits } from "../../../base/limits.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { followed } from "../../support/stream-events.js";
import { oneWriter } from "./writers.js";

describe("streams — stream(node)", () => {
  it("follows the first invocation of that node that streams, and completes with it", async () => {
    const hold = latch();
    const declared = agent({
      entry: "start",
      result: type<null>(),
      nodes: {
        start: node({ input: type<string[]>(), to: ["write"] }),
        write: node({ input: type<string>() }),
      },
    }).implement({
      start(ctx, words) {
        for (const word of words) ctx.emit("write", word);
      },
      async write(ctx, word) {
        if (word === "silent") return;
        if (word === "late") await hold.opened;
        for (const letter of word) await ctx.chunk(letter);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const client = clientsOf(harness).agent(declared);
    const invocation = await harness.until(client.initiate(["silent", "late", "ab"]));
    const stream = followed(invocation.stream("write"));
    await harness.until(stream.ended);
    expect(stream.shown).toEqual(["0:a", "1:b", "completed"]);
    hold.open();
    await harness.run();
    const again = followed(invocation.stream("write"));
    await harness.until(again.ended);
    expect(again.shown).toEqual(["0:a", "1:b", "completed"]);
  });

  it("ends without events when no invocation of the node has streamed at the end", async () => {
    const { harness, client } = oneWriter();
    const invocation = await harness.until(client.initiate([1]));
    const stream = followed(invocation.stream("start"));
    await harness.until(stream.ended);
    expect(stream.events).toEqual([]);
  });

  it("refuses a node that the agent does not have", async () => {
    const { harness, client } = oneWriter();
    const invocation = await harness.until(client.initiate([1]));
    for (const call of ["stream", "streamAll"] as const) {
      expect(() => invocation[call]("nowhere")).toThrow(
        expect.objectContaining({
          code: "NODE_UNKNOWN",
          details: { agent: "declared", node: "nowhere", known: ["start", "write"] },
        }),
      );
    }
  });

  it("refuses an invocation that is unknown, or of another agent", async () => {
    const { harness, client } = oneWriter();
    const { id } = await harness.until(client.initiate([1]));
    const unknown = client.get(`${id.slice(0, -1)}${id.endsWith("0") ? "1" : "0"}`);
    const stream = followed(unknown.stream("write"));
    await expect(harness.until(stream.ended)).rejects.toMatchObject({
      code: "INVOCATION_UNKNOWN",
    });
  });
});

describe("streams — streamSpecific(node, id)", () => {
  it("follows the one that is given", async () => {
    const { harness, client } = oneWriter();
    const invocation = await harness.until(client.initiate([1, 3, 2]));
    const all = followed(invocation.streamAll("write"));
    await harness.until(all.ended);
    const ids = new Set(all.events.map(({ nodeInvocationId }) => nodeInvocationId));
    expect(ids.size).toBe(3);
    for (const id of ids) {
      const own = all.events.filter(({ nodeInvocationId }) => nodeInvocationId === id);
      const stream = followed(invocation.streamSpecific("write", id));
      await harness.until(stream.ended);
      expect(stream.events).toEqual(own);
    }
  });

  it("refuses what is no id, and the id of an invocation of another node", async () => {
    const { harness, client } = oneWriter();
    const invocation = await harness.until(client.initiate([2]));
    expect(() => invocation.streamSpecific("write", "x")).toThrow(
      expect.objectContaining({ code: "NODE_INVOCATION_UNKNOWN" }),
    );
    const stream = followed(invocation.stream("write"));
    await harness.until(stream.ended);
    const id = stream.events[0]?.nodeInvocationId ?? "";
    const other = followed(invocation.streamSpecific("start", id));
    await expect(harness.until(other.ended)).rejects.toMatchObject({
      code: "NODE_INVOCATION_UNKNOWN",
      details: { node: "start", nodeInvocationId: id },
    });
  });
});

describe("streams — streamAll(node)", () => {
  it("gives all, by id, and completes when the whole tree has finished", async () => {
    const hold = latch();
    const declared = agent({
      entry: "start",
      result: type<null>(),
      nodes: {
        start: node({ input: type<number>(), to: ["write", "last"] }),
        write: node({ input: type<number>() }),
        last: node({ input: type<null>() }),
      },
    }).implement({
      start(ctx, count) {
        for (let no = 1; no <= count; no += 1) ctx.emit("write", no);
        ctx.emit("last", null);
      },
      async write(ctx, count) {
        for (let no = 0; no < count; no += 1) await ctx.chunk(no);
        ctx.result(null);
      },
      last: () => hold.opened,
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(100));
    const stream = followed(invocation.streamAll("write"));
    let isEnded = false;
    void stream.ended.then(() => {
      isEnded = true;
    });
    await harness.run();
    expect(await harness.until(invocation.result())).toBe(null);
    expect(isEnded).toBe(false);
    hold.open();
    await harness.until(stream.ended);
    const ids = new Set(stream.events.map(({ nodeInvocationId }) => nodeInvocationId));
    const lengths = Array.from(ids, (id) => {
      const events = stream.events.filter(({ nodeInvocationId }) => nodeInvocationId === id);
      expect(events.at(-1)?.kind).toBe("completed");
      const chunks = events.slice(0, -1);
      expect(chunks.map((event) => event.kind === "chunk" && event.index)).toEqual(
        Array.from(chunks, (_, index) => index),
      );
      return chunks.length;
    });
    expect(lengths.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, no) => no + 1));
  });
});

describe("streams — late subscribers", () => {
  it("get all chunks so far first, then new ones and the completion", async () => {
    const hold = latch();
    const { harness, client } = oneWriter(hold.opened);
    const invocation = await harness.until(client.initiate([4]));
    await harness.run();
    const late = followed(client.get(invocation.id).stream("write"));
    await harness.run();
    expect(late.shown).toEqual(["0:a", "1:b"]);
    hold.open();
    await harness.until(late.ended);
    const later = followed(client.get(invocation.id).stream("write"));
    await harness.until(later.ended);
    expect(later.shown).toEqual(["0:a", "1:b", "2:c", "3:d", "completed"]);
  });
});

describe("streams — as AsyncIterable and as callback", () => {
  it("gives both the same events, and each iteration all of them", async () => {
    const { harness, client } = oneWriter();
    const invocation = await harness.until(client.initiate([3]));
    const stream = invocation.stream("write");
    const called: unknown[] = [];
    await harness.until(stream.forEach((event) => void called.push(event)));
    const iterated: unknown[] = [];
    const iterate = async (): Promise<void> => {
      for await (const event of stream) iterated.push(event);
    };
    await harness.until(iterate());
    expect(called.length).toBe(4);
    expect(iterated).toEqual(called);
  });

  it("waits for what the callback returns, and ends with what it throws", async () => {
    const { harness, client } = oneWriter();
    const invocation = await harness.until(client.initiate([3]));
    let inside = 0;
    let most = 0;
    const listening = invocation.stream("write").forEach(async () => {
      inside += 1;
      most = Math.max(most, inside);
      await undefined;
      inside -= 1;
    });
    await harness.until(listening);
    expect(most).toBe(1);
    const throwing = invocation.stream("write").forEach(() => {
      throw new Error("enough");
    });
    await expect(harness.until(throwing)).rejects.toThrow("enough");
  });

  it.each(["to its end", "closed", "left", "aborted"])(
    "leaves no listener on any signal: %s",
    async (how) => {
      const seen = new Set<EventTarget>();
      const { addEventListener } = EventTarget.prototype;
      const spy = vi.spyOn(EventTarget.prototype, "addEventListener");
      onTestFinished(() => spy.mockRestore());
      spy.mockImplementation(function (this: EventTarget, ...given) {
        seen.add(this);
        addEventListener.apply(this, given);
      });
      const hold = latch();
      const { harness, client } = oneWriter(hold.opened);
      const invocation = await harness.until(client.initiate([4]));
      const controller = new AbortController();
      const stream = invocation.stream("write", { signal: controller.signal });
      const events = stream[Symbol.asyncIterator]();
      await harness.until(events.next());
      const rest = (async () => {
        for (let next = await events.next(); !next.done; next = await events.next());
      })();
      const ended = rest.catch((error: unknown) => error);
      await harness.run();
      if (how === "closed") stream.close();
      else if (how === "aborted") controller.abort("enough");
      else hold.open();
      if (how === "left") void events.return?.(undefined);
      expect(await harness.until(ended)).toBe(how === "aborted" ? "enough" : undefined);
      expect(seen).toContain(controller.signal);
      for (const signal of seen) expect(getEventListeners(signal, "abort")).toEqual([]);
      hold.open();
      await harness.run();
    },
  );

  it("ends when its signal aborts, with the reason", async () => {
    const hold = latch();
    const { harness, client } = oneWriter(hold.opened);
    const invocation = await harness.until(client.initiate([3]));
    const controller = new AbortController();
    const stream = followed(invocation.stream("write", { signal: controller.signal }));
    await harness.run();
    controller.abort(new Error("not needed"));
    await expect(harness.until(stream.ended)).rejects.toThrow("not needed");
    expect(stream.shown).toEqual(["0:a", "1:b"]);
  });
});

describe("streams — closing", () => {
  it("ends iterations without an error; closing twice is fine", async () => {
    const hold = latch();
    const { harness, client } = oneWriter(hold.opened);
    const invocation = await harness.until(client.initiate([3]));
    const stream = invocation.stream("write");
    const one = followed(stream);
    const other = followed(stream);
    await harness.run();
    stream.close();
    stream.close();
    await harness.until(Promise.all([one.ended, other.ended]));
    expect(one.shown).toEqual(["0:a", "1:b"]);
    await harness.until(followed(stream).ended);
    stream.close();
    hold.open();
    expect(await harness.until(invocation.result())).toBe(3);
  });

  it("lets go of what a loop that was left waited for", async () => {
    const hold = latch();
    const { harness, client } = oneWriter(hold.opened);
    const opened = vi.spyOn(OutcomeWaiters.prototype, "openStream");
    onTestFinished(() => opened.mockRestore());
    const invocation = await harness.until(client.initiate([3, 3]));
    const events = invocation.streamAll("write")[Symbol.asyncIterator]();
    // All chunks that there are: behind them one writer is followed on, and further ones are.
    for (let event = 0; event < 4; event += 1) await harness.until(events.next());
    await harness.run();
    const states = (): Promise<readonly unknown[]> => {
      const after = new Promise((resolve) => setImmediate(() => resolve("waits")));
      const over = (): string => "over";
      return Promise.all(
        opened.mock.results.map(({ value }) =>
          Promise.race([value.answer.then(over, over), after]),
        ),
      );
    };
    expect(await states()).toContain("waits");
    await events.return?.(undefined);
    expect(await states()).not.toContain("waits");
  });
});

describe("streams — a full buffer slows the node down, it never drops", () => {
  it("holds a node back at 1,000 unacknowledged chunks", async () => {
    expect(limits.chunksUnacknowledgedMax).toBe(1_000);
    let given = 0;
    const total = 2_500;
    const declared = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<null>() }) },
    }).implement({
      async a(ctx) {
        for (let no = 0; no < total; no += 1) {
          given += 1;
          await ctx.chunk(no);
        }
        ctx.result(null);
      },
    });
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1 });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    // Nothing is answered while no queue is served.
    while (given === 0) await harness.step();
    expect(given).toBe(1_000);
    const stream = followed(invocation.stream("a"));
    await harness.until(stream.ended);
    expect(stream.values).toEqual(Array.from({ length: total }, (_, no) => no));
  });
});

describe("streams — an invocation that fails", () => {
  function failing(hold: Promise<void>) {
    return agent({
      entry: "a",
      result: type<null>(),
      maxRetries: 0,
      nodes: {
        a: node({ input: type<null>(), to: ["fine", "bad"] }),
        fine: node({ input: type<null>() }),
        bad: node({ input: type<null>() }),
      },
    }).implement({
      a(ctx) {
        ctx.emit("fine", null);
        ctx.emit("bad", null);
      },
      async fine(ctx) {
        await ctx.chunk("fine");
      },
      async bad(ctx) {
        await ctx.chunk("bad");
        await hold;
        throw new Error("no good");
      },
    });
  }

  it("ends streams by throwing, behind all chunks that there were", async () => {
    const hold = latch();
    const declared = failing(hold.opened);
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    const following = [
      followed(invocation.stream("bad")),
      followed(invocation.streamAll("bad")),
      followed(invocation.stream("a")),
    ];
    await harness.run();
    hold.open();
    await harness.run();
    following.push(followed(invocation.stream("bad")));
    for (const stream of following) {
      await expect(harness.until(stream.ended)).rejects.toMatchObject({
        code: "INVOCATION_FAILED",
        details: { reason: 'Node "bad" failed (last failure: no good)' },
      });
    }
    expect(following.map(({ shown }) => shown)).toEqual([["0:bad"], ["0:bad"], [], ["0:bad"]]);
  });

  it("completes the stream of a node invocation that has finished all the same", async () => {
    const hold = latch();
    const declared = failing(hold.opened);
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    await harness.run();
    hold.open();
    await harness.run();
    const stream = followed(invocation.stream("fine"));
    await harness.until(stream.ended);
    expect(stream.shown).toEqual(["0:fine", "completed"]);
  });
});
