// What goes wrong here would look like a recursion that never ends because all threads wait, or a
// number that is computed twice.

import { describe, expect, it } from "vitest";
import topology from "../../examples/fibonacci/topology.js";
import { launch } from "../../index.js";
import { simulate } from "../../testing/index.js";
import { tempDirectory } from "../support/temp-directory.js";

const options = { tasks: 4, threads: 0 };

function fibonacci(n: number): bigint {
  let [one, other] = [0n, 1n];
  for (let i = 0; i < n; i += 1) [one, other] = [other, one + other];
  return one;
}

describe("fibonacci — an agent that calls itself", () => {
  it("calls itself as often as the definition does, on one thread", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const numbers = [0, 1, 2, 3, 10, 12];
    const results = await Promise.all(numbers.map((n) => runtime.agent("fib").invoke(n)));

    expect(results).toEqual(numbers.map(fibonacci));
    // fib(n) takes 2 fib(n + 1) - 1 invocations.
    const calls = numbers.reduce((sum, n) => sum + 2 * Number(fibonacci(n + 1)) - 1, 0);
    expect(await runtime.store("runs").get("fib")).toBe(calls);
  });
});

describe("fibonacci — with memory", () => {
  it("computes each number once, however many ask at once", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const memo = runtime.agent("memo");
    const numbers = [30, 60, 29, 60, 59, 1, 0, 60];

    expect(await Promise.all(numbers.map((n) => memo.invoke(n)))).toEqual(numbers.map(fibonacci));
    expect(await runtime.store("runs").get("memo")).toBe(61);
  });

  it("knows after a restart what it knew before", async () => {
    const directory = tempDirectory();
    {
      await using runtime = await launch(topology, { directory, ...options });
      expect(await runtime.agent("memo").invoke(40)).toBe(fibonacci(40));
    }
    await using runtime = await launch(topology, { directory, ...options });

    expect(await runtime.agent("memo").invoke(50)).toBe(fibonacci(50));
    expect(await runtime.store("runs").get("memo")).toBe(51);
  });
});

describe("fibonacci — over crashes", () => {
  it("gives the same number, whatever dies between caller and callee", async () => {
    let crashes = 0;
    for (let seed = 1; seed <= 16; seed += 1) {
      const faults = { processCrash: 0.001, threadCrash: 0.002 };
      await using runtime = await simulate(topology, { seed, tasks: 2, faults });
      const ids = { fib: runtime.newId(), memo: runtime.newId() };
      const under = Promise.allSettled([
        runtime.agent("fib").invoke(6, { id: ids.fib }),
        runtime.agent("memo").invoke(12, { id: ids.memo }),
      ]);
      await under;
      await runtime.heal();
      const fib = await runtime.agent("fib").invoke(6, { id: ids.fib });
      const memo = await runtime.agent("memo").invoke(12, { id: ids.memo });

      expect([seed, fib, memo]).toEqual([seed, fibonacci(6), fibonacci(12)]);
      crashes += runtime.crashes;
    }
    // Without crashes this test would not show much.
    expect(crashes).toBeGreaterThan(4);
  });
});
