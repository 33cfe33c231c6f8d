// Compute — functions in threads of their own: they delay nobody, can be stopped, and fail with a
// cause.

import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { launch } from "../../dist/index.js";
import calculations from "../../dist/tests/topologies/calculations.js";
import { refusal } from "../support/outcomes.js";
import { tempDirectory } from "../support/temp-directory.js";

function launchCalculations(directory: string, computeThreads: number) {
  return launch(calculations, { directory, tasks: 2, threads: 1, computeThreads });
}

describe("compute — beside the task threads", () => {
  it("delays no update and no node while its functions are busy", async () => {
    const directory = tempDirectory();
    await using runtime = await launchCalculations(directory, 2);
    const file = join(directory, "go.txt");
    const called = runtime.compute("busyUntil", [file]);
    const calculator = runtime.agent("calculator");
    const inNode = calculator.invoke({ key: "a", what: "busy", file });
    const counters = runtime.store("counters");
    for (let i = 1; i <= 100; i += 1) expect(await counters.update("add", "a", 1)).toBe(i);
    // Only now may they end: both were under way all the time, or they would have given up.
    writeFileSync(file, "");

    expect(await called).toBe("saw the file");
    expect(await inNode).toMatchObject({ outcome: "saw the file" });
  });

  it("runs on threads that are neither the launching one nor a task thread", async () => {
    await using runtime = await launchCalculations(tempDirectory(), 1);
    const calculator = runtime.agent("calculator");
    const { nodeThread, outcome } = await calculator.invoke({ key: "a", what: "where", file: "" });
    const called = await runtime.compute("where", []);

    expect(new Set([0, nodeThread, called]).size).toBe(3);
    expect(outcome).toBe(called);
    expect(await runtime.compute("add", [1, 2, 3])).toBe(6);
  });

  it("loads no database there: ending a call ends its thread, whatever it loads", async () => {
    await using runtime = await launchCalculations(tempDirectory(), 1);
    const isLmdb = (file: string): boolean => /[\\/]lmdb[\\/]/.test(file);
    expect(Object.keys(createRequire(import.meta.url).cache).filter(isLmdb)).not.toEqual([]);
    expect((await runtime.compute("required", [])).filter(isLmdb)).toEqual([]);
  });
});

describe("compute — calls that are ended", () => {
  it.each(["forever", "never"] as const)("ends %s when its time is over", async (name) => {
    await using runtime = await launchCalculations(tempDirectory(), 1);
    const late = await refusal(runtime.compute(name, [], { timeoutMs: 50 }), "COMPUTE_TIMEOUT");

    expect(late.details).toEqual({ compute: name, timeoutMs: 50 });
    expect(late.stack).toContain("compute.thread.test.ts");
    // The only thread of the pool was really set free.
    expect(await runtime.compute("add", [1, 2])).toBe(3);
  });

  it.each(["forever", "never"] as const)("ends %s when its signal aborts", async (name) => {
    await using runtime = await launchCalculations(tempDirectory(), 1);
    const controller = new AbortController();
    const reason = new Error("no longer needed");
    const call = runtime.compute(name, [], { signal: controller.signal });
    const outcome = call.catch((error: unknown) => error);
    const next = runtime.compute("add", [1, 2]);
    controller.abort(reason);

    expect(await outcome).toBe(reason);
    expect(await next).toBe(3);
    const again = runtime.compute("add", [1], { signal: controller.signal });
    await expect(again).rejects.toBe(reason);
  });

  it("is waited for by close", async () => {
    const directory = tempDirectory();
    const runtime = await launchCalculations(directory, 1);
    const file = join(directory, "go.txt");
    const call = runtime.compute("busyUntil", [file]);
    const closing = runtime.close();
    writeFileSync(file, "");

    expect(await call).toBe("saw the file");
    await closing;
  });

  it("is refused with CLOSED when close has waited long enough", async () => {
    const directory = tempDirectory();
    const runtime = await launch(calculations, { directory, threads: 1, closeTimeoutMs: 50 });
    const call = async () => await runtime.compute("forever", []);
    const refused = refusal(call(), "CLOSED");
    await runtime.close();

    expect((await refused).stack).toContain("compute.thread.test.ts");
  });
});

describe("compute — functions that fail", () => {
  it("keeps what was thrown as the cause, from callers and from nodes", async () => {
    await using runtime = await launchCalculations(tempDirectory(), 1);
    const called = await refusal(runtime.compute("fail", ["bad input"]), "COMPUTE_FAILED");
    const calculator = runtime.agent("calculator");
    const invoked = await refusal(
      calculator.invoke({ key: "a", what: "fail", file: "" }),
      "INVOCATION_FAILED",
    );

    expect(called.details).toEqual({ compute: "fail", reason: "bad input" });
    expect(called.stack).toContain("compute.thread.test.ts");
    expect(called.cause).toMatchObject({
      name: "RangeError",
      message: "bad input",
      stack: expect.stringContaining("calculations"),
      cause: { name: "TypeError", message: "deep down" },
    });
    expect(invoked.cause).toMatchObject({
      code: "COMPUTE_FAILED",
      details: { compute: "fail", reason: "failed in a node" },
      cause: { name: "RangeError", message: "failed in a node", cause: { name: "TypeError" } },
    });
  });

  it("goes on after a function has ended its thread", async () => {
    await using runtime = await launchCalculations(tempDirectory(), 1);
    const { details } = await refusal(runtime.compute("exit", [3]), "COMPUTE_FAILED");

    expect(details).toMatchObject({ compute: "exit" });
    expect(await runtime.compute("add", [1, 2])).toBe(3);
  });

  it("refuses a function that is not declared, naming those that are", async () => {
    await using runtime = await launchCalculations(tempDirectory(), 1);
    // @ts-expect-error: no function has this name
    const { details } = await refusal(runtime.compute("nobody", []), "COMPUTE_UNKNOWN");

    expect(details).toMatchObject({ compute: "nobody" });
    expect(details).toHaveProperty("known", expect.arrayContaining(["add", "fail", "where"]));
  });

  it("refuses arguments that cannot be carried", async () => {
    await using runtime = await launchCalculations(tempDirectory(), 1);
    // @ts-expect-error: a function is no number
    const refused = await refusal(runtime.compute("add", [1, () => 2]), "VALUE_UNSUPPORTED");

    expect(refused.details).toMatchObject({ path: "$[1]" });
  });
});
