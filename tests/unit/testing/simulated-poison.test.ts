// Poison in a simulated process: a node that has its thread, or the whole process, die each time it
// runs. What goes wrong here would look like a simulation that never comes to rest.

import { describe, expect, it, onTestFinished } from "vitest";
import { agent, type DeadLetter, node, topology, type } from "../../../index.js";
import { type SimulatedRuntime, simulate } from "../../../testing/simulate.js";

interface Dose {
  readonly key: string;
  readonly poison: boolean;
}

/** Called by the poisoned node each time that it runs. */
let strike: () => void = () => {};
let runs: string[] = [];

const worker = agent({
  entry: "work",
  result: type<string>(),
  nodes: { work: node({ input: type<Dose>(), key: ({ key }) => key }) },
}).implement({
  async work(ctx, { key, poison }) {
    runs.push(key);
    if (poison) {
      strike();
      await ctx.run("never", () => new Promise(() => {}));
    }
    ctx.result(key);
  },
});
const declared = topology("poisoned", import.meta.url, { agents: { worker } });
type Simulated = SimulatedRuntime<(typeof declared)["parts"]>;

async function lettersOf(simulated: Simulated): Promise<readonly DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for await (const letter of simulated.deadLetters.list()) letters.push(letter);
  return letters;
}

describe("simulated poison — a node that kills each time it runs", () => {
  it.each([
    ["its thread", 1, 2],
    ["its thread", 2, 2],
    ["its thread", 3, 1],
    ["the process", 1, 2],
    ["the process", 2, 1],
    ["the process", 3, 2],
  ])(
    "is given up when %s dies, with seed %i and %i threads; others go on",
    async (what, seed, threads) => {
      runs = [];
      const simulated = await simulate(declared, { seed, tasks: 2, threads });
      onTestFinished(() => simulated.close());
      const client = simulated.agent("worker");
      const deaths: Promise<void>[] = [];
      strike = () => {
        // Which thread hosts the node is not for it to know: all of them die.
        const victims = what === "the process" ? [undefined] : threads === 1 ? [1] : [1, 2];
        for (const victim of victims) deaths.push(simulated.crash(victim));
      };
      const begun = ["a", "b", "c", "d"].map((key) => client.initiate({ key, poison: false }));
      const others = await Promise.all(begun);
      const bad = client.initiate({ key: "bad", poison: true }).catch(() => undefined);
      await bad;
      await simulated.heal();
      await Promise.all(deaths);
      for (const { id } of others) expect(await client.get(id).result()).toMatch(/^[abcd]$/);
      const letters = await lettersOf(simulated);
      expect(letters).toMatchObject([{ key: "bad", node: "work", attempts: 3 }]);
      // The first death is not counted; one that comes between the mark and the run is.
      expect([3, 4]).toContain(runs.filter((key) => key === "bad").length);

      strike = () => {};
      await simulated.deadLetters.discard(letters[0]?.id ?? "");
      expect(await lettersOf(simulated)).toEqual([]);
    },
  );
});
