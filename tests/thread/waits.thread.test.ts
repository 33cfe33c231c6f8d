// Waits on real threads. A bug here would look like a recursion that stands still, a restart that
// runs everything that waits, or an order that is approved twice after a kill.

import { describe, expect, it } from "vitest";
import { type HumanQuestion, type Invocation, launch } from "../../dist/index.js";
import approvals from "../../dist/tests/topologies/approvals.js";
import { compiled, killedProgram } from "../support/killed-program.js";
import { refusal } from "../support/outcomes.js";
import { tempDirectory } from "../support/temp-directory.js";

const options = { tasks: 2, threads: 2 } as const;

function launchApprovals(directory = tempDirectory()) {
  return launch(approvals, { directory, ...options });
}

async function questionOf(invocation: Invocation<string>): Promise<HumanQuestion> {
  const step = await invocation.nextStep();
  if (step.kind !== "question") throw new Error("it has a result already");
  return step.question;
}

describe("waits — real threads", () => {
  it("a wait never holds a thread: a recursive agent works on two threads", async () => {
    await using runtime = await launchApprovals();
    expect(await runtime.agent("fib").invoke(14)).toBe(377);
  });

  it("passes questions on to the top, and answers down", async () => {
    await using runtime = await launchApprovals();
    const all = Array.from({ length: 40 }, (_, n) => `order ${n}`);
    const results = all.map(async (name, n) => {
      const of = { customer: `customer ${n % 5}`, order: name };
      const invocation = await runtime.agent("order").initiate(of);
      const question = await questionOf(invocation);
      expect(question).toMatchObject({ node: "begin", prompt: name });
      await invocation.answer(question, `yes, ${name}`);
      await refusal(invocation.answer(question, "no"), "QUESTION_STALE");
      return await invocation.result();
    });
    expect(await Promise.all(results)).toEqual(all.map((name) => `yes, ${name}`));
  });

  it("10,000 invocations that wait survive a restart, and none of them is run by it", {
    timeout: 120_000,
  }, async () => {
    const directory = tempDirectory();
    const count = 10_000;
    const ids: string[] = [];
    {
      await using runtime = await launchApprovals(directory);
      const begin = async (n: number): Promise<void> => {
        for (let at = n; at < count; at += 500) {
          const { id } = await runtime.agent("approve").initiate(`order ${at}`);
          ids[at] = id;
        }
      };
      await Promise.all(Array.from({ length: 500 }, (_, n) => begin(n)));
      await runtime.drain();
    }
    const before = performance.now();
    await using runtime = await launchApprovals(directory);
    const first = runtime.agent("approve").get(ids[0] ?? "");
    expect(await first.humanInputs()).toHaveLength(1);
    // Far less than running ten thousand functions again would take, on a busy machine too.
    expect(performance.now() - before).toBeLessThan(30_000);
    const { tasks } = await runtime.stats();
    expect(tasks.map(({ running }) => running)).toEqual([0, 0]);
    for (let at = 0; at < count; at += 997) {
      const invocation = runtime.agent("approve").get(ids[at] ?? "");
      const question = await questionOf(invocation);
      expect(question.prompt).toBe(`order ${at}`);
      await invocation.answer(question, `yes ${at}`);
      expect(await invocation.result()).toBe(`yes ${at}`);
      expect(await runtime.store("counts").get(`order ${at} asked`)).toBe(1);
    }
  });
});

/** Begins orders and answers most of them, without end; says what it has begun. */
const program = `
  import { launch } from ${JSON.stringify(compiled("index.js"))};
  import approvals from ${JSON.stringify(compiled("tests/topologies/approvals.js"))};
  const [directory, round] = process.argv.slice(2);
  const runtime = await launch(approvals, { directory, tasks: 2, threads: 2 });
  const say = (...words) => process.stdout.write(words.join(" ") + "\\n");
  const client = async (_, number) => {
    for (let i = 0; ; i++) {
      const order = [round, number, i].join("-");
      // One that had begun unsaid when the process before was killed holds its customer.
      const customer = round + "-" + number;
      const invocation = await runtime.agent("order").initiate({ customer, order });
      say("began", invocation.id, order);
      const step = await invocation.nextStep();
      // The last ones of a process wait when it is killed.
      await invocation.answer(step.question, "yes");
      say("answered", invocation.id);
      await invocation.result();
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
`;

describe("waits — a process that is killed", () => {
  it("questions survive restarts, what was answered stays answered, nothing counts twice", {
    timeout: 120_000,
  }, async () => {
    const directory = tempDirectory();
    const run = killedProgram(program, { word: "\n", times: 40 });
    for (let round = 1; round <= 2; round += 1) {
      const said = (await run(directory, round)).map((line) => line.split(" "));
      await using runtime = await launchApprovals(directory);
      const begun = said.filter(([what]) => what === "began");
      expect(begun.length).toBeGreaterThan(8);
      for (const [, id = "", name = ""] of begun) {
        const invocation = runtime.agent("order").get(id);
        const step = await invocation.nextStep();
        if (step.kind === "question") {
          expect(said.some(([what, of]) => what === "answered" && of === id)).toBe(false);
          await invocation.answer(step.question, "yes");
        }
        expect(await invocation.result()).toBe("yes");
        for (const what of [`${name} asked`, name, `${name} ordered`]) {
          expect([what, await runtime.store("counts").get(what)]).toEqual([what, 1]);
        }
      }
    }
  });
});
