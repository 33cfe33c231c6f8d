// Agents that call agents. Bugs here would look like a child that is begun twice, a recursion that
// stands still, or a question of a grandchild that nobody at the top can answer.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { PartitaError } from "../../../base/errors.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";

const fib = agent({
  agents: { fib: agentRef<number, number>("fib") },
  entry: "add",
  result: type<number>(),
  nodes: { add: node({ input: type<number>() }) },
}).implement({
  async add(ctx, n) {
    if (n < 2) return ctx.result(n);
    const both = await Promise.all([ctx.agents.fib.invoke(n - 1), ctx.agents.fib.invoke(n - 2)]);
    ctx.result(both[0] + both[1]);
  },
});

describe("sub-agents — a recursive agent", () => {
  it("a wait never holds a thread: a recursive agent works on two places", async () => {
    const program = agentProgram({ runningNodesMax: 2 });
    const harness = new ProgramHarness({ agents: { fib }, tasks: 2, program });
    const client = clientsOf(harness).agent(fib);
    expect(await harness.until(client.invoke(8))).toBe(21);
  });

  it("works with functions that are given up while they wait", async () => {
    const program = agentProgram({ runningNodesMax: 2, awakeWaitingMax: 1 });
    const harness = new ProgramHarness({ agents: { fib }, tasks: 2, program });
    const client = clientsOf(harness).agent(fib);
    expect(await harness.until(client.invoke(7))).toBe(13);
  });
});

const chain = agent({
  agents: { chain: agentRef<number, string>("chain") },
  entry: "step",
  result: type<string>(),
  nodes: { step: node({ input: type<number>() }) },
}).implement({
  async step(ctx, depth) {
    if (depth === 0) {
      const answer = await ctx.askHuman<string>("how deep?");
      return ctx.result(answer);
    }
    ctx.result(`${await ctx.agents.chain.invoke(depth - 1)}!`);
  },
});

describe("sub-agents — questions", () => {
  it("`invoke` forwards each question of the child to the top, and the answer down", async () => {
    for (let seed = 1; seed < 30; seed += 1) {
      const harness = new ProgramHarness({ agents: { chain }, tasks: 3, seed });
      const client = clientsOf(harness).agent(chain);
      const top = await harness.until(client.initiate(3));
      const step = await harness.until(top.nextStep());
      if (step.kind !== "question") throw new Error("it asks");
      expect(step.question).toMatchObject({ node: "step", prompt: "how deep?" });
      await harness.until(top.answer(step.question, "deep"));
      expect(await harness.until(top.humanInputs())).toEqual([]);
      expect(await harness.until(top.result())).toBe("deep!!!");
      const stale = top.answer(step.question, "again");
      await expect(harness.until(stale)).rejects.toSatisfy((error) =>
        PartitaError.is(error, "QUESTION_STALE"),
      );
    }
  });
});
