// What a node can do with a child, and what of it a retry or a cancellation changes. Bugs here
// would look like a child that runs twice, a failure that no retry can mend, or a question at the
// top that somebody else is answering already.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { PartitaError } from "../../../base/errors.js";
import { callId } from "../../../runtime/call-id.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";

/** A child that does what the test says, and asks a human when told "ask". */
function family(
  parent: (ctx: ParentContext, message: string) => Promise<void>,
  child: (message: string) => Promise<string> | string = (message) => message,
  options: { readonly seed?: number; readonly maxRetries?: number } = {},
) {
  const begun: string[] = [];
  const young = agent({
    entry: "act",
    result: type<string>(),
    maxRetries: 0,
    nodes: { act: node({ input: type<string>() }) },
  }).implement({
    async act(ctx, message) {
      begun.push(message);
      const asks = message === "ask";
      ctx.result(await child(asks ? await ctx.askHuman<string>("child?") : message));
    },
  });
  const old = agent({
    agents: { young, old: agentRef<string, string>("old") },
    entry: "call",
    result: type<string>(),
    maxRetries: options.maxRetries ?? 2,
    nodes: { call: node({ input: type<string>() }) },
  }).implement({ call: parent });
  const harness = new ProgramHarness({ agents: { old, young }, seed: options.seed ?? 1 });
  const clients = clientsOf(harness);
  return { harness, begun, old: clients.agent(old), young: clients.agent(young) };
}

interface ParentContext {
  readonly agents: {
    readonly young: {
      invoke(input: string, options?: { id?: string; signal?: AbortSignal }): Promise<string>;
      initiate(input: string, options?: { id?: string }): Promise<ChildHandle>;
      get(id: string): ChildHandle;
    };
  };
  readonly signal: AbortSignal;
  result(value: string): void;
  sleep(ms: number): Promise<void>;
  askHuman<T = unknown>(prompt: unknown): Promise<T>;
}

interface ChildHandle {
  readonly id: string;
  result(): Promise<string>;
  nextStep(): Promise<
    | { readonly kind: "result"; readonly result: string }
    | { readonly kind: "question"; readonly question: { readonly id: string } }
  >;
  answer(question: { readonly id: string } | string, value: unknown): Promise<void>;
  isComplete(): Promise<boolean>;
  cancel(): Promise<void>;
}

describe("sub-agents — inside nodes the same client", () => {
  it("begins, looks, waits any number of times, and finds again by id", async () => {
    const { harness, old } = family(async (ctx) => {
      const child = await ctx.agents.young.initiate("a");
      const results = [await child.result(), await ctx.agents.young.get(child.id).result()];
      ctx.result(`${results.join()} ${await child.isComplete()}`);
    });
    expect(await harness.until(old.invoke(""))).toBe("a,a true");
  });

  it("driving a child by `nextStep` does not forward its questions", async () => {
    for (let seed = 1; seed < 20; seed += 1) {
      const { harness, old } = family(
        async (ctx) => {
          const child = await ctx.agents.young.initiate("ask");
          const step = await child.nextStep();
          if (step.kind !== "question") throw new Error("it asks");
          await child.answer(step.question, "from the parent");
          const last = await child.nextStep();
          ctx.result(last.kind === "result" ? last.result : "asks again");
        },
        undefined,
        { seed },
      );
      const top = await harness.until(old.initiate(""));
      const step = await harness.until(top.nextStep());
      expect(step).toEqual({ kind: "result", result: "from the parent" });
    }
  });

  it("tells the node why an answer was refused", async () => {
    const { harness, old } = family(async (ctx) => {
      const child = await ctx.agents.young.initiate("ask");
      const step = await child.nextStep();
      if (step.kind !== "question") throw new Error("it asks");
      await child.answer(step.question, "first");
      const second = child.answer(step.question, "second");
      const code = await second.then(
        () => "taken",
        (error: unknown) => (PartitaError.is(error) ? error.code : "other"),
      );
      ctx.result(`${await child.result()} ${code}`);
    });
    expect(await harness.until(old.invoke(""))).toBe("first QUESTION_STALE");
  });

  it("an id names one invocation, whoever begins it", async () => {
    const { harness, old, begun } = family(async (ctx) => {
      const id = callId("the one", harness.clock.nowMs);
      const both = await Promise.all([
        ctx.agents.young.invoke("x", { id }),
        ctx.agents.young.invoke("x", { id }),
      ]);
      ctx.result(both.join());
    });
    expect(await harness.until(old.invoke(""))).toBe("x,x");
    expect(begun).toEqual(["x"]);
  });

  it("a signal ends the waiting, nothing else", async () => {
    const { harness, old, young } = family(async (ctx) => {
      const controller = new AbortController();
      const waiting = ctx.agents.young.invoke("ask", { signal: controller.signal });
      await ctx.sleep(10);
      controller.abort(new Error("enough"));
      ctx.result(await waiting.catch((error: unknown) => String(error)));
    });
    const top = await harness.until(old.initiate(""));
    expect(await harness.until(top.result())).toBe("Error: enough");
    await harness.run();
    expect(await harness.until(top.humanInputs())).toEqual([]);
    expect(young).toBeDefined();
  });

  it("a failed child rejects with its failure, and the node may go on", async () => {
    const { harness, old } = family(
      async (ctx) => {
        const failed = ctx.agents.young.invoke("x");
        ctx.result(
          await failed.catch((error: unknown) => (PartitaError.is(error) ? error.code : "")),
        );
      },
      () => {
        throw new Error("the child fails");
      },
    );
    expect(await harness.until(old.invoke(""))).toBe("INVOCATION_FAILED");
  });
});

describe("sub-agents — retries", () => {
  it("a success is reused by every later attempt", async () => {
    let runs = 0;
    const { harness, old, begun } = family(async (ctx) => {
      const first = await ctx.agents.young.invoke("first");
      runs += 1;
      if (runs < 3) throw new Error("not yet");
      ctx.result(`${first} ${await ctx.agents.young.invoke("second")}`);
    });
    expect(await harness.until(old.invoke(""))).toBe("first second");
    expect(begun).toEqual(["first", "second"]);
  });

  it("a failed child is begun anew", async () => {
    let fails = 2;
    for (const how of ["invoke", "result", "nextStep", "question"] as const) {
      fails = 2;
      const { harness, old, begun } = family(
        async (ctx) => {
          if (how === "invoke") return ctx.result(await ctx.agents.young.invoke("x"));
          const child = await ctx.agents.young.initiate(how === "question" ? "ask" : "x");
          if (how === "result") return ctx.result(await child.result());
          let step = await child.nextStep();
          // The steps before it failed were no failures.
          if (step.kind === "question") await child.answer(step.question, "x");
          if (step.kind === "question") step = await child.nextStep();
          if (step.kind === "result") ctx.result(step.result);
        },
        (message) => {
          fails -= 1;
          if (fails >= 0) throw new Error("the child fails");
          return message;
        },
      );
      expect(await harness.until(old.invoke(""))).toBe("x");
      const word = how === "question" ? "ask" : "x";
      expect(begun).toEqual([word, word, word]);
    }
  });

  it("a running child is reused, its questions stay open", async () => {
    let runs = 0;
    const { harness, old, begun } = family(async (ctx) => {
      runs += 1;
      const child = ctx.agents.young.invoke("ask");
      if (runs === 1) {
        await ctx.sleep(10);
        throw new Error("the parent fails");
      }
      ctx.result(await child);
    });
    const top = await harness.until(old.initiate(""));
    await harness.run();
    expect(runs).toBe(2);
    const questions = await harness.until(top.humanInputs());
    expect(questions).toHaveLength(1);
    for (const question of questions) await harness.until(top.answer(question, "yes"));
    expect(await harness.until(top.result())).toBe("yes");
    expect(begun).toEqual(["ask"]);
  });
});

describe("sub-agents — cancellation", () => {
  it("`cancel()` reaches a node that waits, and its sub-agents too", async () => {
    const { harness, old, young } = family(async (ctx) => {
      ctx.result(await ctx.agents.young.invoke("ask"));
    });
    const top = await harness.until(old.initiate(""));
    const step = await harness.until(top.nextStep());
    if (step.kind !== "question") throw new Error("it asks");
    await harness.until(top.cancel());
    await harness.run();
    expect(await harness.until(top.humanInputs())).toEqual([]);
    const late = top.answer(step.question, "yes");
    await expect(harness.until(late)).rejects.toSatisfy((error) =>
      PartitaError.is(error, "QUESTION_STALE"),
    );
    await expect(harness.until(top.result())).rejects.toSatisfy((error) =>
      PartitaError.is(error, "INVOCATION_CANCELLED"),
    );
    expect(young).toBeDefined();
    for (let task = 0; task < harness.taskCount; task += 1) {
      expect(harness.program(task).running).toBe(0);
    }
    // Rows of the queue, waits, and what was recorded of them: nothing is left.
    for (const table of [6, 13]) expect(harness.rowCount(table)).toBe(0);
    expect(harness.rowCount(9)).toBeLessThanOrEqual(harness.taskCount);
  });
});
