// Questions of another topology while tasks of either die. A bug here would look like a human who
// waits for ever, an answer that counts twice, or rows that nobody takes away.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { PartitaError } from "../../../base/errors.js";
import { topology } from "../../../runtime/topology.js";
import { type } from "../../../store/schema.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { clientsOf } from "../../support/agent-clients.js";
import { TwoHarnesses } from "../../support/two-harnesses.js";

const number = { input: type<number>() };

const desk = agent({ entry: "a", result: type<string>(), nodes: { a: node(number) } }).implement({
  async a(ctx, level) {
    const first = await ctx.askHuman<string>(`${level} first`);
    ctx.result(`${first}, ${await ctx.askHuman<string>(`${level} then`)}`);
  },
});
const inner = topology("crash-inner", import.meta.url, { agents: { desk } });

const clerk = agent({
  agents: { desk: agentRef(inner, "desk") },
  entry: "b",
  result: type<string>(),
  nodes: { b: node(number) },
}).implement({
  async b(ctx, count) {
    const levels = Array.from({ length: count }, (_, level) => level);
    ctx.result(
      (await Promise.all(levels.map((level) => ctx.agents.desk.invoke(level)))).join("; "),
    );
  },
});

const boss = agent({
  agents: { clerk: agentRef<number, string>("clerk") },
  entry: "c",
  result: type<string>(),
  nodes: { c: node(number) },
}).implement({
  async c(ctx, count) {
    ctx.result(await ctx.agents.clerk.invoke(count));
  },
});

describe.each([100, 0])("questions of another topology — awake at most %i", (awakeWaitingMax) => {
  it("each is answered once, at the top, whatever dies on the way", async () => {
    for (let seed = 1; seed < 20; seed += 1) {
      const random = seededRandom(seed);
      const program = agentProgram({ awakeWaitingMax });
      const both = new TwoHarnesses(
        inner,
        { agents: { desk }, seed, tasks: 2 },
        { agents: { boss, clerk }, seed, tasks: 2, program },
      );
      const client = clientsOf(both.outer).agent(boss);
      const top = await both.stubborn(random, 0, () => client.initiate(2));
      for (;;) {
        const step = await both.stubborn(random, 0.01, () => top.nextStep());
        if (step.kind === "result") {
          expect(step.result).toBe("0 first, 0 then; 1 first, 1 then");
          break;
        }
        const { question } = step;
        let asked = 0;
        const answered = both.stubborn(random, 0.01, () => {
          asked += 1;
          return top.answer(question, question.prompt);
        });
        await answered.catch((error: unknown) => {
          // A death had cut off the word that it was taken.
          if (asked === 1 || !PartitaError.is(error, "QUESTION_STALE")) throw error;
        });
      }
      await both.outer.run();
      expect(await both.stubborn(random, 0, () => top.humanInputs())).toEqual([]);
      // Waits, and what was recorded of them, are gone.
      for (const table of [6, 13]) expect(both.outer.rowCount(table)).toBe(0);
    }
  });
});
