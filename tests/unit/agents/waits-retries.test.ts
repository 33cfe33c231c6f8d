// Waits that end, are asked, or are answered while the invocation begins its next attempt, in every
// order. Bugs here would look like an answer to the first question that the second one takes, a
// question that nobody asks any more, or a node that waits for what is there already.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { findQuestion } from "../../../agents/home/desk-rows.js";
import { treeTable } from "../../../agents/home/tree.js";
import { parseInvocationId, placementOf } from "../../../agents/wire/invocation-id.js";
import { parseQuestionId } from "../../../agents/wire/question-id.js";
import { PartitaError } from "../../../base/errors.js";
import { type } from "../../../store/schema.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";

const child = agent({
  entry: "act",
  result: type<string>(),
  nodes: { act: node({ input: type<number>() }) },
}).implement({
  async act(ctx, afterMs) {
    await ctx.sleep(afterMs);
    ctx.result(`child after ${afterMs}`);
  },
});

/** Whether the home of an invocation has a question open, as committed. */
function isOpen(harness: ProgramHarness, invocation: string, question: string): boolean {
  const of = parseInvocationId("a", invocation);
  const rows = harness.rows(harness.ownerOf(placementOf(of)));
  return findQuestion(rows, of, parseQuestionId(of, question)) !== undefined;
}

describe("waits — while another node fails", () => {
  it("a question of an earlier attempt is open no more, nor does its answer count", async () => {
    for (let seed = 1; seed < 80; seed += 1) {
      let failures = 0;
      const work = agent({
        entry: "begin",
        result: type<string>(),
        nodes: {
          begin: node({ input: type<string>(), to: ["ask", "fail"] }),
          ask: node({ input: type<string>() }),
          fail: node({ input: type<string>() }),
        },
      }).implement({
        begin: (ctx, message) => {
          // The first one stays with its home task.
          if (seed % 3 === 0) ctx.emit("ask", message);
          ctx.emit("fail", message);
          if (seed % 3 !== 0) ctx.emit("ask", message);
        },
        ask: async (ctx) => ctx.result(await ctx.askHuman<string>("?")),
        fail: async (ctx) => {
          // Before the question is known, or when it is.
          if (seed % 2 === 0) await ctx.sleep(1);
          failures += 1;
          if (failures <= 2) throw new Error("fails twice");
        },
      });
      const harness = new ProgramHarness({ agents: { work }, seed });
      const top = await harness.until(clientsOf(harness).agent(work).initiate(""));
      const step = await harness.until(top.nextStep());
      if (step.kind !== "question") throw new Error("it asks");
      const early = top.answer(step.question, "early").then(
        () => "taken",
        (error: unknown) => (PartitaError.is(error, "QUESTION_STALE") ? "stale" : "other"),
      );
      // Of the failures, some come before the answer, some behind it.
      expect(["taken", "stale"]).toContain(await harness.until(early));
      await harness.run();
      if (await harness.until(top.isComplete())) {
        expect(await harness.until(top.result())).toBe("early");
        continue;
      }
      const open = await harness.until(top.humanInputs());
      expect(open).toHaveLength(1);
      for (const question of open) {
        expect(question.id).not.toBe(step.question.id);
        await harness.until(top.answer(question, "late"));
      }
      expect(await harness.until(top.result())).toBe("late");
    }
  });

  it("whose answer is taken further up is told when it is closed there, too", async () => {
    let taken = 0;
    for (let seed = 1; seed <= 400; seed += 1) {
      const hold = latch();
      let failures = 0;
      const work = agent({
        entry: "begin",
        result: type<string>(),
        nodes: {
          begin: node({ input: type<string>(), to: ["ask", "fail"] }),
          ask: node({ input: type<string>() }),
          fail: node({ input: type<string>() }),
        },
      }).implement({
        begin: (ctx, message) => {
          ctx.emit(seed % 2 === 0 ? "ask" : "fail", message);
          ctx.emit(seed % 2 === 0 ? "fail" : "ask", message);
        },
        ask: async (ctx) => ctx.result(await ctx.askHuman<string>("?")),
        fail: async () => {
          await hold.opened;
          failures += 1;
          if (failures === 1) throw new Error("fails once");
        },
      });
      const calls = agent({
        agents: { work },
        entry: "start",
        result: type<string>(),
        nodes: {
          start: node({ input: type<string>(), to: ["call"] }),
          // With a key, so that it need not be on its home task.
          call: node({ input: type<string>(), key: (message) => message }),
        },
      }).implement({
        start: (ctx, message) => ctx.emit("call", message),
        call: async (ctx, message) => ctx.result(await ctx.agents.work.invoke(message)),
      });
      const harness = new ProgramHarness({ agents: { calls, work }, seed, tasks: 5 });
      const top = await harness.until(clientsOf(harness).agent(calls).initiate(`${seed}`));
      const step = await harness.until(top.nextStep());
      if (step.kind !== "question") throw new Error("it asks");
      const { id } = step.question;
      const early = top.answer(step.question, "early").then(
        // At once: what is on its way to the home of the one he has asked comes too late for him.
        () => ({ isTaken: true, isOpen: isOpen(harness, top.id, id) }),
        (error: unknown) => {
          expect(error).toMatchObject({ code: "QUESTION_STALE" });
          return { isTaken: false, isOpen: false };
        },
      );
      for (let steps = 0; steps < (seed * 7) % 60; steps += 1) await harness.step();
      hold.open();
      const told = await harness.until(early);
      if (told.isTaken) taken += 1;
      expect(told.isOpen).toBe(false);
    }
    expect(taken).toBeGreaterThan(50);
  });

  it("a child that ends just then is heard", async () => {
    for (const awakeWaitingMax of [0, 100]) {
      for (let seed = 1; seed < 60; seed += 1) {
        let failures = 0;
        const work = agent({
          agents: { child },
          entry: "begin",
          result: type<string>(),
          nodes: {
            begin: node({ input: type<number>(), to: ["call", "fail"] }),
            call: node({ input: type<number>() }),
            fail: node({ input: type<number>() }),
          },
        }).implement({
          begin: (ctx, afterMs) => {
            ctx.emit("call", afterMs);
            ctx.emit("fail", afterMs);
          },
          call: async (ctx, afterMs) => ctx.result(await ctx.agents.child.invoke(afterMs)),
          fail: async (ctx, afterMs) => {
            await ctx.sleep(afterMs);
            failures += 1;
            if (failures === 1) throw new Error("fails once");
          },
        });
        const program = agentProgram({ awakeWaitingMax });
        const harness = new ProgramHarness({ agents: { work, child }, seed, program });
        const client = clientsOf(harness).agent(work);
        expect(await harness.until(client.invoke(3))).toBe("child after 3");
      }
    }
  });

  it("whoever answers is told, though the invocation that asks has ended meanwhile", async () => {
    for (let seed = 1; seed < 90; seed += 1) {
      let end: () => void = () => {};
      const ends = new Promise<void>((resolve) => {
        end = resolve;
      });
      const asks = agent({
        entry: "begin",
        result: type<string>(),
        nodes: {
          begin: node({ input: type<string>(), to: ["ask", "end"] }),
          ask: node({ input: type<string>() }),
          end: node({ input: type<string>() }),
        },
      }).implement({
        begin: (ctx, message) => {
          ctx.emit("ask", message);
          ctx.emit("end", message);
        },
        ask: async (ctx) => {
          await ctx.askHuman("?");
        },
        end: async (ctx) => {
          await ends;
          ctx.result("ended");
        },
      });
      const calls = agent({
        agents: { asks },
        entry: "call",
        result: type<string>(),
        nodes: { call: node({ input: type<string>() }) },
      }).implement({
        call: async (ctx, message) => ctx.result(await ctx.agents.asks.invoke(message)),
      });
      const harness = new ProgramHarness({ agents: { calls, asks }, seed });
      const top = await harness.until(clientsOf(harness).agent(calls).initiate(""));
      const step = await harness.until(top.nextStep());
      if (step.kind === "result") continue;
      const told = top.answer(step.question, "yes").then(
        () => "taken",
        (error: unknown) => (PartitaError.is(error, "QUESTION_STALE") ? "stale" : "other"),
      );
      for (let at = 0; at < seed % 30; at += 1) await harness.stepNow();
      end();
      expect(["taken", "stale"]).toContain(await harness.until(told));
      expect(await harness.until(top.result())).toBe("ended");
      expect(await harness.until(top.humanInputs())).toEqual([]);
    }
  });
});

describe("waits — a death while the next attempt begins", () => {
  it("the node asks again, wherever it was cut off", async () => {
    for (let steps = 0; steps < 40; steps += 1) {
      let failures = 0;
      const work = agent({
        entry: "begin",
        result: type<string>(),
        nodes: {
          begin: node({ input: type<string>(), to: ["ask", "fail"] }),
          ask: node({ input: type<string>() }),
          fail: node({ input: type<string>() }),
        },
      }).implement({
        begin: (ctx, message) => {
          ctx.emit("ask", message);
          ctx.emit("fail", message);
        },
        ask: async (ctx) => ctx.result(await ctx.askHuman<string>("?")),
        fail: async (ctx) => {
          await ctx.sleep(1_000);
          failures += 1;
          if (failures === 1) throw new Error("fails once");
        },
      });
      const harness = new ProgramHarness({ agents: { work }, seed: 1 + (steps % 3) });
      const top = await harness.until(clientsOf(harness).agent(work).initiate(""));
      await harness.runNow();
      harness.clock.advance();
      for (let step = 0; step < steps; step += 1) await harness.stepNow();
      for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
      await harness.run();
      const open = await harness.until(top.humanInputs());
      expect(open).toHaveLength(1);
      for (const question of open) await harness.until(top.answer(question, "yes"));
      expect(await harness.until(top.result())).toBe("yes");
    }
  });
});

describe("waits — several at a time, under crashes", () => {
  it("a node goes on with whatever ends first, and misses nothing", async () => {
    for (let seed = 1; seed < 60; seed += 1) {
      const random = seededRandom(seed);
      const work = agent({
        agents: { child },
        entry: "act",
        result: type<string>(),
        nodes: { act: node({ input: type<string>() }) },
      }).implement({
        async act(ctx) {
          const all = [ctx.sleep(4), ctx.agents.child.invoke(2), ctx.sleep(1)];
          const first = await Promise.race(all);
          await ctx.sleep(1);
          const others = [...all, ctx.agents.child.invoke(1)];
          ctx.result(`${first ?? "a pause"}, ${(await Promise.all(others)).join(", ")}`);
        },
      });
      const program = agentProgram({ awakeWaitingMax: seed % 2 });
      const harness = new ProgramHarness({ agents: { work, child }, seed, program });
      const top = await harness.until(clientsOf(harness).agent(work).initiate(""));
      while (await harness.step()) {
        if (random() < 0.02) harness.crash(Math.floor(random() * harness.taskCount));
      }
      expect(await harness.until(top.result())).toMatch(/, , child after 2, , child after 1$/);
      for (const table of [6, 13]) expect(harness.rowCount(table)).toBe(0);
    }
  });

  it("is run after a death when something has ended, whatever it began then", async () => {
    for (let at = 0; at < 400; at += 1) {
      let goOn: () => void = () => {};
      const outside = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const work = agent({
        agents: { child },
        entry: "act",
        result: type<string>(),
        nodes: { act: node({ input: type<string>() }) },
      }).implement({
        async act(ctx) {
          const first = ctx.agents.child.invoke(0);
          await outside;
          const second = ctx.askHuman("never answered");
          ctx.result(String(await Promise.race([first, second])));
        },
      });
      const harness = new ProgramHarness({ agents: { work, child }, seed: 1 + (at % 7) });
      const top = await harness.until(clientsOf(harness).agent(work).initiate(""));
      for (let step = 0; step < at / 5; step += 1) await harness.step();
      goOn();
      for (let step = 0; step < at % 5; step += 1) await harness.stepNow();
      for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
      expect(await harness.until(top.result())).toBe("child after 0");
    }
  });

  it("the outcome of a call that a later run does not make is not heard", async () => {
    for (let seed = 1; seed < 40; seed += 1) {
      let runs = 0;
      const work = agent({
        agents: { child },
        entry: "act",
        result: type<string>(),
        nodes: { act: node({ input: type<string>() }) },
      }).implement({
        async act(ctx) {
          runs += 1;
          const pause = new Promise<void>(() => {});
          const answer = ctx.agents.child.invoke(runs === 1 ? 5 : 9);
          // Not resting while it waits for what nobody records: it is run again after a crash.
          if (runs === 1) void ctx.run("outside", () => pause);
          ctx.result(await answer);
        },
      });
      const harness = new ProgramHarness({ agents: { work, child }, seed });
      const top = await harness.until(clientsOf(harness).agent(work).initiate(""));
      await harness.runNow();
      for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
      expect(await harness.until(top.result())).toBe("child after 9");
    }
  });
});

describe("waits — what is kept of them", () => {
  it("nothing, when the invocations are forgotten", async () => {
    const kept = { maxInvocationsPerTask: 1 };
    const small = agent({
      ...kept,
      entry: "act",
      result: type<string>(),
      nodes: { act: node({ input: type<string>() }) },
    }).implement({
      act: async (ctx, message) => ctx.result(await ctx.askHuman<string>(message)),
    });
    const calls = agent({
      ...kept,
      agents: { small },
      entry: "call",
      result: type<string>(),
      nodes: { call: node({ input: type<string>() }) },
    }).implement({
      call: async (ctx, message) => ctx.result(await ctx.agents.small.invoke(message)),
    });
    const harness = new ProgramHarness({ agents: { calls, small } });
    const client = clientsOf(harness).agent(calls);
    const rows: number[] = [];
    for (let round = 0; round < 60; round += 1) {
      const top = await harness.until(client.initiate(""));
      const step = await harness.until(top.nextStep());
      if (step.kind === "question") await harness.until(top.answer(step.question, "yes"));
      expect(await harness.until(top.result())).toBe("yes");
      await harness.run();
      rows.push(harness.rowCount(treeTable));
    }
    expect(Math.max(...rows.slice(30))).toBeLessThanOrEqual(Math.max(...rows.slice(0, 30)));
  });
});
