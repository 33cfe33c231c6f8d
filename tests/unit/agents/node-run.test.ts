// One run of a row, between its start and the call of its function: whatever comes in between, the
// function of what is to stop is not called. A bug here would look like a node that begins after
// its cancel, an orphan whose function runs beside that of the run in its place, or a cancel that
// waits for ever.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { definitionOf } from "../../../agents/declare/definition.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { Fences } from "../../../agents/node/fences.js";
import type { CompletedRun } from "../../../agents/node/node-effects.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { NodeRun, runServices } from "../../../agents/node/node-run.js";
import { runnerBoundsDefault } from "../../../agents/node/runner-bounds.js";
import { noScope, operationPrefix, rootNodeId } from "../../../agents/wire/invocation-id.js";
import type { RunMessage } from "../../../agents/wire/message.js";
import { encodeMessage, noBytes } from "../../../agents/wire/wire-field.js";
import { callId } from "../../../runtime/call-id.js";
import { noteDigest } from "../../../runtime/node-operations.js";
import { operationId } from "../../../runtime/operation-id.js";
import type { TaskPort } from "../../../runtime/task-program.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { type Latch, latch } from "../../support/latch.js";
import { ProgramHarness, settled } from "../../support/program-harness.js";

/** An agent whose function says that it was called, and waits for its latch. */
function calledAgent(hold: Latch) {
  const called: string[] = [];
  const work = agent({
    entry: "a",
    result: type<string>(),
    nodes: { a: node({ input: type<string>() }) },
  }).implement({
    async a(ctx, name) {
      called.push(name);
      await ctx.run("note", () => name);
      await hold.opened;
      ctx.result(name);
    },
  });
  return { work, called };
}

/** A run of a row of that agent, beside what the harness itself runs. */
function startedRun({ rerun = false, notes = 0 } = {}) {
  const hold = latch();
  hold.open();
  const { work, called } = calledAgent(hold);
  const ports: TaskPort[] = [];
  const harness = new ProgramHarness({
    agents: { work },
    tasks: 1,
    program: (port, entries) => {
      ports.push(port);
      return agentProgram()(port, entries);
    },
  });
  const [port] = ports;
  if (port === undefined) throw new Error("a harness makes its programs at once");
  const invocationId = new Uint8Array(16).fill(7);
  const message: RunMessage = {
    kind: "run",
    agent: "work",
    invocationId,
    node: "a",
    nodeInvocationId: rootNodeId(invocationId, 0),
    scope: noScope,
    attempt: 0,
    carried: noBytes,
    key: undefined,
    message: encodeMessage("x", "a test"),
  };
  const ended: CompletedRun[] = [];
  const agents = new Map([["work", definitionOf(work)]]);
  const waiting = { changed: () => {}, waitsForChild: () => {} };
  const bounds = { ...runnerBoundsDefault, rowBytesMax: port.rowBytesMax };
  const services = runServices(port, agents, new Fences(port), bounds, waiting, (_, run) => {
    ended.push(run);
  });
  for (let index = 0; index < notes; index += 1) {
    port.submit((turn) => {
      const id = operationId(operationPrefix(message), index);
      turn.recordOperation(id, noteDigest(Buffer.from("note")), encodeMessage("x", "a test"));
    });
  }
  const run = new NodeRun({ arrivalNo: 1, run: message, gate: undefined, rerun }, services);
  return { harness, run, ended, called };
}

const reason = new Error("it is to stop");

describe("node run — before its function is called", () => {
  it("is called when nothing comes in between", async () => {
    const { harness, run, ended, called } = startedRun();
    run.start();
    expect(called).toEqual([]);
    await harness.run();
    expect(called).toEqual(["x"]);
    expect(ended).toMatchObject([{ end: { kind: "result" } }]);
  });

  it.each([false, true])("a halt ends it uncalled, and that is heard; again: %s", async (rerun) => {
    const { harness, run, ended, called } = startedRun({ rerun, notes: rerun ? 2 : 0 });
    await harness.run();
    run.start();
    run.halt(reason, false);
    await harness.run();
    expect(called).toEqual([]);
    // What an earlier run has recorded goes with it, and the outcome of what it has waited for,
    // which may be recorded only now.
    const recorded = rerun ? [{ task: 0, indexes: [0, 1, 2] }] : [];
    expect(ended).toMatchObject([{ end: { kind: "plain" }, emits: [], recorded }]);
    expect(run.ended).toBeUndefined();
  });

  it("a halt while it looks up what was recorded ends it uncalled, too", async () => {
    const { harness, run, ended, called } = startedRun({ rerun: true, notes: 1 });
    await harness.run();
    run.start();
    await settled();
    run.halt(reason, false);
    await harness.run();
    expect(called).toEqual([]);
    expect(ended).toMatchObject([{ recorded: [{ task: 0, indexes: [0, 1] }] }]);
  });

  it("a halt waits for what still runs of earlier runs", async () => {
    const { harness, run, ended, called } = startedRun();
    const orphans = latch();
    run.start();
    run.halt(reason, false, orphans.opened);
    await harness.run();
    expect(ended).toEqual([]);
    expect(run.ended).toBeDefined();
    orphans.open();
    await settled();
    await harness.run();
    expect(ended).toHaveLength(1);
    expect(called).toEqual([]);
  });

  it.each(["retire", "end"] as const)("%s leaves it uncalled and unheard", async (how) => {
    for (const rerun of [false, true]) {
      const { harness, run, ended, called } = startedRun({ rerun });
      run.start();
      const returned = run.ended;
      run[how](reason);
      await harness.run();
      await returned;
      expect(called).toEqual([]);
      expect(ended).toEqual([]);
    }
  });
});

describe("rows that are cancelled as they start", () => {
  /** Begins one and cancels it in the same breath, in a harness where that is one batch. */
  async function cancelled(seed: number) {
    const { work, called } = calledAgent(latch());
    const harness = new ProgramHarness({ agents: { work }, tasks: 1, seed });
    const client = clientsOf(harness).agent(work);
    const call = { id: callId("order 7", harness.clock.nowMs) };
    const elsewhere = new ProgramHarness({ agents: { work }, tasks: 1 });
    const { id } = await elsewhere.until(clientsOf(elsewhere).agent(work).initiate("x", call));
    called.length = 0;
    const begun = client.initiate("x", call);
    const stopped = client.get(id).cancel();
    return { harness, called, begun, stopped };
  }

  it("in one batch are not called, and the cancel resolves", async () => {
    let uncalled = 0;
    for (let seed = 1; seed <= 20; seed += 1) {
      const { harness, called, begun, stopped } = await cancelled(seed);
      await harness.runNow();
      await begun;
      // Its function holds the latch: only one that was not called can have stopped.
      if (called.length > 0) continue;
      uncalled += 1;
      await harness.until(stopped);
      // The mark of numbers used.
      expect(harness.rowCount(queueTable)).toBe(1);
    }
    expect(uncalled).toBeGreaterThan(0);
    expect(uncalled).toBeLessThan(20);
  });

  it("while their mark is on its way to the device are not called again", async () => {
    let uncalled = 0;
    for (let seed = 1; seed <= 20; seed += 1) {
      const { work, called } = calledAgent(latch());
      const harness = new ProgramHarness({ agents: { work }, tasks: 1, seed });
      const { id } = await harness.until(clientsOf(harness).agent(work).initiate("x"));
      await harness.runNow();
      expect(called).toEqual(["x"]);
      harness.crash(0);
      // The start has submitted the mark; the cancel comes behind it, or with it.
      const stopped = clientsOf(harness).agent(work).get(id).cancel();
      await harness.runNow();
      if (called.length > 1) continue;
      uncalled += 1;
      await harness.until(stopped);
      expect(harness.rowCount(queueTable)).toBe(1);
    }
    expect(uncalled).toBeGreaterThan(0);
  });
});
