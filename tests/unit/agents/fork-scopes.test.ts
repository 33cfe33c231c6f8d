// A bug here would look like this: a gather that runs again though nothing behind it has changed,
// or does not though something has; a large tree that is copied in part.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { list } from "../../../agents/declare/aggregators.js";
import { node } from "../../../agents/declare/node.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { idOf, traced } from "../../support/traced-nodes.js";

/** Scopes within scopes; `leaf` numbers are added up on the way back. */
function nested() {
  const ran: string[] = [];
  const declared = agent({
    entry: "outer",
    result: type<number>(),
    nodes: {
      outer: scatter({ input: type<number[][]>(), to: ["inner"] }),
      inner: scatter({ input: type<number[]>(), to: ["leaf"] }),
      leaf: node({ input: type<number>(), to: ["add"] }),
      add: gather({ collect: list(type<number>()), to: ["total"] }),
      total: gather({ collect: list(type<number>()) }),
    },
  }).implement({
    outer(ctx, lists) {
      ran.push("outer");
      for (const numbers of lists) ctx.emit("inner", numbers);
    },
    inner(ctx, numbers) {
      ran.push("inner");
      for (const one of numbers) ctx.emit("leaf", one);
    },
    leaf(ctx, one) {
      ran.push(`leaf ${one}`);
      ctx.emit("add", one);
    },
    add(ctx, numbers) {
      ran.push("add");
      ctx.emit("total", sum(numbers));
    },
    total(ctx, numbers) {
      ran.push("total");
      ctx.result(sum(numbers));
    },
  });
  const harness = new ProgramHarness({ agents: { declared } });
  return { harness, ran, client: clientsOf(harness).agent(declared) };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

describe("forks — scopes within scopes, and large trees", () => {
  it("runs again the gathers of the scopes around what is changed, and no others", async () => {
    const { harness, ran, client } = nested();
    const parent = await harness.until(client.initiate([[1, 2], [3], [4, 5, 6], []]));
    expect(await harness.until(parent.result())).toBe(21);
    await harness.run();
    const nodes = await traced(harness, parent);
    ran.length = 0;
    expect(await harness.until(parent.fork({ [idOf(nodes, "leaf", 5)]: 50 }))).toBe(66);
    await harness.run();
    expect(ran).toEqual(["leaf 50", "add", "total"]);
  });

  it("copies a tree of many steps, whatever dies", async () => {
    for (let seed = 1; seed <= 3; seed += 1) {
      const { harness, client } = nested();
      const random = seededRandom(seed);
      const lists = Array.from({ length: 40 }, (_, no) => [no, no + 1, no + 2, no + 3, no + 4]);
      const expected = sum(lists.flat());
      const parent = await harness.until(client.initiate(lists));
      expect(await harness.until(parent.result())).toBe(expected);
      await harness.run();
      const nodes = await traced(harness, parent);
      const changed = nodes.find(({ node: name, message }) => name === "leaf" && message === 0);
      const changes = { [changed?.nodeInvocationId ?? ""]: 1_000 };
      const { id } = await harness.until(parent.initiateFork(changes));
      for (let crashes = 0; crashes < 5; crashes += 1) {
        for (let steps = Math.floor(random() * 15); steps > 0; steps -= 1) await harness.step();
        harness.crash(Math.floor(random() * harness.taskCount));
      }
      const fork = client.get(id);
      expect(await harness.until(fork.result())).toBe(expected + 1_000);
      await harness.run();
      const copies = await traced(harness, fork);
      expect(copies.length).toBe(nodes.length);
      expect(copies.every(({ status }) => status === "finished")).toBe(true);
      const total = copies.find(({ node: name }) => name === "total");
      expect(total?.gather?.inputCount).toBe(40);
    }
  });

  it("can be cancelled while it is made: nothing of it runs", async () => {
    const { harness, ran, client } = nested();
    const parent = await harness.until(client.initiate([[1, 2], [3]]));
    await harness.run();
    const nodes = await traced(harness, parent);
    ran.length = 0;
    const fork = await harness.until(parent.initiateFork({ [idOf(nodes, "leaf", 3)]: 30 }));
    const cancelled = fork.cancel();
    await harness.until(cancelled);
    await expect(harness.until(fork.result())).rejects.toMatchObject({
      code: "INVOCATION_CANCELLED",
    });
    await harness.run();
    expect(ran.filter((name) => name !== "leaf 30")).toEqual([]);
  });
});
