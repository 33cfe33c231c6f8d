// A bug here would look like this: a message that nobody can take when it arrives, and a task that
// dies of it again at every start.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentProgram } from "../../../agents/execution.js";
import { messageBounds } from "../../../agents/wire/message-bounds.js";
import { node } from "../../../agents/declare/node.js";
import { limits } from "../../../base/limits.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { oneNode } from "./fixtures.js";

const rowBytesMax = 256 * 1024;
const { messageBytesMax, resultBytesMax } = messageBounds(rowBytesMax);
/** A text of so many encoded bytes, five of which say that it is one. */
const text = (bytes: number): string => "x".repeat(bytes - 5);

/** Passes a text of the given size on, then gives one of another size as the result. */
function sizedHarness() {
  const sized = agent({
    entry: "a",
    result: type<string>(),
    nodes: {
      a: node({ input: type<[string, number, number]>(), to: ["b"] }),
      b: node({ input: type<string>(), key: (message) => message.length }),
    },
  }).implement({
    a(ctx, [, emitted, given]) {
      if (given === 0) ctx.emit("b", text(emitted));
      else ctx.result(text(given));
    },
    b: (ctx, message) => ctx.result(String(message.length)),
  });
  const program = agentProgram({ rowBytesMax });
  const harness = new ProgramHarness({ agents: { sized }, program, rowBytesMax });
  return { harness, client: clientsOf(harness).agent(sized) };
}

describe("message bounds", () => {
  it("are those of the limits where rows may be large", () => {
    const bounds = messageBounds(1024 * 1024 * 1024);
    expect(bounds.messageBytesMax).toBe(limits.messageBytesMax);
    expect(bounds.resultBytesMax).toBe(limits.messageBytesMax);
  });

  it("leave room for everything else in the row", async () => {
    const { harness, client } = sizedHarness();
    const emitted = await harness.until(client.invoke(["", messageBytesMax - 8, 0]));
    expect(Number(emitted)).toBe(messageBytesMax - 13);
    const given = await harness.until(client.invoke(["", 0, resultBytesMax]));
    expect(given.length).toBe(resultBytesMax - 5);
  });

  it.each([
    ["an emit", 2 * messageBytesMax, 0],
    ["a result", 0, resultBytesMax + 1],
  ])("refuse %s that does not fit, in the node that gives it", async (_what, emitted, given) => {
    const { harness, client } = sizedHarness();
    await expect(harness.until(client.invoke(["", emitted, given]))).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
      cause: { code: "MESSAGE_TOO_LARGE" },
    });
  });

  it("refuse an input that does not fit, before anything is written", async () => {
    const { harness, client } = sizedHarness();
    const call = client.invoke([text(messageBytesMax), 1, 1]);
    await expect(harness.until(call)).rejects.toMatchObject({
      code: "MESSAGE_TOO_LARGE",
      details: { where: 'input of agent "sized"', messageBytesMax },
    });
    expect(harness.rowCount(8)).toBe(0);
  });
});

describe("message bounds — an input that a row refuses after all", () => {
  it("is taken back as a whole, on disk and in memory", async () => {
    const { harness, client } = oneNode((ctx) => ctx.result("done"), {
      rowBytesMax: 1_000,
      tasks: 1,
    });
    for (let life = 0; life < 3; life += 1) {
      const call = client.invoke("x".repeat(1_000));
      await expect(harness.until(call)).rejects.toMatchObject({ code: "VALUE_TOO_LARGE" });
      expect(await harness.until(client.invoke("x"))).toBe("done");
      harness.crash(0);
    }
    expect(harness.rowCount(8)).toBe(3);
  });
});
