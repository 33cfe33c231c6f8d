// Invocations that nodes begin under an id that was given to them: to clients and to other nodes
// the id stands for the same call, wherever it was made first. A bug here would look like an
// invocation that begins a second time over its own record, or like the result of another call.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { invocationTable } from "../../../agents/home/invocation-record.js";
import { waitTable } from "../../../agents/node/wait-rows.js";
import { decodeAgentMessage } from "../../../agents/wire/message.js";
import { decodeStep } from "../../../agents/wire/question-list.js";
import { encodeQuestion } from "../../../agents/wire/question-message.js";
import { refusalOf } from "../../../agents/wire/refusal-bytes.js";
import { noBytes } from "../../../agents/wire/wire-field.js";
import { PartitaError } from "../../../base/errors.js";
import { callId } from "../../../runtime/call-id.js";
import { systemTable } from "../../../runtime/system-table.js";
import type { Turn } from "../../../runtime/task-program.js";
import { topology } from "../../../runtime/topology.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { type InlineSettings, inlineCluster } from "../../support/inline-cluster.js";
import { latch } from "../../support/latch.js";
import { HarnessBatch, HarnessTurns } from "../../support/program-batch.js";
import { ProgramHarness } from "../../support/program-harness.js";

/** What a parent does with its child. */
interface Order {
  readonly call: "invoke" | "initiate";
  readonly item: string;
  readonly id: string;
}

/** Inputs of the children that ran. */
let ran: string[] = [];
/** What children wait for before they come to their result. */
let door = latch();

const parent = agent({
  agents: { child: agentRef<string, string>("child") },
  entry: "call",
  result: type<string>(),
  nodes: { call: node({ input: type<Order>() }) },
}).implement({
  async call(ctx, { call, item, id }) {
    const begun = ctx.agents.child[call](item, { id });
    try {
      const came = await begun;
      ctx.result(typeof came === "string" ? came : await came.result());
    } catch (error) {
      ctx.result(String(Reflect.get(Object(error), "code")));
    }
  },
});

const child = agent({
  entry: "work",
  result: type<string>(),
  nodes: { work: node({ input: type<string>() }) },
}).implement({
  async work(ctx, item) {
    ran.push(item);
    await door.opened;
    ctx.result(`${item} ${ran.length}`);
  },
});

const shop = topology("shop", import.meta.url, { agents: { parent, child } });

async function launched(settings: InlineSettings = {}) {
  ran = [];
  door = latch();
  const runtime = await inlineCluster(shop, settings);
  return { parents: runtime.agent("parent"), children: runtime.agent("child") };
}

const calls = ["invoke", "initiate"] as const;

describe.each(calls)("children under an id of their own — begun with %s", (call) => {
  it("are the invocation that a client then names, while they run and afterwards", async () => {
    const { parents, children } = await launched();
    const id = callId("order 7", Date.now());
    const both = parents.invoke({ call, item: "hat", id });
    while (ran.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const begun = await children.initiate("hat", { id });
    door.open();
    expect(await both).toBe("hat 1");
    expect(await begun.result()).toBe("hat 1");
    expect(await children.invoke("hat", { id })).toBe("hat 1");
    expect(ran).toEqual(["hat"]);
  });

  it("refuse another input of a client", async () => {
    const { parents, children } = await launched();
    door.open();
    const id = callId("order 7", Date.now());
    await parents.invoke({ call, item: "hat", id });
    await expect(children.initiate("shoe", { id })).rejects.toMatchObject({ code: "ID_REUSED" });
    expect(ran).toEqual(["hat"]);
  });

  it("are refused to a node under the id of another call", async () => {
    const { parents, children } = await launched();
    door.open();
    const id = callId("order 7", Date.now());
    expect(await children.invoke("hat", { id })).toBe("hat 1");
    expect(await parents.invoke({ call, item: "shoe", id })).toBe("ID_REUSED");
    expect(await parents.invoke({ call, item: "hat", id })).toBe("hat 1");
    expect(ran).toEqual(["hat"]);
  });

  it("are not begun once more when the id is too old to be known", async () => {
    const { parents } = await launched();
    door.open();
    const id = callId("order 7", Date.now() - 25 * 60 * 60_000);
    expect(await parents.invoke({ call, item: "hat", id })).toBe("ID_EXPIRED");
    expect(ran).toEqual([]);
  });

  it("are still what a node goes on with when only the call is forgotten", async () => {
    const { parents, children } = await launched({ tasks: 1, ids: { recordsMax: 1 } });
    door.open();
    const id = callId("order 7", Date.now() - 1_000);
    expect(await parents.invoke({ call, item: "hat", id })).toBe("hat 1");
    for (const name of ["8", "9", "10"]) {
      await children.invoke("shoe", { id: callId(`order ${name}`, Date.now()) });
    }
    const expired = children.invoke("hat", { id });
    await expect(expired).rejects.toMatchObject({ code: "ID_EXPIRED" });
    expect(await parents.invoke({ call, item: "hat", id })).toBe("hat 1");
    expect(ran.filter((item) => item === "hat")).toHaveLength(1);
  });
});

describe("children under an id of their own — under crashes", () => {
  /** Returns whether there was something to cut off. */
  async function cutOff(call: Order["call"], seed: number, cutAfter: number): Promise<boolean> {
    const harness = new ProgramHarness({ agents: { parent, child }, tasks: 2, seed });
    const client = clientsOf(harness).agent(parent);
    const order = { call, item: "hat", id: callId("order 7", harness.clock.nowMs) };
    const begun = Promise.all([client.initiate(order), client.initiate(order)]);
    const parents = await harness.until(begun);
    let steps = 0;
    while (steps < cutAfter && (await harness.stepNow())) steps += 1;
    for (let task = 0; task < 2; task += 1) harness.crash(task);
    const again = clientsOf(harness).agent(parent);
    const results = parents.map(({ id }) => again.get(id).result());
    const [first, second] = await harness.until(Promise.all(results));
    expect(first, `cut after ${cutAfter}`).toMatch(/^hat /);
    expect(second).toBe(first);
    expect(harness.rowCount(invocationTable)).toBe(3);
    await harness.run();
    // Waits, and what was recorded of them, are gone.
    expect(harness.rowCount(waitTable)).toBe(0);
    expect(harness.rowCount(systemTable.operations)).toBe(0);
    return steps === cutAfter;
  }

  it.each(calls)("are begun once with %s, wherever their parents are cut off", async (call) => {
    door = latch();
    door.open();
    let cuts = 0;
    for (let seed = 1; seed <= 4; seed += 1) {
      for (let cutAfter = 0; await cutOff(call, seed, cutAfter); cutAfter += 1) cuts += 1;
    }
    // Each message, and what comes before and behind it.
    expect(cuts).toBeGreaterThan(40);
  });

  it("of an agent that is gone are refused, whoever begins them", async () => {
    const harness = new ProgramHarness({ agents: { child }, tasks: 1 });
    const invocationId = new Uint8Array(16);
    const begun = { kind: "begin", agent: "gone", invocationId, key: undefined } as const;
    const call = new Uint8Array(16);
    for (const given of [undefined, call]) {
      const empty = { carried: noBytes, input: noBytes, caller: undefined };
      const sent: Uint8Array[] = [];
      const batch = new HarnessBatch(harness.rows(0), 1_000);
      const turns = new HarnessTurns(1, batch, () => {});
      const turn: Turn = {
        ...turns.turn({ kind: "task", task: 1 }),
        send: (_, bytes) => void sent.push(bytes),
      };
      const caller = { task: 0, arrivalNo: 1, index: 2, until: "result" } as const;
      const message = encodeQuestion({ ...begun, ...empty, caller, call: given });
      harness.program(0).apply(turn, message);
      const [told] = sent.map(decodeAgentMessage);
      const reply = told?.kind === "outcome" ? decodeStep(told.bytes) : undefined;
      const error = reply?.kind === "refused" ? refusalOf(reply.error) : undefined;
      expect(error).toMatchObject({ code: "AGENT_UNKNOWN" });
    }
  });

  it("are refused to nobody when home meets damaged data: its process ends", () => {
    const harness = new ProgramHarness({ agents: { child }, tasks: 1 });
    const batch = new HarnessBatch(harness.rows(0), 1_000);
    const sent: Uint8Array[] = [];
    const turn: Turn = {
      ...new HarnessTurns(1, batch, () => {}).turn({ kind: "task", task: 1 }),
      send: (_, bytes) => void sent.push(bytes),
      once: () => {
        throw new PartitaError("STORE_CORRUPT", { taskId: 0, reason: "a checksum is wrong" });
      },
    };
    const [invocationId, call] = [new Uint8Array(16), new Uint8Array(16)];
    const caller = { task: 0, arrivalNo: 1, index: 2, until: "result" } as const;
    const given = { carried: noBytes, key: undefined, input: noBytes, caller, call };
    const message = encodeQuestion({ kind: "begin", agent: "child", invocationId, ...given });
    const code = "STORE_CORRUPT";
    expect(() => harness.program(0).apply(turn, message)).toThrow(
      expect.objectContaining({ code }),
    );
    expect(sent).toEqual([]);
  });
});

describe("children without an id of their own", () => {
  it("have ids that no client can give to a call", async () => {
    const { children } = await launched();
    door.open();
    const { id } = await children.initiate("hat");
    await expect(children.initiate("hat", { id })).rejects.toMatchObject({ code: "ID_INVALID" });
  });
});
