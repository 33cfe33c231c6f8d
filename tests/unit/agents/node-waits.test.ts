// What one run of a node hears of its waits. A bug here would look like an attempt that goes on
// with what an earlier one was told at the same place of its journal.
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { NodeWaits } from "../../../agents/node/node-waits.js";
import { noScope, rootNodeId } from "../../../agents/wire/invocation-id.js";
import { decodeAgentMessage, type RunMessage } from "../../../agents/wire/message.js";
import { encodeMessage } from "../../../agents/wire/wire-field.js";
import { OperationJournal } from "../../../runtime/operation-journal.js";
import type { TaskPort } from "../../../runtime/task-program.js";

const encoded = (value: unknown): Uint8Array => encodeMessage(value, "an answer");

/**
 * The waits of a run in that attempt; `digests` are those of the waits that it has requested.
 * `isKnown`: its task knows these by an earlier run, and answers as it did then.
 */
function waitsIn(attempt: number, isKnown = false) {
  const digests: number[] = [];
  const submitted: Uint8Array[] = [];
  const heard = (message: Uint8Array): void => {
    const wait = decodeAgentMessage(message);
    if (wait.kind === "wait") digests.push(wait.digest);
  };
  const port = {
    taskId: 0,
    now: () => 1_700_000_000_000,
    applied: async (_journal: unknown, _step: unknown, _name: unknown, message: Uint8Array) => {
      heard(message);
      if (!isKnown) waits.recorded(0);
    },
    get: () => undefined,
    submit: (message: Uint8Array) => submitted.push(message),
    goesOn: () => {},
    // cast: what waits ask of a port
  } as unknown as TaskPort;
  const invocationId = new Uint8Array(16);
  const run: RunMessage = {
    kind: "run",
    agent: "a",
    node: "n",
    invocationId,
    nodeInvocationId: rootNodeId(invocationId, 0),
    scope: noScope,
    attempt,
    carried: new Uint8Array(0),
    key: undefined,
    message: new Uint8Array(0),
  };
  const bounds = { messageBytesMax: 1_000, resultBytesMax: 1_000 };
  const journal = new OperationJournal(new Uint8Array(24));
  const parts = { run, arrivalNo: 7, port, journal, bounds, changed: () => {} };
  const waits: NodeWaits = new NodeWaits(parts);
  return { waits, digests, submitted };
}

/** The digest that a question has in an attempt. */
async function digestIn(attempt: number, isChecked = false): Promise<number> {
  const { waits, digests } = waitsIn(attempt);
  void waits.ask("?", isChecked ? z.string() : undefined);
  await turns();
  return digests[0] ?? Number.NaN;
}

async function turns(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function noted(promise: Promise<unknown>): unknown[] {
  const told: unknown[] = [];
  promise.then(
    (value) => told.push(value),
    (error: unknown) => told.push(error),
  );
  return told;
}

describe("node waits — an outcome at the place of another attempt's wait", () => {
  it("is not kept for the wait of this one, when it comes before that", async () => {
    const { waits } = waitsIn(1);
    waits.settle(0, await digestIn(0), encoded("of 0"));
    const told = noted(waits.ask("?", undefined));
    await turns();
    expect(told).toEqual([]);
    waits.settle(0, await digestIn(1), encoded("of 1"));
    await turns();
    expect(told).toEqual(["of 1"]);
  });

  it("does not end the wait of this one, when it comes behind that", async () => {
    const { waits } = waitsIn(1);
    const told = noted(waits.ask("?", undefined));
    await turns();
    waits.settle(0, await digestIn(0), encoded("of 0"));
    await turns();
    expect([told, waits.isResting]).toEqual([[], true]);
    waits.settle(0, await digestIn(1), encoded("of 1"));
    await turns();
    expect(told).toEqual(["of 1"]);
  });

  it("is kept for a run of the same attempt that has not come so far (N3)", async () => {
    const { waits } = waitsIn(1);
    waits.settle(0, await digestIn(1), encoded("of 1"));
    expect(await waits.ask("?", undefined)).toBe("of 1");
  });

  it("is not looked at either, where answers are looked at", async () => {
    const { waits, submitted } = waitsIn(1);
    void waits.ask("?", z.string());
    await turns();
    const place = { arrivalNo: 7, index: 0 };
    waits.offer(place, await digestIn(0, true), 0, encoded("of 0"));
    expect(submitted).toEqual([]);
    waits.offer(place, await digestIn(1, true), 0, encoded("of 1"));
    expect(submitted).toHaveLength(1);
  });
});

describe("node waits — a request that the task knows by an earlier run", () => {
  it("is made again, since nothing of that run waits any more (N5)", async () => {
    const { waits, digests, submitted } = waitsIn(0, true);
    const told = noted(waits.ask("?", undefined));
    await turns();
    expect(digests).toHaveLength(1);
    expect(submitted.map((message) => decodeAgentMessage(message))).toMatchObject([
      { kind: "wait", arrivalNo: 7, index: 0, digest: digests[0], wanted: { kind: "answer" } },
    ]);
    expect([told, waits.isResting]).toEqual([[], false]);
    waits.recorded(0);
    expect(waits.isResting).toBe(true);
    waits.settle(0, digests[0] ?? Number.NaN, encoded("at last"));
    await turns();
    expect(told).toEqual(["at last"]);
  });

  it("is made once where it is recorded", async () => {
    const { waits, submitted } = waitsIn(0);
    void waits.ask("?", undefined);
    await turns();
    expect([submitted, waits.isResting]).toEqual([[], true]);
  });
});
