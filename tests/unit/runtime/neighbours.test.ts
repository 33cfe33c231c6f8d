// A bug here would look like this: a request that goes to a topology that is closed, one that waits
// for ever, or an answer that comes to the wrong caller.

import { MessageChannel } from "node:worker_threads";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { PartitaError } from "../../../base/errors.js";
import { neighboursAt, serveNeighbours } from "../../../runtime/neighbour-link.js";
import { type NeighbourHandler, Neighbours } from "../../../runtime/neighbours.js";
import { ManualSystem } from "../../support/manual-system.js";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const textOf = (answer: Uint8Array): string => Buffer.from(answer).toString();
const echo =
  (of: string): NeighbourHandler =>
  async (request) =>
    bytes(`${of}: ${textOf(request)}`);

describe("neighbours — of one process", () => {
  it("a request goes to the topology of that name, until it leaves", async () => {
    const system = new ManualSystem();
    const all = new Neighbours();
    const call = all.callOf(system);
    const leave = all.enter("bank", echo("bank"));
    all.enter("math", echo("math"));
    expect(textOf(await call("bank", bytes("a")))).toBe("bank: a");
    leave();
    const refused = expect(call("bank", bytes("a"))).rejects.toMatchObject({
      code: "NEIGHBOUR_UNAVAILABLE",
      message: 'topology "bank": it is not launched in this process; launched: "math"',
    });
    system.advance(10_000);
    await refused;
  });

  it("a request that comes before the launch waits for it", async () => {
    const all = new Neighbours();
    const system = new ManualSystem();
    const early = all.callOf(system)("bank", bytes("early"));
    all.enter("math", echo("math"));
    system.advance(9_999);
    all.enter("bank", echo("bank"));
    expect(textOf(await early)).toBe("bank: early");
  });

  it("refuses a name under which two are launched, also who waits for it", async () => {
    const all = new Neighbours();
    const call = all.callOf(new ManualSystem());
    const leave = all.enter("bank", echo("one"));
    all.enter("bank", echo("other"));
    await expect(call("bank", bytes("a"))).rejects.toMatchObject({
      details: { reason: "it is launched more than once", launched: ["bank"] },
    });
    leave();
    expect(textOf(await call("bank", bytes("a")))).toBe("other: a");
  });

  it("does not wait any longer when the signal aborts", async () => {
    const call = new Neighbours().callOf(new ManualSystem());
    const reason = new Error("enough");
    await expect(call("bank", bytes("a"), AbortSignal.abort(reason))).rejects.toBe(reason);
    const abort = new AbortController();
    const waiting = expect(call("bank", bytes("a"), abort.signal)).rejects.toBe(reason);
    abort.abort(reason);
    await waiting;
  });
});

describe("neighbours — over a port", () => {
  function linked(handler: NeighbourHandler) {
    const { port1, port2 } = new MessageChannel();
    serveNeighbours(port1, (_topology, request, signal) => handler(request, signal));
    return { call: neighboursAt(port2), close: () => port2.close() };
  }

  it("each caller gets its own answer, whatever order they come in", async () => {
    const answers: (() => void)[] = [];
    const { call, close } = linked(
      (request) => new Promise((resolve) => answers.push(() => resolve(request))),
    );
    const calls = ["a", "b", "c"].map((text) => call("bank", bytes(text)));
    while (answers.length < 3) await nextTurn();
    for (const answer of answers.reverse()) answer();
    expect((await Promise.all(calls)).map(textOf)).toEqual(["a", "b", "c"]);
    close();
  });

  it("sends a part of a larger buffer alone, and errors with their code and details", async () => {
    const sizes: number[] = [];
    const { call, close } = linked(async (request) => {
      sizes.push(request.buffer.byteLength);
      throw new PartitaError("STORE_UNKNOWN", { store: "x", known: ["y"] });
    });
    const part = new Uint8Array(1_000_000).subarray(10, 14);
    await expect(call("bank", part)).rejects.toMatchObject({
      code: "STORE_UNKNOWN",
      details: { store: "x", known: ["y"] },
    });
    expect(sizes).toEqual([4]);
    close();
  });

  it("aborting ends the waiting on both sides; so does closing the port", async () => {
    let aborted = 0;
    const began: (() => void)[] = [];
    const { call, close } = linked(
      (_request, signal) =>
        new Promise(() => {
          began.push(() => {});
          signal?.addEventListener("abort", () => {
            aborted += 1;
          });
        }),
    );
    const abort = new AbortController();
    const refused = expect(call("bank", bytes("a"), abort.signal)).rejects.toThrow("enough");
    void call("bank", bytes("b"));
    while (began.length < 2) await nextTurn();
    abort.abort(new Error("enough"));
    await refused;
    while (aborted < 1) await nextTurn();
    close();
    while (aborted < 2) await nextTurn();
    expect(aborted).toBe(2);
  });
});
