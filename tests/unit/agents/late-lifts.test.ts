// Lifts of fences that come late to a task: what has begun meanwhile is none of their business. A
// bug here would look like a node invocation that its task throws away while its home waits for it.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { decodeAgentMessage } from "../../../agents/wire/message.js";
import type { TaskProgramFactory } from "../../../runtime/task-program.js";
import { hashKey } from "../../../store/key-hash.js";
import { type } from "../../../store/schema.js";
import { encodeDynamicKey } from "../../../store/tuple-key.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";

/** An agent whose second node is poisoned, and whose third waits. */
function failing(seed: number) {
  const hold = latch();
  const state = { poison: true, holdsBack: true, runs: 0 };
  const heldBack: (() => void)[] = [];
  const input = seed % 11;
  const number = { input: type<number>() };
  const work = agent({
    entry: "first",
    result: type<number>(),
    maxRetries: 1,
    nodes: {
      first: node({ ...number, to: ["bad"] }),
      bad: node({ ...number, key: (n) => n, to: ["slow"] }),
      slow: node({ ...number, key: (n) => n * 7 + 1 }),
    },
  }).implement({
    first: (ctx, n) => ctx.emit("bad", n),
    bad(ctx, n) {
      if (state.poison) throw new Error("bad");
      ctx.emit("slow", n);
    },
    async slow(ctx, n) {
      state.runs += 1;
      await hold.opened;
      ctx.result(n);
    },
  });
  /** Lifts are held back on the way to other tasks than those that hear of the replay from home. */
  const program: TaskProgramFactory = (port, entries) => {
    const running = agentProgram()(port, entries);
    const apply = running.apply.bind(running);
    running.apply = (turn, message) => {
      const isOther = port.taskId !== port.ownerOf(hashKey(encodeDynamicKey(input)));
      const isLift = decodeAgentMessage(message).kind === "lift" && turn.origin.kind === "task";
      if (!isLift || !isOther || !state.holdsBack) return apply(turn, message);
      const late = message.slice();
      heldBack.push(() => port.submit(late));
      return undefined;
    };
    return running;
  };
  const harness = new ProgramHarness({ agents: { work }, tasks: 4, seed, program });
  const arrive = (): void => {
    state.holdsBack = false;
    for (const lift of heldBack) lift();
  };
  return { harness, work, state, input, hold, arrive };
}

describe("lifts that come late", () => {
  it.each([false, true])("concern nothing that a replay began; forked: %s", async (forks) => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const { harness, work, state, input, hold, arrive } = failing(seed);
      const clients = clientsOf(harness);
      const invocation = await harness.until(clients.agent(work).initiate(input));
      await harness.until(invocation.result().catch(() => {}));
      await harness.runNow();
      const [letter] = await lettersOf(harness);
      state.poison = false;
      // What is being copied is not over, though nothing of it runs.
      if (forks) await harness.until(invocation.initiateFork({}));
      await harness.until(clients.deadLetters.replay(letter?.id ?? ""));
      await harness.runNow();
      arrive();
      await harness.runNow();
      hold.open();
      expect(await harness.until(invocation.result()), `seed ${seed}`).toBe(input);
      expect(state.runs).toBe(forks ? 2 : 1);
    }
  });
});
