// Errors — what is thrown on a task's thread reaches the caller whole: code, details, causes, and a
// stack that names his own line. And it changes nothing.

import { describe, expect, it } from "vitest";
import { launch, PartitaError } from "../../dist/index.js";
import refusals from "../../dist/tests/topologies/refusals.js";
import { refusal } from "../support/outcomes.js";
import { tempDirectory } from "../support/temp-directory.js";

function launchRefusals() {
  return launch(refusals, { directory: tempDirectory(), tasks: 2, threads: 2 });
}

describe("errors — updates that throw on another thread", () => {
  it("arrive as UPDATE_THREW with the cause, its causes, and the caller's line", async () => {
    await using runtime = await launchRefusals();
    const balances = runtime.store("balances");
    await balances.put("ada", 30);
    const error = await refusal(balances.update("withdraw", "ada", 50), "UPDATE_THREW");

    expect(error).toBeInstanceOf(PartitaError);
    expect(error.details).toEqual({ store: "balances", update: "withdraw" });
    expect(error.message).toContain('update "withdraw" of store "balances" threw');
    expect(error.stack).toContain("errors.thread.test.ts");
    expect(error.cause).toMatchObject({
      name: "OverdrawnError",
      message: "20 are missing",
      stack: expect.stringContaining("refusals"),
      cause: { name: "TypeError", message: "the amount was not checked" },
    });
    expect(await balances.get("ada")).toBe(30);
  });

  it("say what was thrown when it was no error", async () => {
    await using runtime = await launchRefusals();
    const thrown = runtime.store("balances").update("throwText", "ada");
    const { cause } = await refusal(thrown, "UPDATE_THREW");

    expect(String(cause)).toContain("only a text");
  });

  it("take back what was changed in place, and let others of the batch through", async () => {
    await using runtime = await launchRefusals();
    const lists = runtime.store("lists");
    const outcomes = await Promise.allSettled([
      lists.update("add", "list", "one"),
      lists.update("spoil", "list"),
      lists.update("add", "list", "two"),
      lists.update("spoil", "list"),
    ]);

    expect(outcomes.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
    ]);
    expect(await lists.get("list")).toEqual(["one", "two"]);
  });

  it.each([
    ["a lone surrogate", '"\\ud800"', 1],
    ["a text that is too large", '"x"', 9_000_000],
  ])("refuse %s as a new value, and the task goes on", async (_what, json, times) => {
    await using runtime = await launchRefusals();
    const balances = runtime.store("balances");
    await balances.put("ada", 30);
    const stored = balances.update("storeText", "ada", json, times);
    const outcome = await stored.catch((error: unknown) => error);

    expect(outcome).toMatchObject({ code: expect.stringMatching(/^VALUE_/) });
    expect(await balances.update("withdraw", "ada", 10)).toBe(20);
  });

  it("refuse a function as a new value, and the task goes on", async () => {
    await using runtime = await launchRefusals();
    const balances = runtime.store("balances");
    await balances.put("ada", 30);

    await refusal(balances.update("storeFunction", "ada"), "VALUE_UNSUPPORTED");
    expect(await balances.update("withdraw", "ada", 10)).toBe(20);
  });
});

describe("errors — nodes that throw on another thread", () => {
  it("arrive as INVOCATION_FAILED with every failure, and the last one as the cause", async () => {
    await using runtime = await launchRefusals();
    const failed = runtime.agent("withdrawer").invoke("nobody");
    const error = await refusal(failed, "INVOCATION_FAILED");

    expect(error.details).toMatchObject({
      agent: "withdrawer",
      invocationId: expect.stringMatching(/^\w{8}-\w{12}-\w{12}$/),
      failures: [0, 1, 2].map((attempt) => ({
        node: "withdraw",
        attempt,
        message: expect.stringContaining('update "withdraw" of store "balances" threw'),
        stack: expect.stringContaining("refusals"),
      })),
    });
    expect(error.stack).toContain("errors.thread.test.ts");
    expect(error.cause).toMatchObject({
      code: "UPDATE_THREW",
      details: { store: "balances", update: "withdraw" },
      cause: { name: "OverdrawnError", message: "50 are missing", cause: { name: "TypeError" } },
    });
  });

  it("are the same for everyone who asks, and after the next launch", async () => {
    const directory = tempDirectory();
    const first = await launch(refusals, { directory, tasks: 2, threads: 2 });
    const { id } = await first.agent("withdrawer").initiate("nobody");
    const before = await refusal(first.agent("withdrawer").get(id).result(), "INVOCATION_FAILED");
    await first.close();
    await using second = await launch(refusals, { directory, threads: 1 });
    const after = await refusal(second.agent("withdrawer").get(id).result(), "INVOCATION_FAILED");

    expect(after.details).toEqual(before.details);
    expect(after.message).toBe(before.message);
    expect(after.cause).toMatchObject({ code: "UPDATE_THREW", cause: { name: "OverdrawnError" } });
  });
});
