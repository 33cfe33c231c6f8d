// Compute functions on the thread that calls them. The pool itself needs compiled files: what ends
// its threads is tested with them. Bugs here would look like arguments that are shared instead of
// carried.
import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { inlineCompute } from "../../../runtime/compute.js";
import { realSystem } from "../../../runtime/system.js";
import { topology } from "../../../runtime/topology.js";

const declared = topology("computes", import.meta.url, {
  compute: {
    add: (a: number, b: number) => a + b,
    change: (list: number[]) => {
      list.push(4);
      return list;
    },
    nothing: () => undefined,
    args: (...args: unknown[]) => args.length,
    fail: async () => {
      throw new RangeError("no");
    },
    hang: () => new Promise(() => {}),
    spin: (ms: number) => {
      const untilMs = performance.now() + ms;
      while (performance.now() < untilMs);
      return "late";
    },
    bad: () => () => 1,
  },
});
const compute = inlineCompute(declared, realSystem);

describe("compute — inline", () => {
  it("carries arguments and results by value", async () => {
    const list = [1, 2, 3];
    expect(await compute("add", [1, 2])).toBe(3);
    expect(await compute("change", [list])).toEqual([1, 2, 3, 4]);
    expect(list).toEqual([1, 2, 3]);
    expect(await compute("nothing", [])).toBe(undefined);
    expect(await compute("args", [undefined, undefined])).toBe(2);
  });

  it("leaves no listener on a signal that outlives the call", async () => {
    const { signal } = new AbortController();
    expect(await compute("add", [1, 2], { signal })).toBe(3);
    await expect(compute("fail", [], { signal })).rejects.toThrow("no");
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("says what a function threw", async () => {
    await expect(compute("fail", [])).rejects.toMatchObject({
      code: "COMPUTE_FAILED",
      details: { compute: "fail", reason: "no" },
      cause: { name: "RangeError" },
    });
  });

  it("refuses what a synchronous function gave too late, or after an abort", async () => {
    const late = compute("spin", [30], { timeoutMs: 10 });
    await expect(late).rejects.toMatchObject({ code: "COMPUTE_TIMEOUT" });
    const abort = new AbortController();
    const aborted = compute("spin", [1], { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
  });

  it("refuses functions that are not declared, names of Object's among them", async () => {
    for (const name of ["multiply", "toString", "constructor", "__proto__"]) {
      await expect(compute(name, [])).rejects.toMatchObject({ code: "COMPUTE_UNKNOWN" });
    }
    const named = compute("multiply", []);
    await expect(named).rejects.toMatchObject({
      details: { known: expect.arrayContaining(["add"]) },
    });
  });

  it("refuses arguments and results that cannot be carried", async () => {
    await expect(compute("add", [() => 1])).rejects.toMatchObject({ code: "VALUE_UNSUPPORTED" });
    await expect(compute("bad", [])).rejects.toMatchObject({ code: "VALUE_UNSUPPORTED" });
  });

  it("refuses options that make no sense", async () => {
    for (const timeoutMs of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
      await expect(compute("add", [1, 2], { timeoutMs })).rejects.toMatchObject({
        code: "OPTION_INVALID",
        details: { where: "compute", option: "timeoutMs" },
      });
    }
    const misspelt: object = { timeout: 5 };
    await expect(compute("add", [1, 2], misspelt)).rejects.toMatchObject({
      code: "OPTION_UNKNOWN",
    });
  });

  it("stops waiting when its time is over, or its signal says so", async () => {
    await expect(compute("hang", [], { timeoutMs: 5 })).rejects.toMatchObject({
      code: "COMPUTE_TIMEOUT",
      details: { compute: "hang", timeoutMs: 5 },
    });
    const reason = new Error("enough");
    const controller = new AbortController();
    const aborted = compute("hang", [], { signal: controller.signal });
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    const before = compute("add", [1, 2], { signal: AbortSignal.abort(reason) });
    await expect(before).rejects.toBe(reason);
  });
});
