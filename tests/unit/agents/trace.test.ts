// A bug here would look like this: a trace that leaves out a node invocation, says what did not
// happen, or makes a node fail that it only looks at.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { list } from "../../../agents/declare/aggregators.js";
import { node } from "../../../agents/declare/node.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { traced } from "../../support/traced-nodes.js";

/** A tree: each number emits as many children with the next lower one; the leaves give results. */
function tree(harnessTasks = 3) {
  const declared = agent({
    entry: "branch",
    result: type<string>(),
    nodes: {
      branch: node({ input: type<number>(), to: ["branch"] }),
    },
  }).implement({
    branch(ctx, n) {
      if (n === 0) ctx.result(ctx.nodeInvocationId);
      for (let no = 0; no < n; no += 1) ctx.emit("branch", n - 1);
    },
  });
  const harness = new ProgramHarness({ agents: { declared }, tasks: harnessTasks });
  return { harness, client: clientsOf(harness).agent(declared) };
}

describe("traces — per node invocation", () => {
  it("says node, message, emits, result, task, start and finish time", async () => {
    const { harness, client } = tree();
    const invocation = await harness.until(client.initiate(1));
    await harness.run();
    const [first, second, ...others] = await traced(harness, invocation);
    expect(others).toEqual([]);
    const now = harness.clock.nowMs;
    expect(first).toEqual({
      nodeInvocationId: expect.stringMatching(/^[0-9a-f]{16}$/),
      parent: undefined,
      node: "branch",
      task: expect.any(Number),
      status: "finished",
      message: 1,
      emits: [
        {
          nodeInvocationId: second?.nodeInvocationId,
          task: second?.task,
          node: "branch",
          message: 0,
        },
      ],
      result: undefined,
      startedAt: now,
      finishedAt: now,
      attempt: 0,
      failures: [],
      failuresLost: 0,
      operations: [],
      operationsLost: 0,
      gather: undefined,
    });
    expect(second).toMatchObject({
      parent: first?.nodeInvocationId,
      message: 0,
      emits: [],
      result: { value: second?.nodeInvocationId },
      status: "finished",
    });
  });

  it("shows what has not finished as open", async () => {
    const hold = latch();
    const declared = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<string>(), to: ["b"] }), b: node({ input: type<string>() }) },
    }).implement({
      a: (ctx, text) => ctx.emit("b", text),
      b: () => hold.opened,
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate("x"));
    await harness.run();
    const nodes = await traced(harness, invocation);
    expect(nodes.map(({ node: name, status, message }) => [name, status, message])).toEqual([
      ["a", "finished", "x"],
      ["b", "open", "x"],
    ]);
    expect(nodes[1]).toMatchObject({ startedAt: undefined, attempt: undefined, emits: [] });
    hold.open();
  });
});

describe("traces — paged, breadth first", () => {
  it("gives every node invocation once, those nearer to the entry first", async () => {
    const { harness, client } = tree();
    const invocation = await harness.until(client.initiate(5));
    await harness.run();
    const nodes = await traced(harness, invocation);
    // 5 + 5·4 + 5·4·3 + …: more than some pages.
    expect(nodes.length).toBe(1 + 5 + 20 + 60 + 120 + 120);
    const depths = nodes.map(({ message }) => 5 - Number(message));
    expect(depths).toEqual([...depths].sort((a, b) => a - b));
    const ids = nodes.map(({ nodeInvocationId }) => nodeInvocationId);
    expect(new Set(ids).size).toBe(ids.length);
    const emitted = nodes.flatMap(({ emits }) => emits.map((emit) => emit.nodeInvocationId));
    expect(emitted).toEqual(ids.slice(1));
  });

  it("is the same after every task has been started again", async () => {
    const { harness, client } = tree();
    const invocation = await harness.until(client.initiate(3));
    await harness.run();
    const before = await traced(harness, invocation);
    for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
    await harness.run();
    expect(await traced(harness, client.get(invocation.id))).toEqual(before);
  });

  it("refuses an unknown invocation and ends when its signal aborts", async () => {
    const { harness, client } = tree();
    const { id } = await harness.until(client.initiate(1));
    await harness.run();
    const unknown = client.get(`${id.slice(0, -1)}${id.endsWith("0") ? "1" : "0"}`);
    await expect(traced(harness, unknown)).rejects.toMatchObject({ code: "INVOCATION_UNKNOWN" });
    const controller = new AbortController();
    const nodes = client.get(id).trace({ signal: controller.signal })[Symbol.asyncIterator]();
    await harness.until(nodes.next());
    controller.abort(new Error("enough"));
    await expect(harness.until(nodes.next())).rejects.toThrow("enough");
  });
});

describe("traces — for a gather", () => {
  it("says input count, the first 10 inputs, carry, state", async () => {
    const declared = agent({
      entry: "split",
      result: type<number>(),
      nodes: {
        split: scatter({ input: type<number>(), to: ["each"], carry: type<string>() }),
        each: node({ input: type<number>(), to: ["all"] }),
        all: gather({ collect: list(type<number>()), carry: type<string>() }),
      },
    }).implement({
      split(ctx, count) {
        for (let no = 0; no < count; no += 1) ctx.emit("each", no);
        return `${count} of them`;
      },
      each: (ctx, no) => ctx.emit("all", no * 10),
      all: (ctx, numbers) => ctx.result(numbers.length),
    });
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1 });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(12));
    await harness.run();
    const nodes = await traced(harness, invocation);
    expect(nodes.map(({ node: name }) => name)).toEqual([
      "split",
      ...Array.from({ length: 12 }, () => "each"),
      "all",
    ]);
    expect(nodes[1]?.emits).toEqual([
      { nodeInvocationId: undefined, task: undefined, node: "all", message: 0 },
    ]);
    const collected = nodes.at(-1);
    const state = collected?.gather?.state;
    expect(collected).toMatchObject({
      parent: nodes[0]?.nodeInvocationId,
      message: { state, carry: "12 of them" },
      result: { value: 12 },
      gather: { inputCount: 12, carry: "12 of them" },
    });
    expect(state).toHaveLength(12);
    // cast: a list of numbers.
    expect(collected?.gather?.inputs).toEqual((state as number[]).slice(0, 10));
  });
});
