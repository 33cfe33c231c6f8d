// Waits under crashes: whatever dies, nobody waits for ever, nothing is begun twice, and what was
// taken stays taken. Bugs here would look like a promise that is still pending when nothing is left
// to do.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { AgentClient } from "../../../agents/client/client.js";
import type { Invocation } from "../../../agents/client/invocation.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { PartitaError } from "../../../base/errors.js";
import { type } from "../../../store/schema.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";

/** Lets things happen, and kills a task now and then; asks again what a death has cut off. */
async function stubborn<T>(
  harness: ProgramHarness,
  random: () => number,
  ask: () => Promise<T>,
): Promise<T> {
  for (;;) {
    const asked = { isAnswered: false };
    const answer = ask().finally(() => {
      asked.isAnswered = true;
    });
    answer.catch(() => {});
    while (!asked.isAnswered) {
      const hasMore = await harness.step();
      if (random() < 0.02) harness.crash(Math.floor(random() * harness.taskCount));
      else if (!hasMore && !asked.isAnswered)
        throw new Error("somebody waits, and nothing happens");
    }
    try {
      return await answer;
    } catch (error) {
      if (!PartitaError.is(error, "TASK_EXITED")) throw error;
    }
  }
}

const fib = agent({
  agents: { fib: agentRef<number, number>("fib") },
  entry: "add",
  result: type<number>(),
  nodes: { add: node({ input: type<number>() }) },
}).implement({
  async add(ctx, n) {
    if (n < 2) return ctx.result(n);
    await ctx.sleep(n);
    const one = ctx.agents.fib.invoke(n - 1);
    ctx.result((await ctx.agents.fib.invoke(n - 2)) + (await one));
  },
});

const approvals = agent({
  agents: { approvals: agentRef<number, string>("approvals") },
  entry: "begin",
  result: type<string>(),
  nodes: {
    begin: node({ input: type<number>(), to: ["ask"] }),
    ask: node({ input: type<number>() }),
  },
}).implement({
  begin: (ctx, depth) => ctx.emit("ask", depth),
  async ask(ctx, depth) {
    const inner = depth === 0 ? "" : await ctx.agents.approvals.invoke(depth - 1);
    const answer = await ctx.askHuman<string>(`level ${depth}`);
    ctx.result(inner + answer);
  },
});

/** As humans do: whatever is asked, once each, until there is a result. */
async function answerAll(
  harness: ProgramHarness,
  random: () => number,
  invocation: Invocation<string>,
): Promise<string> {
  for (;;) {
    const step = await stubborn(harness, random, () => invocation.nextStep());
    if (step.kind === "result") return step.result;
    const { question } = step;
    const answered = stubborn(harness, random, () => invocation.answer(question, question.prompt));
    await answered.catch((error: unknown) => {
      // A death had cut off the word that it was taken.
      if (!PartitaError.is(error, "QUESTION_STALE")) throw error;
    });
  }
}

const variants = [{ awakeWaitingMax: 100 }, { awakeWaitingMax: 0 }];

describe.each(variants)("waits — under crashes, awake at most $awakeWaitingMax", (bounds) => {
  it("a recursion comes to its result", async () => {
    for (let seed = 1; seed < 25; seed += 1) {
      const random = seededRandom(seed);
      const program = agentProgram({ runningNodesMax: 2, ...bounds });
      const harness = new ProgramHarness({ agents: { fib }, seed, program });
      const client: AgentClient<number, number> = clientsOf(harness).agent(fib);
      const begun = await harness.until(client.initiate(5));
      expect(await stubborn(harness, random, () => begun.result())).toBe(5);
    }
  });

  it("each question is answered once, at the top, in the order they are asked", async () => {
    for (let seed = 1; seed < 25; seed += 1) {
      const random = seededRandom(seed);
      const program = agentProgram(bounds);
      const harness = new ProgramHarness({ agents: { approvals }, seed, program });
      const client = clientsOf(harness).agent(approvals);
      const top = await harness.until(client.initiate(2));
      expect(await answerAll(harness, random, top)).toBe("level 0level 1level 2");
      await harness.run();
      expect(await harness.until(top.humanInputs())).toEqual([]);
      // Waits, and what was recorded of them, are gone.
      for (const table of [6, 13]) expect(harness.rowCount(table)).toBe(0);
    }
  });
});
