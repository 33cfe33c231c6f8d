// The simulator's trial, at home: some seeds hold and replay, and the judge knows what is wrong
// when it sees it. Bugs here would look like a trial that cannot fail.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { MemoryStorage } from "../../../internal.js";
import { hashKey } from "../../../store/key-hash.js";
import { encodeMark, encodeNumbers, peerKey } from "../../../runtime/stream-rows.js";
import { systemTable } from "../../../runtime/system-table.js";
import { simMutants } from "../../../trials/sim/mutants.js";
import { runSeed } from "../../../trials/sim/seed.js";
import { brokenStreams } from "../../../trials/sim/streams.js";

describe("sim — seeds", () => {
  it("hold, and come out the same when they run again", async () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const first = await runSeed(seed);
      expect(first.violations).toEqual([]);
      expect(await runSeed(seed)).toEqual(first);
    }
  });

  it("leave nothing in memory: what a process of Partita held goes with it", async () => {
    setFlagsFromString("--expose_gc");
    const collect = runInNewContext("gc") as () => void; // cast: the flag makes it one
    const held = async (seeds: number): Promise<number> => {
      for (let seed = 100; seed < 100 + seeds; seed += 1) await runSeed(seed);
      for (let turn = 0; turn < 3; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        collect();
      }
      return process.memoryUsage().arrayBuffers;
    };
    // The first ones fill what is kept for all: pools, compiled code.
    const before = await held(20);
    const after = await held(60);
    // One seed has some 600 KB of buffers.
    expect(after - before).toBeLessThan(3_000_000);
  });

  it("tell what happens when somebody listens, and run no other way then", async () => {
    const lines: string[] = [];
    const told = await runSeed(7, (line) => lines.push(line));
    expect(told).toEqual(await runSeed(7));
    expect(lines[0]).toContain("seed 7: {");
    expect(lines.length).toBeGreaterThan(10);
  });
});

describe("sim — streams at rest", () => {
  interface Numbers {
    readonly next: number;
    readonly acknowledged: number;
  }

  /** Two tasks: what 0 has sent to 1, and what 1 has applied of it. */
  function tasks(numbers: Numbers | undefined, applied: number): readonly MemoryStorage[] {
    const source = MemoryStorage.create();
    const destination = MemoryStorage.create();
    const put = (storage: MemoryStorage, table: number, key: Uint8Array, value: Uint8Array) => {
      const version = storage.versionLast + 1;
      storage.append([{ table, key, keyHash: hashKey(key), version, value, fresh: true }]);
      storage.sync();
      storage.publish();
    };
    if (numbers !== undefined) {
      const value = encodeNumbers({ destination: 1, ...numbers, trimmed: 0 });
      put(source, systemTable.outboxMeta, peerKey(1, 1), value);
    }
    put(destination, systemTable.marks, peerKey(1, 0), encodeMark(applied));
    return [source, destination];
  }

  it.each([
    ["everything applied and acknowledged", { next: 4, acknowledged: 3 }, 3, []],
    ["more applied than was sent", { next: 4, acknowledged: 3 }, 4, ["I3", "L1"]],
    ["less applied than was acknowledged", { next: 4, acknowledged: 3 }, 2, ["I4", "L1"]],
    ["rows that are gone", { next: 4, acknowledged: 1 }, 3, ["I5", "I5"]],
    ["a mark of nobody", undefined, 2, ["I3"]],
  ] as const)("say: %s", (_what, numbers, applied, expected) => {
    const rules = brokenStreams(tasks(numbers, applied), 1).map((problem) => problem.slice(0, 2));
    expect(rules).toEqual(expected);
  });
});

describe("sim — mutants", () => {
  it("are rules of their own, fifteen at least", () => {
    const names = new Set(simMutants.map(({ name }) => name));
    expect(names.size).toBe(simMutants.length);
    expect(names.size).toBeGreaterThanOrEqual(15);
    for (const { find, replace } of simMutants) expect(replace).not.toBe(find);
  });
});
