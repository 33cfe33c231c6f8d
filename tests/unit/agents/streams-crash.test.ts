// A bug here would look like this: a chunk of a finished node invocation that a crash took along,
// a follower that stops, or sees a list that no run has streamed.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentProgram } from "../../../agents/execution.js";
import { treeTable } from "../../../agents/home/tree.js";
import { node } from "../../../agents/declare/node.js";
import type { StreamEvent } from "../../../agents/client/stream.js";
import { type } from "../../../store/schema.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { treesSize } from "../../support/tree-rows.js";
import { followed, valuesOf } from "../../support/stream-events.js";
import { seededRandom } from "../../../testing/seeded-random.js";

/** Four writers, each of which streams numbers of its own and the run it is in. */
function manyWriters() {
  const runs = new Map<string, number>();
  const declared = agent({
    entry: "start",
    result: type<null>(),
    maxRetries: 2,
    nodes: {
      start: node({ input: type<null>(), to: ["write"] }),
      write: node({ input: type<number>(), to: ["end"] }),
      end: node({ input: type<string>() }),
    },
  }).implement({
    start(ctx) {
      for (let no = 1; no <= 4; no += 1) ctx.emit("write", no * 3);
    },
    async write(ctx, count) {
      const run = (runs.get(ctx.nodeInvocationId) ?? 0) + 1;
      runs.set(ctx.nodeInvocationId, run);
      for (let no = 0; no < count; no += 1) {
        const sent = ctx.chunk(`${run} ${no} of ${count}`);
        if (no % 3 === 0) await sent;
      }
      ctx.emit("end", ctx.nodeInvocationId);
    },
    end(ctx) {
      ctx.result(null);
    },
  });
  return { declared, runs };
}

/** The list that one run streams. */
function listOf(run: number, count: number): string[] {
  return Array.from({ length: count }, (_, no) => `${run} ${no} of ${count}`);
}

function runOf(value: unknown): number {
  return Number(String(value).split(" ")[0]);
}

describe("streams — crashes at any point", () => {
  it("chunks are durable before the node's completion is; followers go on", async () => {
    let resets = 0;
    for (let seed = 1; seed <= 60; seed += 1) {
      const { declared } = manyWriters();
      const harness = new ProgramHarness({ agents: { declared }, seed });
      const random = seededRandom(seed);
      const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
      const early = followed(
        clientsOf(harness).agent(declared).get(invocation.id).streamAll("write"),
      );
      for (let crashes = 0; crashes < 5; crashes += 1) {
        for (let steps = Math.floor(random() * 25); steps > 0; steps -= 1) await harness.step();
        harness.crash(Math.floor(random() * harness.taskCount));
      }
      await harness.run();
      // Crash after crash may have hit one: the stream has thrown with it, which is not looked at.
      if ((await lettersOf(harness)).length > 0) continue;
      await harness.until(early.ended);
      const late = followed(invocation.streamAll("write"));
      await harness.until(late.ended);
      const ids = new Set(late.events.map(({ nodeInvocationId }) => nodeInvocationId));
      expect(ids.size).toBe(4);
      for (const id of ids) {
        const isOwn = ({ nodeInvocationId }: StreamEvent): boolean => nodeInvocationId === id;
        const [seen, told] = [early.events.filter(isOwn), late.events.filter(isOwn)];
        const values = valuesOf(told);
        const count = Number(String(values[0]).split(" ")[3]);
        expect(values).toEqual(listOf(runOf(values[0]), count));
        expect(valuesOf(seen)).toEqual(values);
        expect(told.at(-1)?.kind).toBe("completed");
        expect(told.some(({ kind }) => kind === "reset")).toBe(false);
        resets += seen.filter(({ kind }) => kind === "reset").length;
        assertListsOfRuns(seen);
      }
    }
    expect(resets).toBeGreaterThan(10);
  });
});

/** Between resets, and before the first, there is the beginning of one run's list, from 0 on. */
function assertListsOfRuns(events: readonly StreamEvent[]): void {
  let list: string[] = [];
  for (const event of events) {
    if (event.kind === "reset") list = [];
    if (event.kind !== "chunk") continue;
    expect(event.index).toBe(list.length);
    list.push(String(event.value));
    expect(list).toEqual(
      listOf(runOf(event.value), 12)
        .slice(0, list.length)
        .map((text) => text.replace(/12$/, String(event.value).split(" ")[3] ?? "")),
    );
  }
}

describe("streams — retention", () => {
  it("chunks go with the tree of their invocation, which is unknown then", async () => {
    const declared = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<number>() }) },
    }).implement({
      async a(ctx, count) {
        for (let no = 0; no < count; no += 1) await ctx.chunk(no);
        ctx.result(null);
      },
    });
    const program = agentProgram({ invocationsRetainedMax: 1 });
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1, program });
    const client = clientsOf(harness).agent(declared);
    const first = await harness.until(client.initiate(20));
    await harness.run();
    expect(harness.rowCount(treeTable)).toBeGreaterThan(20);
    await harness.until(client.initiate(0));
    await harness.run();
    // The record and the message of the entry node of the second one.
    expect(harness.rowCount(treeTable)).toBe(0);
    expect(treesSize(harness, 0)).toBe(2);
    const stream = followed(first.stream("a"));
    await expect(harness.until(stream.ended)).rejects.toMatchObject({
      code: "INVOCATION_UNKNOWN",
    });
  });
});
