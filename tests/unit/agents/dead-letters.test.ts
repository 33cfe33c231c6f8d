// A bug here would look like this: a message that was given up and that nobody can find, or a list
// that leaves one out.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { createDeadLetterClient } from "../../../agents/client/dead-letter-client.js";
import { agentProgram } from "../../../agents/execution.js";
import { node } from "../../../agents/declare/node.js";
import { messageBounds } from "../../../agents/wire/message-bounds.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { OutcomeWaiters } from "../../../agents/client/outcome-waiters.js";
import { limits } from "../../../base/limits.js";
import { type } from "../../../store/schema.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { failAll, letterBench } from "./letter-bench.js";

const unknown = { code: "DEAD_LETTER_UNKNOWN" };

describe("dead letters — what is kept", () => {
  it("shows everything about a node invocation that was given up", async () => {
    const made = letterBench({ tasks: 1 });
    const [invocationId = ""] = await failAll(made, 1);
    const [letter, ...others] = await lettersOf(made.harness);
    expect(others).toEqual([]);
    expect(letter).toEqual({
      id: expect.stringMatching(/^0-\d+$/),
      agent: "work",
      node: "second",
      key: ["k", 0],
      invocationId,
      nodeInvocationId: made.log[0]?.split(" ")[1],
      message: { key: "k", n: 0 },
      attempts: 2,
      reason: 'Node "second" failed (last failure: no 0)',
      failures: [0, 1].map((attempt) => ({
        node: "second",
        attempt,
        message: "no 0",
        stack: expect.stringContaining("letter-bench.ts"),
      })),
      failuresLost: 0,
      at: made.harness.clock.nowMs,
    });
    expect(Object.isFrozen(letter)).toBe(true);
    expect(made.harness.program(0).report()).toEqual({ deadLetters: 1, deadLettersDropped: 0 });
  });

  it("has no key when the node is plain, and the message it was given", async () => {
    const plain = agent({
      entry: "a",
      result: type<null>(),
      maxRetries: 0,
      nodes: { a: node({ input: type<string | undefined>() }) },
    }).implement({
      a() {
        throw new Error("no");
      },
    });
    const harness = new ProgramHarness({ agents: { plain } });
    const call = clientsOf(harness).agent(plain).invoke(undefined);
    await harness.until(call.catch(() => {}));
    expect(await lettersOf(harness)).toMatchObject([
      { key: undefined, message: undefined, attempts: 1 },
    ]);
  });

  it("survives crashes of its task", async () => {
    const made = letterBench({ tasks: 2 });
    await failAll(made, 3);
    const before = await lettersOf(made.harness);
    for (let task = 0; task < 2; task += 1) made.harness.crash(task);
    await made.harness.run();
    expect(await lettersOf(made.harness)).toEqual(before);
    expect(before.length).toBe(3);
  });

  it("keeps the oldest within the bound and counts the rest; all of them have failed", async () => {
    const made = letterBench({ tasks: 1 }, { deadLettersMax: 3 });
    await failAll(made, 5);
    const kept = await lettersOf(made.harness);
    expect(kept.length).toBe(3);
    expect(made.harness.program(0).report()).toEqual({ deadLetters: 3, deadLettersDropped: 2 });
    made.harness.crash(0);
    expect(made.harness.program(0).report()).toEqual({ deadLetters: 3, deadLettersDropped: 2 });
    // There is room again.
    await made.harness.until(made.clients.deadLetters.discard(kept[0]?.id ?? ""));
    await failAll(made, 1);
    expect((await lettersOf(made.harness)).length).toBe(3);
    expect(made.harness.program(0).report().deadLettersDropped).toBe(2);
    // The mark alone is left of the queue.
    expect(made.harness.rowCount(queueTable)).toBe(1);
  });
});

describe("dead letters — list", () => {
  it("goes over all tasks in order, in pages, each letter once", async () => {
    const made = letterBench({ tasks: 3 });
    const ids = await failAll(made, 30);
    const letters = await lettersOf(made.harness);
    expect(letters.map(({ invocationId }) => invocationId).sort()).toEqual([...ids].sort());
    const places = letters.map(({ id }) => id.split("-").map(Number));
    expect(places).toEqual([...places].sort(([a = 0, b = 0], [c = 0, d = 0]) => a - c || b - d));
    expect(new Set(places.map(([task]) => task)).size).toBe(3);
    expect(await lettersOf(made.harness, { limit: 7 })).toEqual(letters.slice(0, 7));
    expect(await lettersOf(made.harness, { limit: 30 })).toEqual(letters);
  });

  it("shows those of one agent alone, however many of others lie between", async () => {
    const failing = (name: string) =>
      agent({
        entry: "a",
        result: type<null>(),
        maxRetries: 0,
        nodes: { a: node({ input: type<number>() }) },
      }).implement({
        a() {
          throw new Error(name);
        },
      });
    const one = failing("one");
    const other = failing("other");
    const harness = new ProgramHarness({ agents: { one, other }, tasks: 1 });
    const clients = clientsOf(harness);
    for (let n = 0; n < 9; n += 1) {
      const client = clients.agent(n % 4 === 3 ? other : one);
      await harness.until(client.invoke(n).catch(() => {}));
    }
    const found = await lettersOf(harness, { agent: "other" });
    expect(found.map(({ message }) => message)).toEqual([3, 7]);
    expect((await lettersOf(harness, { agent: "one" })).length).toBe(7);
    expect(await lettersOf(harness, { agent: "other", limit: 1 })).toEqual(found.slice(0, 1));
  });

  it.each([
    [{ limit: 0 }, "OPTION_INVALID"],
    [{ limit: 1.5 }, "OPTION_INVALID"],
    [{ limit: "1" }, "OPTION_INVALID"],
    [{ signal: {} }, "OPTION_INVALID"],
    [{ max: 1 }, "OPTION_UNKNOWN"],
    [{ agent: "nobody" }, "AGENT_UNKNOWN"],
    [{ agent: 5 }, "AGENT_UNKNOWN"],
  ])("refuses %j at once", (options, code) => {
    const { clients } = letterBench();
    // cast: what a JavaScript caller could pass
    const given = options as Parameters<typeof clients.deadLetters.list>[0];
    expect(() => clients.deadLetters.list(given)).toThrow(expect.objectContaining({ code }));
  });

  it("ends with the signal's reason when it aborts on the way", async () => {
    const made = letterBench();
    await failAll(made, 4);
    const controller = new AbortController();
    const { signal } = controller;
    const iterator = made.clients.deadLetters.list({ signal })[Symbol.asyncIterator]();
    expect(await made.harness.until(Promise.resolve(iterator.next()))).toMatchObject({
      done: false,
    });
    controller.abort(new Error("enough"));
    await expect(made.harness.until(Promise.resolve(iterator.next()))).rejects.toThrow("enough");
  });

  it("is empty, and knows no letter, when the topology has no agents", async () => {
    const port = letterBench().harness.clientPort();
    const client = createDeadLetterClient([], port, new OutcomeWaiters(port));
    const iterator = client.list()[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    await expect(client.discard("0-1")).rejects.toMatchObject(unknown);
  });
});

describe("dead letters — size", () => {
  it("takes the largest message that a node can be sent, with all its failures", async () => {
    const rowBytesMax = limits.arenaBytesMin / 4;
    const large = agent({
      entry: "a",
      result: type<null>(),
      maxRetries: 5,
      nodes: { a: node({ input: type<string>() }) },
    }).implement({
      a() {
        throw new Error("e".repeat(100_000));
      },
    });
    const harness = new ProgramHarness({
      agents: { large },
      tasks: 1,
      rowBytesMax,
      program: agentProgram({ rowBytesMax }),
    });
    // Five bytes say that it is a text.
    const message = "m".repeat(messageBounds(rowBytesMax).messageBytesMax - 5);
    await harness.until(
      clientsOf(harness)
        .agent(large)
        .invoke(message)
        .catch(() => {}),
    );
    expect(await lettersOf(harness)).toMatchObject([{ message, attempts: 6 }]);
  });
});
