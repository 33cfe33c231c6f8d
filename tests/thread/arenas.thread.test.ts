// Small arenas under load: dozens of swaps and checkpoints while clients write and scan. What goes
// wrong here would look like a row that is missing, old or out of order, or files that grow without
// end.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { launch } from "../../dist/index.js";
import load from "../../dist/tests/topologies/load.js";
import { suiteSeed } from "../support/property.js";
import { seededRandom } from "../../testing/seeded-random.js";
import { tempDirectory } from "../support/temp-directory.js";

const arenaBytes = 1_048_576;
const taskCount = 2;
const filling = "-".repeat(3_000);

function launchSmall(directory: string) {
  return launch(load, { directory, tasks: taskCount, threads: 2, arenaBytes });
}

type Small = Awaited<ReturnType<typeof launchSmall>>;
type Texts = ReturnType<typeof textsOf>;

function textsOf(runtime: Small) {
  return runtime.store("texts");
}

const stableKeys = Array.from({ length: 300 }, (_, i) => `stable-${String(i).padStart(3, "0")}`);

/** Puts and deletes at random; returns what must be there. */
async function churn(texts: Texts, keyCount: number, calls: number): Promise<Map<string, string>> {
  const random = seededRandom(suiteSeed());
  const expected = new Map<string, string>();
  for (let done = 0; done < calls; done += 200) {
    const batch: Promise<unknown>[] = [];
    for (let i = 0; i < 200; i += 1) {
      const key = `churn-${String(Math.floor(random() * keyCount)).padStart(4, "0")}`;
      if (random() < 0.2) {
        expected.delete(key);
        batch.push(texts.delete(key));
      } else {
        const text = `${done + i}${filling}`;
        expected.set(key, text);
        batch.push(texts.put(key, text));
      }
    }
    await Promise.all(batch);
  }
  return expected;
}

/** Scans until `done` says so; every scan must be in order and have all that never changes. */
async function scanUntil(texts: Texts, done: () => boolean): Promise<number> {
  let scans = 0;
  for (; !done() || scans < 2; scans += 1) {
    const reverse = scans % 2 === 1;
    const keys: string[] = [];
    for await (const [key] of texts.entries({ reverse })) keys.push(key);
    const ordered = [...new Set(keys)].sort();
    expect(keys).toEqual(reverse ? ordered.reverse() : ordered);
    expect(keys.filter((key) => key.startsWith("stable")).sort()).toEqual(stableKeys);
  }
  return scans;
}

async function everything(texts: Texts): Promise<(readonly [string, string])[]> {
  const found: (readonly [string, string])[] = [];
  for await (const entry of texts.entries()) found.push(entry);
  return found;
}

function logBytes(directory: string): number {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".seg"))
    .reduce((sum, path) => sum + statSync(join(directory, path)).size, 0);
}

describe("arenas of 1 MiB — writes, scans and checkpoints at the same time", () => {
  it("keeps every row, in order, through dozens of checkpoints and two launches", async () => {
    const directory = tempDirectory();
    const expected = new Map(stableKeys.map((key) => [key, `never changes ${key}`]));
    {
      await using runtime = await launchSmall(directory);
      const texts = textsOf(runtime);
      await texts.putMany(expected);
      let isDone = false;
      const scanning = scanUntil(texts, () => isDone);
      for (const [key, text] of await churn(texts, 800, 12_000)) expected.set(key, text);
      isDone = true;

      expect(await scanning).toBeGreaterThan(2);
      const { tasks } = await runtime.stats();
      const checkpoints = tasks.reduce((sum, { storage }) => sum + storage.checkpoints, 0);
      expect(checkpoints).toBeGreaterThan(24);
      for (const { storage } of tasks) {
        expect(storage.segments).toBeLessThanOrEqual(2);
        expect(storage.arenaBytesUsed).toBeLessThanOrEqual(arenaBytes);
      }
      expect(await everything(texts)).toEqual([...expected].sort());
    }
    await using runtime = await launchSmall(directory);
    const texts = textsOf(runtime);

    expect(await everything(texts)).toEqual([...expected].sort());
    expect(await texts.getMany(expected.keys())).toEqual([...expected.values()]);
  });

  it("waits for room when writes outrun checkpoints, and then takes them all", async () => {
    const directory = tempDirectory();
    await using runtime = await launchSmall(directory);
    const texts = textsOf(runtime);
    // All at once: 24 MiB for arenas of which each task has two of 1 MiB.
    const keys = Array.from({ length: 8_000 }, (_, i) => `key-${i}`);
    const writes = keys.map((key) => texts.put(key, `${key}${filling}`));
    await Promise.all(writes);

    expect(await texts.getMany(keys)).toEqual(keys.map((key) => `${key}${filling}`));
    expect(logBytes(directory)).toBeGreaterThan(0);
    // Segments are as long as arenas, and a checkpoint deletes what it covers.
    expect(logBytes(directory)).toBeLessThanOrEqual(taskCount * 2 * arenaBytes);
  });

  it("refuses a value that no arena could take, and goes on", async () => {
    await using runtime = await launchSmall(tempDirectory());
    const texts = textsOf(runtime);
    await texts.put("small", "kept");
    const refused = texts.put("small", "x".repeat(2 * arenaBytes));

    await expect(refused).rejects.toMatchObject({ code: "VALUE_TOO_LARGE" });
    expect(await texts.get("small")).toBe("kept");
    await texts.put("small", "x".repeat(arenaBytes / 8));
    expect(await texts.get("small")).toHaveLength(arenaBytes / 8);
  });
});
