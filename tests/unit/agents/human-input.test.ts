// Human input by the words of its contract. Bugs here would look like an answer that reaches
// another question, a question that a crash takes along, or an answerer who is told what is not so.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { HumanQuestion, Invocation } from "../../../agents/client/invocation.js";
import { node } from "../../../agents/declare/node.js";
import { parseInvocationId } from "../../../agents/wire/invocation-id.js";
import { newQuestionId } from "../../../agents/wire/question-id.js";
import { encodeQuestion } from "../../../agents/wire/question-message.js";
import { encodeMessage, noBytes } from "../../../agents/wire/wire-field.js";
import { PartitaError } from "../../../base/errors.js";
import { type Schema, type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { type HarnessSettings, ProgramHarness } from "../../support/program-harness.js";

/** Yes or no; other values are refused. */
const yesOrNo: Schema<string> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      value === "yes" || value === "no"
        ? { value }
        : { issues: [{ message: "say yes or no", path: [] }] },
  },
};

interface Asking {
  askHuman<T = unknown>(prompt: unknown, schema?: Schema<T, unknown>): Promise<T>;
  sleep(ms: number): Promise<void>;
  result(value: string): void;
  now(): number;
}

/** An agent with one node, and a client of it. */
function asking(
  run: (ctx: Asking, message: string) => Promise<void>,
  settings: Omit<HarnessSettings, "agents"> & { readonly maxRetries?: number } = {},
) {
  const { maxRetries = 0, ...others } = settings;
  const asks = agent({
    entry: "ask",
    result: type<string>(),
    maxRetries,
    nodes: { ask: node({ input: type<string>() }) },
  }).implement({ ask: run });
  const harness = new ProgramHarness({ agents: { asks }, ...others });
  return { harness, client: clientsOf(harness).agent(asks) };
}

async function questionOf(
  harness: ProgramHarness,
  invocation: Invocation<unknown>,
): Promise<HumanQuestion> {
  const step = await harness.until(invocation.nextStep());
  if (step.kind !== "question") throw new Error("it has ended");
  return step.question;
}

const isCode = (code: "QUESTION_STALE" | "QUESTION_UNKNOWN" | "SCHEMA_INVALID") => {
  return (error: unknown): boolean => PartitaError.is(error, code);
};

describe("human input — questions", () => {
  it("one is open per node invocation: the next is asked when it is answered", async () => {
    const { harness, client } = asking(async (ctx) => {
      const both = await Promise.all([ctx.askHuman<string>("first"), ctx.askHuman<string>("next")]);
      ctx.result(both.join());
    });
    const invocation = await harness.until(client.initiate(""));
    const first = await questionOf(harness, invocation);
    await harness.run();
    expect(await harness.until(invocation.humanInputs())).toEqual([first]);
    expect(first.prompt).toBe("first");
    await harness.until(invocation.answer(first, "a"));
    const next = await questionOf(harness, invocation);
    expect(next.prompt).toBe("next");
    await harness.until(invocation.answer(next, "b"));
    expect(await harness.until(invocation.result())).toBe("a,b");
  });

  it("any number is open per invocation of the agent, oldest first", async () => {
    const spread = agent({
      entry: "begin",
      result: type<string>(),
      nodes: {
        begin: node({ input: type<number>(), to: ["ask"] }),
        ask: node({ input: type<number>() }),
      },
    }).implement({
      begin: (ctx, count) => {
        for (let no = 0; no < count; no += 1) ctx.emit("ask", no);
      },
      ask: async (ctx, no) => {
        const answer = await ctx.askHuman<string>(no);
        if (no === 0) ctx.result(answer);
      },
    });
    const harness = new ProgramHarness({ agents: { spread } });
    const invocation = await harness.until(clientsOf(harness).agent(spread).initiate(150));
    await harness.run();
    const questions = await harness.until(invocation.humanInputs());
    expect(questions.map(({ prompt }) => prompt)).toHaveLength(150);
    expect(new Set(questions.map(({ id }) => id)).size).toBe(150);
    expect(questions.map(({ askedAt }) => askedAt)).toEqual(
      questions.map(({ askedAt }) => askedAt).sort((a, b) => a - b),
    );
    for (const question of questions) {
      await harness.until(invocation.answer(question, `answer ${question.prompt}`));
    }
    expect(await harness.until(invocation.result())).toBe("answer 0");
    expect(await harness.until(invocation.humanInputs())).toEqual([]);
  });

  it("a prompt is a value of any kind, and so is an answer", async () => {
    const { harness, client } = asking(async (ctx) => {
      const answer = await ctx.askHuman<Map<string, number>>({ kinds: new Set([1n]) });
      ctx.result(String(answer.get("x")));
    });
    const invocation = await harness.until(client.initiate(""));
    const question = await questionOf(harness, invocation);
    expect(question.prompt).toEqual({ kinds: new Set([1n]) });
    await harness.until(invocation.answer(question, new Map([["x", 7]])));
    expect(await harness.until(invocation.result())).toBe("7");
  });
});

describe("human input — answers", () => {
  it("answering resolves on delivery, not when the node has finished", async () => {
    let goOn: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const { harness, client } = asking(async (ctx) => {
      const answer = await ctx.askHuman<string>("?");
      await gate;
      ctx.result(answer);
    });
    const invocation = await harness.until(client.initiate(""));
    const question = await questionOf(harness, invocation);
    await harness.until(invocation.answer(question, "yes"));
    expect(await harness.until(invocation.isComplete())).toBe(false);
    goOn();
    expect(await harness.until(invocation.result())).toBe("yes");
  });

  it("an answer that does not fit the schema is refused, and the question stays open", async () => {
    const { harness, client } = asking(async (ctx) => ctx.result(await ctx.askHuman("?", yesOrNo)));
    const invocation = await harness.until(client.initiate(""));
    const question = await questionOf(harness, invocation);
    const wrong = invocation.answer(question, "perhaps");
    await expect(harness.until(wrong)).rejects.toSatisfy(isCode("SCHEMA_INVALID"));
    expect(await questionOf(harness, invocation)).toEqual(question);
    await harness.until(invocation.answer(question.id, "yes"));
    expect(await harness.until(invocation.result())).toBe("yes");
  });

  it("answers to unknown or stale questions are refused with a coded error", async () => {
    const { harness, client } = asking(async (ctx) => ctx.result(await ctx.askHuman("?")));
    const invocation = await harness.until(client.initiate(""));
    const other = await harness.until(client.initiate(""));
    const question = await questionOf(harness, invocation);
    const foreign = other.answer(question.id, "yes");
    await expect(harness.until(foreign)).rejects.toSatisfy(isCode("QUESTION_UNKNOWN"));
    const made = invocation.answer("nonsense", "yes");
    await expect(harness.until(made)).rejects.toSatisfy(isCode("QUESTION_UNKNOWN"));
    const answers = ["a", "b", "c"].map((value) => invocation.answer(question, value));
    const settled = await harness.until(Promise.allSettled(answers));
    expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of settled) {
      if (outcome.status === "rejected")
        expect(isCode("QUESTION_STALE")(outcome.reason)).toBe(true);
    }
  });

  it("of two answers, the first that fits is taken, however they overlap", async () => {
    for (let seed = 1; seed < 40; seed += 1) {
      const { harness, client } = asking(
        async (ctx) => ctx.result(await ctx.askHuman("?", yesOrNo)),
        { seed },
      );
      const invocation = await harness.until(client.initiate(""));
      const question = await questionOf(harness, invocation);
      const answers = ["perhaps", "no", "yes"].map((value) => invocation.answer(question, value));
      const settled = await harness.until(Promise.allSettled(answers));
      const taken = settled.findIndex(({ status }) => status === "fulfilled");
      expect(await harness.until(invocation.result())).toBe(["", "no", "yes"][taken]);
      expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    }
  });

  it("a function that returns without the answer asks no more", async () => {
    const { harness, client } = asking(async (ctx) => {
      const answer = ctx.askHuman<string>("?");
      ctx.result(await Promise.race([answer, ctx.sleep(1_000).then(() => "too late")]));
    });
    const invocation = await harness.until(client.initiate(""));
    const question = await questionOf(harness, invocation);
    expect(await harness.until(invocation.result())).toBe("too late");
    await harness.run();
    expect(await harness.until(invocation.humanInputs())).toEqual([]);
    const late = invocation.answer(question, "yes");
    await expect(harness.until(late)).rejects.toSatisfy(isCode("QUESTION_STALE"));
  });
});

describe("human input — retries and crashes", () => {
  it("a question whose wait a power cut has taken is stale, and shown no more", async () => {
    const { harness, client } = asking(async (ctx) => ctx.result(await ctx.askHuman("?")), {
      tasks: 1,
    });
    const invocation = await harness.until(client.initiate(""));
    const real = await questionOf(harness, invocation);
    // What home keeps of a question of a row that is gone.
    const place = { arrivalNo: 99, index: 0 };
    const nodeInvocationId = { high: 1, low: 2 };
    const asker = { nodeInvocationId, attempt: 0, passedOn: noBytes, askedMs: 1, ...place };
    const invocationId = parseInvocationId("asks", invocation.id);
    const row = { node: "ask", task: 0, ...place, attempt: 0, origin: undefined };
    const asked = { invocationId, question: newQuestionId(asker), prompt: encodeMessage("?", "") };
    const lost = encodeQuestion({ kind: "asked", ...asked, ...row });
    await harness.until(harness.clientPort().request(0, lost));
    const shown = await harness.until(invocation.humanInputs());
    const [ghost] = shown.filter(({ id }) => id !== real.id);
    if (ghost === undefined) throw new Error("it is listed");
    const answer = invocation.answer(ghost, "no");
    await expect(harness.until(answer)).rejects.toSatisfy(isCode("QUESTION_STALE"));
    expect(await harness.until(invocation.humanInputs())).toEqual([real]);
  });

  it("a re-run node asks again under a new id", async () => {
    let runs = 0;
    const { harness, client } = asking(
      async (ctx) => {
        runs += 1;
        const answer = await ctx.askHuman<string>("?");
        if (runs === 1) throw new Error("the first attempt fails");
        ctx.result(answer);
      },
      { maxRetries: 1 },
    );
    const invocation = await harness.until(client.initiate(""));
    const first = await questionOf(harness, invocation);
    await harness.until(invocation.answer(first, "one"));
    await harness.run();
    const second = await questionOf(harness, invocation);
    expect(second.id).not.toBe(first.id);
    const stale = invocation.answer(first, "one");
    await expect(harness.until(stale)).rejects.toSatisfy(isCode("QUESTION_STALE"));
    await harness.until(invocation.answer(second, "two"));
    expect(await harness.until(invocation.result())).toBe("two");
  });

  it("questions survive restarts, and so do answers", async () => {
    for (let seed = 1; seed < 60; seed += 1) {
      const { harness, client } = asking(
        async (ctx) => {
          const first = await ctx.askHuman<string>("first?", yesOrNo);
          const then = await ctx.askHuman<string>("then?");
          ctx.result(`${first}, ${then}`);
        },
        { seed },
      );
      const invocation = await harness.until(client.initiate(""));
      const first = await questionOf(harness, invocation);
      for (let task = 0; task < 3; task += 1) harness.crash(task);
      const same = await questionOf(harness, invocation);
      expect(same).toEqual(first);
      const answering = invocation.answer(same, "yes").then(
        () => "told",
        (error: unknown) => (PartitaError.is(error, "TASK_EXITED") ? "lost" : "refused"),
      );
      // Anywhere on the way of the answer.
      for (let step = 0; step < seed % 17; step += 1) await harness.stepNow();
      for (let task = 0; task < 3; task += 1) if ((seed >> task) % 2 === 1) harness.crash(task);
      const told = await harness.until(answering);
      expect(told).not.toBe("refused");
      await harness.run();
      const next = await questionOf(harness, invocation);
      if (next.id === first.id) {
        // Nobody was told that it was taken.
        expect(told).toBe("lost");
        await harness.until(invocation.answer(first, "yes"));
      }
      const then = await questionOf(harness, invocation);
      expect(then.prompt).toBe("then?");
      await harness.until(invocation.answer(then, "on"));
      expect(await harness.until(invocation.result())).toBe("yes, on");
    }
  });
});
