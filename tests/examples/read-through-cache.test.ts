// What goes wrong here would look like a value that is computed twice, or a failure that is cached.

import { describe, expect, it } from "vitest";
import { limitMax } from "../../examples/read-through-cache/primes.js";
import topology from "../../examples/read-through-cache/topology.js";
import { launch } from "../../index.js";
import { tempDirectory } from "../support/temp-directory.js";

const options = { tasks: 4, threads: 0 };

describe("read-through cache — concurrent misses", () => {
  it("computes each key once, however many ask for it at once", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const lookup = runtime.agent("lookup");
    const primesUpTo = new Map([
      [10, 4],
      [100, 25],
      [1_000, 168],
      [10_000, 1_229],
    ]);
    const limits = Array.from({ length: 50 }, () => [...primesUpTo.keys()]).flat();
    const answers = await Promise.all(limits.map((limit) => lookup.invoke({ limit })));

    expect(answers.map((answer) => answer.primes)).toEqual(
      limits.map((limit) => primesUpTo.get(limit)),
    );
    expect(answers.filter((answer) => !answer.cached)).toHaveLength(primesUpTo.size);
  });
});

describe("read-through cache — what stays", () => {
  it("answers from the cache after a restart", async () => {
    const directory = tempDirectory();
    {
      await using runtime = await launch(topology, { directory, ...options });
      const answer = await runtime.agent("lookup").invoke({ limit: 100 });
      expect(answer).toEqual({ primes: 25, cached: false });
    }
    await using runtime = await launch(topology, { directory, ...options });

    expect(await runtime.agent("lookup").invoke({ limit: 100 })).toEqual({
      primes: 25,
      cached: true,
    });
  });

  it("caches nothing when the computation fails, and goes on with other keys", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const lookup = runtime.agent("lookup");
    const limit = limitMax + 1;

    await expect(lookup.invoke({ limit })).rejects.toThrow(`${limit} is above ${limitMax}`);
    expect(await runtime.store("cache").contains(limit)).toBe(false);
    expect(await lookup.invoke({ limit: 10 })).toEqual({ primes: 4, cached: false });
  });
});
