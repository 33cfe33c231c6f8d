// What a node asks of an invocation that it has just begun, whose home may not have heard of it. A
// bug here would look like a child that is unknown to its own parent, now and then.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";

const child = agent({
  entry: "say",
  result: type<string>(),
  maxInvocationsPerTask: 1,
  nodes: { say: node({ input: type<string>() }) },
}).implement({
  async say(ctx, word) {
    for (const letter of word) await ctx.chunk(letter);
    ctx.result(word);
  },
});

/** Begins a child and at once asks what `way` says. */
const parent = agent({
  agents: { child },
  entry: "begin",
  result: type<string>(),
  maxRetries: 0,
  nodes: { begin: node({ input: type<string>() }) },
}).implement({
  async begin(ctx, way) {
    const begun = await ctx.agents.child.initiate("abc");
    if (way === "isComplete") ctx.result(typeof (await begun.isComplete()));
    else if (way === "metadata") ctx.result(typeof (await begun.metadata()));
    else if (way === "humanInputs") ctx.result(`${(await begun.humanInputs()).length}`);
    else if (way === "cancel") {
      await begun.cancel();
      ctx.result("cancelled");
    } else {
      let heard = "";
      await begun.stream("say").forEach((event) => {
        if (event.kind === "chunk") heard += String(event.value);
      });
      ctx.result(heard);
    }
  },
});

describe("nodes that ask a child which they have just begun", () => {
  it.each([
    ["isComplete", "boolean"],
    ["metadata", "object"],
    ["humanInputs", "0"],
    ["cancel", "cancelled"],
    ["stream", "abc"],
  ])("its home knows it by then: %s", async (way, expected) => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const harness = new ProgramHarness({ agents: { parent, child }, seed, tasks: 3 });
      const client = clientsOf(harness).agent(parent);
      expect(await harness.until(client.invoke(way))).toBe(expected);
    }
  });

  it("one that is forgotten already is unknown, after a while", async () => {
    const forgetful = agent({
      agents: { child },
      entry: "begin",
      result: type<string>(),
      maxRetries: 0,
      nodes: { begin: node({ input: type<string>() }) },
    }).implement({
      async begin(ctx, word) {
        const first = await ctx.agents.child.initiate(word);
        await first.result();
        for (let no = 0; no < 8; no += 1) await ctx.agents.child.invoke(`${no}`);
        await first.isComplete();
      },
    });
    const program = agentProgram();
    const harness = new ProgramHarness({ agents: { forgetful, child }, tasks: 1, program });
    const asked = clientsOf(harness).agent(forgetful).invoke("x");
    await expect(harness.until(asked)).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
      cause: { code: "INVOCATION_UNKNOWN" },
    });
  });
});
