// Measuring — a load that counts what it did not do, or that lets more run than it says, would make
// every ratio wrong.

import { describe, expect, it } from "vitest";
import { CheckFailed, during, duringSync, inFlight, verify } from "../../../bench/measure.js";

const { signal } = new AbortController();

describe("measure — a load for a time", () => {
  it("counts the calls that were answered, and numbers them from 0", async () => {
    const indexes: number[] = [];
    const { count, perSecond } = await during({ ms: 300, inFlight: 1, signal }, async (index) => {
      indexes.push(index);
      await nextTurn();
    });
    expect(count).toBeGreaterThan(0);
    expect(indexes).toEqual(Array.from({ length: count }, (_, index) => index));
    expect(perSecond).toBeGreaterThan(0);
    expect(perSecond).toBeLessThanOrEqual(count / 0.3);
  });

  it("has never more in flight than asked for, and that many", async () => {
    let open = 0;
    let most = 0;
    let answered = 0;
    const { count } = await during({ ms: 300, inFlight: 100, signal }, async () => {
      open += 1;
      most = Math.max(most, open);
      await nextTurn();
      open -= 1;
      answered += 1;
    });
    expect([most, open, answered]).toEqual([100, 0, count]);
  });

  it("ends at once when it is interrupted", async () => {
    const abort = new AbortController();
    const load = during({ ms: 60_000, inFlight: 3, signal: abort.signal }, async (index) => {
      if (index === 100) abort.abort(new Error("interrupted"));
      await nextTurn();
    });
    await expect(load).rejects.toThrow("interrupted");
  });

  it("ends with the first error of a call, when no other is in flight any more", async () => {
    let open = 0;
    let calls = 0;
    const call = async (index: number) => {
      open += 1;
      calls += 1;
      await nextTurn();
      if (index !== 50) await nextTurn();
      open -= 1;
      if (index >= 50) throw new Error(`refused ${index}`);
    };
    await expect(during({ ms: 60_000, inFlight: 9, signal }, call)).rejects.toThrow("refused 50");
    expect(open).toBe(0);
    expect(calls).toBeLessThan(70);
    await expect(inFlight(1_000, 9, call)).rejects.toThrow("refused 50");
    expect(open).toBe(0);
    expect(calls).toBeLessThan(140);
  });

  it("counts calls that are done when they return", () => {
    let calls = 0;
    const { count } = duringSync(100, () => {
      calls += 1;
    });
    expect(count).toBeGreaterThan(0);
    expect(count).toBe(calls);
  });
});

describe("measure — a number of calls", () => {
  it("makes each of them once", async () => {
    const indexes: number[] = [];
    await inFlight(1_000, 64, async (index) => {
      await nextTurn();
      indexes.push(index);
    });
    expect(indexes.sort((a, b) => a - b)).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
  });
});

describe("measure — wrong work", () => {
  it("has no figure", () => {
    expect(() => verify("sum", 3, 4)).toThrow(new CheckFailed("sum: found 3, expected 4"));
    expect(() => verify("sum", 5, 4)).toThrow(CheckFailed);
    expect(() => verify("sum", 4, 4)).not.toThrow();
  });
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
