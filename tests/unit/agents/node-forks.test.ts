// Forks that nodes make, of what they have begun, while their tasks die. A bug here would look like
// two forks where the node has made one, or like one whose questions nobody hears of.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { invocationTable } from "../../../agents/home/invocation-record.js";
import { waitTable } from "../../../agents/node/wait-rows.js";
import { systemTable } from "../../../runtime/system-table.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";

type Way = "fork" | "initiateFork";

/** An agent that forks another one; it throws as often as it is told. */
function forking(settings: { readonly seed: number; readonly awake?: number }) {
  const state = { throws: 0, fails: 0, drives: false };
  const echo = agent({
    entry: "say",
    result: type<string>(),
    maxRetries: 0,
    nodes: { say: node({ input: type<string>() }) },
  }).implement({
    async say(ctx, text) {
      if (text === "ask") return ctx.result(await ctx.askHuman<string>("what?"));
      if (text === "two" && state.fails > 0) {
        state.fails -= 1;
        throw new Error("no");
      }
      ctx.result(text);
    },
  });
  const caller = agent({
    agents: { echo: agentRef<string, string>("echo") },
    entry: "call",
    result: type<string>(),
    nodes: { call: node({ input: type<readonly [Way, string]>() }) },
  }).implement({
    async call(ctx, [way, text]) {
      const one = await ctx.agents.echo.initiate("one");
      await one.result();
      let root = "";
      for await (const { nodeInvocationId } of one.trace()) root = nodeInvocationId;
      const changes = { [root]: text };
      const came = await one[way](changes);
      let result = "";
      if (typeof came === "string") result = came;
      else if (state.drives) {
        const step = await came.nextStep();
        if (step.kind === "result") result = step.result;
      } else result = await came.result();
      if (state.throws > 0) {
        state.throws -= 1;
        throw new Error("once more");
      }
      ctx.result(`${one.id} ${result}`);
    },
  });
  const { seed, awake = 100 } = settings;
  const program = agentProgram({ awakeWaitingMax: awake });
  const harness = new ProgramHarness({ agents: { caller, echo }, tasks: 2, seed, program });
  return { harness, caller, echo, state };
}

const ways = ["fork", "initiateFork"] as const;

describe.each(ways)("forks that nodes make — with %s", (way) => {
  /** Returns whether there was something to cut off. */
  async function cutOff(seed: number, cutAfter: number, awake: number): Promise<boolean> {
    const { harness, caller } = forking({ seed, awake });
    const client = clientsOf(harness).agent(caller);
    const { id } = await harness.until(client.initiate([way, "two"]));
    let steps = 0;
    while (steps < cutAfter && (await harness.stepNow())) steps += 1;
    for (let task = 0; task < 2; task += 1) harness.crash(task);
    const result = await harness.until(clientsOf(harness).agent(caller).get(id).result());
    expect(result).toMatch(/ two$/);
    // The caller, what it has begun, and one fork of that.
    expect(harness.rowCount(invocationTable), `cut after ${cutAfter}`).toBe(3);
    await harness.run();
    for (const table of [waitTable, systemTable.operations]) {
      expect(harness.rowCount(table)).toBe(0);
    }
    return steps === cutAfter;
  }

  it.each([100, 0])("are made once, wherever it is cut off; awake at most %i", async (awake) => {
    let cuts = 0;
    for (let cutAfter = 0; await cutOff(1 + (cutAfter % 3), cutAfter, awake); cutAfter += 1) {
      cuts += 1;
    }
    expect(cuts).toBeGreaterThan(15);
  });

  it("are what a later attempt goes on with, unless they have failed", async () => {
    for (const [fails, forks] of [
      [0, 1],
      [1, 2],
    ] as const) {
      const { harness, caller, echo, state } = forking({ seed: 4 });
      Object.assign(state, { throws: fails === 0 ? 1 : 0, fails });
      const client = clientsOf(harness).agent(caller);
      const [parent = ""] = (await harness.until(client.invoke([way, "two"]))).split(" ");
      const made = clientsOf(harness).agent(echo).get(parent).forks();
      expect(await harness.until(made)).toHaveLength(forks);
    }
  });

  it("are begun anew, too, when a step has told that they have failed", async () => {
    const { harness, caller, echo, state } = forking({ seed: 6 });
    Object.assign(state, { fails: 1, drives: true });
    const client = clientsOf(harness).agent(caller);
    const [parent = "", said] = (await harness.until(client.invoke([way, "two"]))).split(" ");
    expect(said).toBe("two");
    const made = clientsOf(harness).agent(echo).get(parent).forks();
    expect(await harness.until(made)).toHaveLength(2);
  });

  it("ask what they ask as the node's own question", async () => {
    const { harness, caller } = forking({ seed: 5 });
    const top = await harness.until(clientsOf(harness).agent(caller).initiate([way, "ask"]));
    const step = await harness.until(top.nextStep());
    if (step.kind !== "question") throw new Error("it asked nothing");
    await harness.until(top.answer(step.question, "that"));
    expect(await harness.until(top.result())).toMatch(/ that$/);
  });
});
