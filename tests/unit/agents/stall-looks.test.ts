// A bug here would look like this: a node that is lost and never asked for, because others of its
// invocation that wait are asked for again and again.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { StallWatch } from "../../../agents/home/stall-watch.js";
import { invocationName, noScope } from "../../../agents/wire/invocation-id.js";
import type { RunMessage } from "../../../agents/wire/message.js";
import { decodeMessage } from "../../../agents/wire/wire-field.js";
import { limits } from "../../../base/limits.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { looks, loseRows } from "./stall-bench.js";

interface Wide {
  /** Nodes one after the other, the last of which emits so many to wait for the latch. */
  readonly chain: number;
  readonly wide: number;
  /** Those that do not wait. */
  readonly ends?: (n: number) => boolean;
}

/** Notes which of those that wait have begun. */
function wideBench(
  { chain: length, wide: width, ends = () => false }: Wide,
  program = agentProgram(),
) {
  const begun: number[] = [];
  const state = { hold: latch() };
  const wide = agent({
    entry: "chain",
    result: type<string>(),
    maxRetries: 1,
    nodes: {
      chain: node({ input: type<number>(), to: ["chain", "waits"] }),
      waits: node({ input: type<number>() }),
    },
  }).implement({
    chain(ctx, left) {
      if (left > 0) ctx.emit("chain", left - 1);
      else for (let n = 0; n < width; n += 1) ctx.emit("waits", n);
    },
    async waits(_ctx, n) {
      begun.push(n);
      if (!ends(n)) await state.hold.opened;
    },
  });
  const harness = new ProgramHarness({ agents: { wide }, tasks: 2, program, isWeak: true });
  const begin = () => harness.until(clientsOf(harness).agent(wide).initiate(length));
  return { harness, begin, begun, state };
}

function isWaiting(n: number): (run: RunMessage) => boolean {
  return ({ node: name, message }) => name === "waits" && decodeMessage(message) === n;
}

describe("stalls — trees that are larger than one look", () => {
  it("one that is lost among 100 that wait is found, wherever it is", async () => {
    for (const n of [0, 50, 99]) {
      const { harness, begin, begun, state } = wideBench({ chain: 0, wide: 100 });
      const invocation = await begin();
      await harness.runNow();
      expect(loseRows(harness, isWaiting(n))).toBe(1);
      await harness.runNow();
      begun.length = 0;
      await looks(harness, 4);
      expect(begun).toContain(n);
      state.hold.open();
      await harness.runNow();
      expect(await harness.until(invocation.isComplete())).toBe(true);
    }
  });

  it.each([
    ["behind more nodes than one look goes over", { stallNodesMax: 8 }, 30, 1],
    ["behind more nodes that wait than one look asks for", { stallProbesMax: 4 }, 0, 80],
    ["among more than are kept for the next look", { stallProbesMax: 4, stallLeftMax: 6 }, 0, 30],
  ])("one %s is found, a look every 10 s", async (_where, bounds, chain, wide) => {
    const { harness, begin, begun } = wideBench({ chain, wide }, agentProgram(bounds));
    const lost = Math.floor(wide / 2);
    await begin();
    await harness.runNow();
    expect(loseRows(harness, isWaiting(lost))).toBe(1);
    await harness.runNow();
    begun.length = 0;
    await looks(harness, "stallLeftMax" in bounds ? 200 : 25);
    expect(begun).toContain(lost);
  });

  it("nothing is lost while all of them wait: looks cost no retry", async () => {
    const { harness, begin, begun } = wideBench(
      { chain: 20, wide: 40 },
      agentProgram({ stallNodesMax: 8, stallProbesMax: 4 }),
    );
    await begin();
    await harness.runNow();
    await looks(harness, 100);
    expect(begun.length).toBe(40);
  });

  it("an end of a tree that has nothing open is not taken for all of it", async () => {
    // The last one is looked at first, and waits; all that is left to the next looks has ended.
    const sizes = { chain: 0, wide: 20, ends: (n: number) => n < 19 };
    const { harness, begin, state } = wideBench(sizes, agentProgram({ stallNodesMax: 8 }));
    const invocation = await begin();
    await harness.runNow();
    await looks(harness, 20);
    expect(await harness.until(invocation.isComplete())).toBe(false);
    state.hold.open();
    await harness.runNow();
    expect(await harness.until(invocation.isComplete())).toBe(true);
  });
});

describe("stall watch", () => {
  const ids = Array.from({ length: limits.stallLooksMax + 1 }, (_, n) => {
    const id = new Uint8Array(16);
    new DataView(id.buffer).setUint32(12, n);
    return id;
  });
  const left = [{ id: noScope, parent: noScope, from: 0, task: 0 }];

  it("keeps its pace while a tree is looked at, and looks half as often after each time", () => {
    const watch = new StallWatch();
    const [id] = ids;
    if (id === undefined) throw new Error("there are some");
    watch.progressed(id, 0);
    const dueAt: number[] = [];
    for (let nowMs = 0; nowMs <= 200_000; nowMs += 10_000) {
      if (watch.due(nowMs).length === 0) continue;
      dueAt.push(nowMs / 10_000);
      watch.looked(id, dueAt.length < 4 ? left : []);
    }
    expect(dueAt).toEqual([0, 1, 2, 3, 4, 6, 10, 18]);
    expect(watch.leftOf(id)).toEqual([]);
  });

  it("progress begins again at the root", () => {
    const watch = new StallWatch();
    const [id] = ids;
    if (id === undefined) throw new Error("there are some");
    watch.progressed(id, 0);
    watch.due(0);
    watch.looked(id, left);
    expect(watch.leftOf(id)).toEqual(left);
    watch.progressed(id, 0);
    expect(watch.leftOf(id)).toEqual([]);
    watch.looked(id, left);
    expect(watch.leftOf(id)).toEqual([]);
  });

  it("gives each its turn when more are due than are looked at together", () => {
    const watch = new StallWatch();
    for (const id of ids) watch.progressed(id, 0);
    const [first, second] = [watch.due(0), watch.due(10_000)];
    expect(first.length).toBe(limits.stallLooksMax);
    expect(new Set([...first, ...second].map(invocationName)).size).toBe(ids.length);
  });
});
