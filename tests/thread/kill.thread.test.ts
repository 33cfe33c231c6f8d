// Kill -9 — a process that writes under load is killed at seeded random moments, again and again on
// the same directory. What it had acknowledged on a pipe must be there. What goes wrong here would
// look like a log that is shorter than what was acknowledged, or one that noticed a gap.

import { describe, expect, it } from "vitest";
import { type Durability, launch, PartitaError, type Runtime } from "../../dist/index.js";
import { windowCalls, writerCount } from "../../dist/tests/topologies/child.js";
import survivors from "../../dist/tests/topologies/survivors.js";
import { startChild } from "../support/child-process.js";
import { suiteSeed } from "../support/property.js";
import { seededRandom } from "../../testing/seeded-random.js";
import { tempDirectory } from "../support/temp-directory.js";

const cycles = 10;
const modes: readonly Durability[] = ["durable", "interval", "relaxed"];

/** What is known for certain over all cycles. */
interface Known {
  readonly acknowledged: Map<string, number>;
  readonly chains: Set<string>;
}

/** One life of the process; returns how many logs it has found. */
async function liveAndDie(
  directory: string,
  mode: Durability,
  killAfter: number,
  known: Known,
): Promise<number> {
  const child = startChild("write", directory, mode);
  let found = 0;
  let acknowledgements = 0;
  for await (const line of child.lines) {
    const [word = "", name = "", count = "", gaps = ""] = line.split(" ");
    if (word === "found") {
      found += 1;
      expectRecovered(name, Number(count), Number(gaps), known);
    } else if (word === "ack") known.acknowledged.set(name, Number(count));
    else if (word === "chain") known.chains.add(name);
    else expect(line).toBe("begin");
    if (word === "ack" || word === "chain") acknowledgements += 1;
    // What it still has in the pipe is acknowledged too: the loop reads on until the end.
    if (acknowledgements === killAfter) void child.kill();
  }
  await child.kill();
  return found;
}

function expectRecovered(key: string, count: number, gaps: number, known: Known): void {
  const acknowledged = known.acknowledged.get(key) ?? 0;
  expect(count, key).toBeGreaterThanOrEqual(acknowledged);
  // Nothing from nowhere: no more than was under way.
  expect(count, key).toBeLessThanOrEqual(acknowledged + 40 * windowCalls);
  expect(gaps, key).toBe(0);
  known.acknowledged.set(key, count);
}

/**
 * The result of a chain. A node that was killed with its process at the worst moments, four times,
 * is a dead letter: it has not failed, and is to be replayed.
 */
async function resultOf(runtime: Runtime<(typeof survivors)["parts"]>, id: string) {
  for (;;) {
    try {
      return await runtime.agent("chain").get(id).result();
    } catch (error) {
      const isGivenUp = PartitaError.is(error) && PartitaError.is(error.cause, "NODE_DEADLY");
      if (!isGivenUp) throw error;
    }
    for await (const letter of runtime.deadLetters.list({ agent: "chain" })) {
      if (letter.invocationId === id) await runtime.deadLetters.replay(letter.id);
    }
  }
}

describe("kill -9 — ten times on one directory, in all modes of durability", () => {
  it("keeps acknowledged writes, in order, and finishes every chain that had begun", async () => {
    const directory = tempDirectory();
    const random = seededRandom(suiteSeed());
    const known: Known = { acknowledged: new Map(), chains: new Set() };
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      const mode = modes[cycle % modes.length] ?? "durable";
      const killAfter = 1 + Math.floor(random() ** 2 * 4_000);
      const logs = known.acknowledged.size;
      const found = await liveAndDie(directory, mode, killAfter, known);
      expect(found).toBeGreaterThanOrEqual(logs);
      expect(found).toBeLessThanOrEqual(writerCount);
    }
    await using runtime = await launch(survivors, { directory, threads: 2 });
    const recovered = new Set<string>();
    for await (const [key, { count, gaps }] of runtime.store("logs").entries()) {
      recovered.add(key);
      expectRecovered(key, count, gaps, known);
    }
    const results = [...known.chains].map((id) => resultOf(runtime, id));

    expect([...recovered].sort()).toEqual([...known.acknowledged.keys()].sort());
    expect(known.chains.size).toBeGreaterThan(10);
    expect(await Promise.all(results)).toEqual(results.map(() => 6));
    const places = new Set<string>();
    for await (const [place] of runtime.store("hops").entries()) places.add(place);
    for (const id of known.chains) {
      for (let hop = 1; hop <= 6; hop += 1) expect(places).toContain(`${id} ${hop}`);
    }
  });
});
