// Questions to humans. Bugs here would look like an answer that reaches another question, a
// question that is gone after a crash, or a caller who is told that an answer was taken and it was
// not.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { PartitaError } from "../../../base/errors.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";

const approve = agent({
  entry: "ask",
  result: type<string>(),
  nodes: { ask: node({ input: type<string>() }) },
}).implement({
  async ask(ctx, message) {
    const answer = await ctx.askHuman<string>(`${message}?`);
    ctx.result(`${message}: ${answer}`);
  },
});

describe("human input — asking and answering", () => {
  it("the node goes on with the answer", async () => {
    const harness = new ProgramHarness({ agents: { approve } });
    const client = clientsOf(harness).agent(approve);
    const invocation = await harness.until(client.initiate("pay"));
    const step = await harness.until(invocation.nextStep());
    if (step.kind !== "question") throw new Error("it asks");
    expect(step.question).toMatchObject({
      node: "ask",
      prompt: "pay?",
      invocationId: invocation.id,
    });
    await harness.until(invocation.answer(step.question, "yes"));
    expect(await harness.until(invocation.result())).toBe("pay: yes");
    expect(await harness.until(invocation.nextStep())).toEqual({
      kind: "result",
      result: "pay: yes",
    });
    expect(await harness.until(invocation.humanInputs())).toEqual([]);
    const again = invocation.answer(step.question.id, "no");
    await expect(harness.until(again)).rejects.toSatisfy((e) =>
      PartitaError.is(e, "QUESTION_STALE"),
    );
  });
});
