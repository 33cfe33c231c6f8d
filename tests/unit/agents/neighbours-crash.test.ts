// Calls of another topology by nodes that are cut off anywhere. A bug here would look like a second
// invocation of a call, one with two metadata, or a result that differs from the one that a node
// went by.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { decodeMetadata } from "../../../agents/declare/metadata.js";
import { invocationTable } from "../../../agents/home/invocation-record.js";
import { node } from "../../../agents/declare/node.js";
import { decodeNeighbourRequest } from "../../../agents/wire/neighbour-request.js";
import { encodeStep } from "../../../agents/wire/question-list.js";
import { decodeMessage, encodeMessage } from "../../../agents/wire/wire-field.js";
import type { NeighbourCall } from "../../../runtime/task-program.js";
import { topology } from "../../../runtime/topology.js";
import { type } from "../../../store/schema.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { TwoHarnesses } from "../../support/two-harnesses.js";

/** Another topology: it begins a call once, and answers with how many it had begun by then. */
class OtherTopology {
  /** By call id: its number and its input. */
  readonly begun = new Map<string, { readonly no: number; readonly input: unknown }>();
  /** By call id: each metadata that came with it. */
  readonly metadata = new Map<string, Set<unknown>>();
  asked = 0;

  readonly call: NeighbourCall = async (_topology, bytes) => {
    // What is on its way when a task dies may arrive all the same.
    for (let turns = 0; turns < 5; turns += 1) await undefined;
    const request = decodeNeighbourRequest(bytes);
    if (request.op === "initiate") {
      const { call, input, metadata } = request;
      const given = this.metadata.get(call) ?? new Set();
      this.metadata.set(call, given.add(decodeMetadata(metadata)["run"]));
      const no = this.begun.get(call)?.no ?? this.begun.size + 1;
      this.begun.set(call, { no, input: decodeMessage(input) });
      return encodeMessage(`00000000-000000000000-${no.toString(16).padStart(12, "0")}`, "answer");
    }
    if (request.op !== "watch") throw new Error(`nobody asks for ${request.op}`);
    this.asked += 1;
    const number = Number.parseInt(request.invocationId.slice(-4), 16);
    const value = encodeMessage([`invocation ${number}`, this.asked], "result");
    const ended = encodeStep({ kind: "ended", outcome: { kind: "result", value } });
    return encodeMessage({ ended }, "answer");
  };
}

let runs = 0;

const caller = agent({
  agents: { count: agentRef<string, readonly [string, number]>("other", "count") },
  entry: "a",
  result: type<readonly unknown[]>(),
  nodes: {
    a: node({ input: type<string>(), to: ["b"] }),
    b: node({ input: type<readonly unknown[]>() }),
  },
}).implement({
  async a(ctx, name) {
    runs += 1;
    const metadata = { run: runs };
    const both = await Promise.all(["x", "y"].map((part) => ctx.agents.count.invoke(name + part)));
    const begun = await ctx.agents.count.initiate(`${name}z`, { metadata });
    const last = await ctx.agents.count.invoke(`${name}x`, { metadata });
    ctx.emit("b", [...both, await begun.result(), last]);
  },
  b: (ctx, results) => ctx.result(results),
});

describe("calls of another topology — under crashes", () => {
  it("each begins one invocation, wherever the node is cut off, and however often", async () => {
    for (let seed = 1; seed <= 3; seed += 1) {
      let cutAfter = 0;
      for (let isOver = false; !isOver; cutAfter += 1) {
        const other = new OtherTopology();
        const agents = { caller };
        const harness = new ProgramHarness({ agents, tasks: 2, seed, neighbour: other.call });
        const { id } = await harness.until(clientsOf(harness).agent(caller).initiate("n"));
        for (let cuts = 0; cuts < 2; cuts += 1) {
          let steps = 0;
          while (steps < cutAfter && (await harness.stepNow())) steps += 1;
          if (cuts === 0) isOver = steps < cutAfter;
          harness.crash(0);
          harness.crash(1);
        }
        const result = await harness.until(clientsOf(harness).agent(caller).get(id).result());
        const inputs = [...other.begun.values()].map(({ input }) => input);
        // Two calls have the same input: the first and the last.
        expect(inputs.sort(), `cut after ${cutAfter}`).toEqual(["nx", "nx", "ny", "nz"]);
        for (const given of other.metadata.values()) expect(given.size).toBe(1);
        expect(new Set(result.map((part) => String(Object(part)[0]))).size).toBe(4);
      }
      // Each of the notes, and what comes before and behind it.
      expect(cutAfter).toBeGreaterThan(10);
    }
  });
});

const counted = agent({
  entry: "count",
  result: type<string>(),
  nodes: { count: node({ input: type<string>(), key: (name) => name }) },
}).implement({ count: (ctx, name) => ctx.result(name) });
const counting = topology("counting", import.meta.url, { agents: { counted } });

const counter = agent({
  agents: { counted: agentRef(counting, "counted") },
  entry: "a",
  result: type<string>(),
  nodes: { a: node({ input: type<"invoke" | "initiate">() }) },
}).implement({
  async a(ctx, call) {
    const begun = await ctx.agents.counted[call]("x");
    ctx.result(typeof begun === "string" ? begun : await begun.result());
  },
});

describe("calls of another topology — begun there, and not recorded here", () => {
  it.each(["invoke", "initiate"] as const)("%s finds its child, in every life", async (call) => {
    const both = new TwoHarnesses(counting, { agents: { counted } }, { agents: { counter } });
    const { inner, outer } = both;
    const { id } = await outer.until(clientsOf(outer).agent(counter).initiate(call));
    for (let lives = 1; lives <= 3; lives += 1) {
      // The caller has asked, and the invocation over there is begun: nothing here says so yet.
      await outer.runNow();
      await inner.runNow();
      expect(inner.rowCount(invocationTable)).toBe(1);
      for (let task = 0; task < outer.taskCount; task += 1) outer.crash(task);
    }
    const result = both.stubborn(seededRandom(1), 0, () =>
      clientsOf(outer).agent(counter).get(id).result(),
    );
    await expect(result).resolves.toBe("x");
    expect(inner.rowCount(invocationTable)).toBe(1);
  });
});
