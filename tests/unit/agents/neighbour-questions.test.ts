// Questions of invocations in other topologies. A bug here would look like a human at the top who
// is never asked, an answer that is taken twice or by nobody, a question that stays open for ever.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { HumanQuestion, Invocation } from "../../../agents/client/invocation.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { topology } from "../../../runtime/topology.js";
import { type Schema, type } from "../../../store/schema.js";
import { inlineCluster } from "../../support/inline-cluster.js";
import { tempDirectory } from "../../support/temp-directory.js";

const text = { input: type<string>() };

/** Takes "yes" and "no". */
const yesOrNo: Schema<string, string> = {
  "~standard": {
    version: 1,
    vendor: "tests",
    validate: (value) =>
      value === "yes" || value === "no"
        ? { value }
        : { issues: [{ message: "neither yes nor no" }] },
  },
};

/** Ids of the invocations of `desk`, as they begin. */
const begun: string[] = [];

/** Two topologies: `desk` asks a human twice, and `clerk`, of the other one, waits for it. */
function officesNamed(name: string) {
  const desk = agent({
    entry: "a",
    result: type<string>(),
    nodes: { a: node(text) },
  }).implement({
    async a(ctx, what) {
      begun.push(ctx.invocationId);
      const first = await ctx.askHuman<string>(`may ${what}?`, yesOrNo);
      ctx.result(`${first}, ${await ctx.askHuman<string>("why?")}`);
    },
  });
  const inner = topology(`${name}-inner`, import.meta.url, { agents: { desk } });
  const clerk = agent({
    agents: { desk: agentRef(inner, "desk") },
    entry: "b",
    result: type<string>(),
    nodes: { b: node(text) },
  }).implement({
    async b(ctx, what) {
      ctx.result(`${what}: ${await ctx.agents.desk.invoke(what)}`);
    },
  });
  const boss = agent({
    agents: { clerk: agentRef<string, string>("clerk") },
    entry: "c",
    result: type<string>(),
    nodes: { c: node(text) },
  }).implement({
    async c(ctx, what) {
      const begun = await ctx.agents.clerk.initiate(what);
      ctx.result(await begun.result());
    },
  });
  const outer = topology(`${name}-outer`, import.meta.url, { agents: { clerk, boss } });
  return { inner, outer };
}

async function questionOf(invocation: Invocation<unknown>): Promise<HumanQuestion> {
  const step = await invocation.nextStep();
  if (step.kind !== "question") throw new Error("it asked nothing");
  return step.question;
}

async function untilNothingIsOpen(invocation: Invocation<unknown>): Promise<void> {
  while ((await invocation.humanInputs()).length > 0);
}

describe("human questions of agents in another topology", () => {
  it("are forwarded as questions of the calling node, up to the top; answers go down", async () => {
    const { inner, outer } = officesNamed("passes");
    await inlineCluster(inner);
    const runtime = await inlineCluster(outer);
    const top = await runtime.agent("boss").initiate("I go");
    const first = await questionOf(top);
    expect(first).toMatchObject({ invocationId: top.id, node: "c", prompt: "may I go?" });
    await top.answer(first, "yes");
    const second = await questionOf(top);
    expect(second).toMatchObject({ node: "c", prompt: "why?" });
    await top.answer(second.id, "tired");
    expect(await top.result()).toBe("I go: yes, tired");
    expect(await top.humanInputs()).toEqual([]);
  });

  it("an answer that is refused there is refused here, and the question stays open", async () => {
    const { inner, outer } = officesNamed("refuses");
    await inlineCluster(inner);
    const runtime = await inlineCluster(outer);
    const top = await runtime.agent("clerk").initiate("I go");
    const first = await questionOf(top);
    await expect(top.answer(first, "perhaps")).rejects.toMatchObject({ code: "SCHEMA_INVALID" });
    expect(await top.humanInputs()).toEqual([first]);
    await top.answer(first, "no");
    await top.answer(await questionOf(top), "rain");
    expect(await top.result()).toBe("I go: no, rain");
  });

  it("answering resolves exactly that question; a second answer is stale", async () => {
    const { inner, outer } = officesNamed("stale");
    await inlineCluster(inner);
    const runtime = await inlineCluster(outer);
    const top = await runtime.agent("boss").initiate("I go");
    const first = await questionOf(top);
    const answers = ["yes", "no", "yes"].map((value) => top.answer(first, value));
    const settled = await Promise.allSettled(answers);
    expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of settled) {
      if (outcome.status === "fulfilled") continue;
      expect(outcome.reason).toMatchObject({ code: "QUESTION_STALE" });
    }
    await expect(top.answer(first, "yes")).rejects.toMatchObject({ code: "QUESTION_STALE" });
    await top.answer(await questionOf(top), "so");
    const value = ["yes", "no", "yes"][settled.findIndex(({ status }) => status === "fulfilled")];
    expect(await top.result()).toBe(`I go: ${value}, so`);
  });

  it("one that is answered there, or not open any more, is closed here", async () => {
    const { inner, outer } = officesNamed("closes");
    const serving = await inlineCluster(inner);
    const runtime = await inlineCluster(outer);
    const top = await runtime.agent("boss").initiate("I go");
    const first = await questionOf(top);
    const child = serving.agent("desk").get(begun.at(-1) ?? "");
    await child.answer((await child.humanInputs())[0]?.id ?? "", "yes");
    while ((await questionOf(top)).prompt !== "why?");
    await expect(top.answer(first, "no")).rejects.toMatchObject({ code: "QUESTION_STALE" });
    await child.cancel();
    await untilNothingIsOpen(top);
  });

  it("survive restarts of either topology, and so does waiting for the result", async () => {
    const { inner, outer } = officesNamed("restarts");
    const [innerAt, outerAt] = [tempDirectory(), tempDirectory()];
    const serving = await inlineCluster(inner, { directory: innerAt });
    const runtime = await inlineCluster(outer, { directory: outerAt });
    const { id } = await runtime.agent("boss").initiate("I go");
    const first = await questionOf(runtime.agent("boss").get(id));
    await runtime.close();
    const again = await inlineCluster(outer, { directory: outerAt });
    const top = again.agent("boss").get(id);
    expect(await top.humanInputs()).toEqual([first]);
    await serving.close();
    // An answer waits for the other topology.
    const answered = top.answer(first, "yes");
    const back = await inlineCluster(inner, { directory: innerAt });
    await answered;
    const second = await questionOf(top);
    expect(second.prompt).toBe("why?");
    await back.close();
    await again.close();
    const last = await inlineCluster(outer, { directory: outerAt });
    await inlineCluster(inner, { directory: innerAt });
    await last.agent("boss").get(id).answer(second, "late");
    expect(await last.agent("boss").get(id).result()).toBe("I go: yes, late");
  });
});
