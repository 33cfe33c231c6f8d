// What a node function returns counts only as far as it can be awaited. Bugs here would look like a
// promise that nobody waits for, or a value whose making ends the process.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";

/** Computed where it stands: no object here is to look like a promise by accident. */
const then = "then";

/** One node, which gives the result `1` and returns what `made` makes of its context. */
function returning(made: (result: (value: number) => void) => unknown) {
  const declared = agent({
    entry: "a",
    result: type<number>(),
    maxRetries: 0,
    nodes: { a: node({ input: type<null>() }) },
  }).implement({
    // cast: a JavaScript function may return anything.
    a: (ctx) => made((value) => ctx.result(value)) as undefined,
  });
  const harness = new ProgramHarness({ agents: { declared } });
  return harness.until(clientsOf(harness).agent(declared).invoke(null));
}

describe("what a node function returns", () => {
  it("is awaited when it has `then`, be it a function itself", async () => {
    const later = (result: (value: number) => void) =>
      Object.assign(() => {}, {
        [then]: (resolve: () => void) => {
          result(1);
          resolve();
        },
      });
    expect(await returning(later)).toBe(1);
  });

  it("is no more than ignored when it cannot be awaited", async () => {
    for (const value of [7, "text", null, { [then]: 1 }, () => {}]) {
      const made = (result: (value: number) => void): unknown => {
        result(1);
        return value;
      };
      expect(await returning(made)).toBe(1);
    }
  });

  it("fails the node when it cannot even be asked, and nothing else", async () => {
    const hostile = {
      get [then](): never {
        throw new Error("do not look");
      },
    };
    await expect(returning(() => hostile)).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
      cause: { message: "do not look" },
    });
  });
});
