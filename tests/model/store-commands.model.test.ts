// The commands that users test their stores with: over the runtime, whose directory is launched
// again at each crash, and over twins that are broken on purpose, each of which must be caught.
import { rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { launch, type Runtime } from "../../launch.js";
import { topology } from "../../runtime/topology.js";
import { keyValueStore } from "../../store/declaration.js";
import { bytes, integer, string } from "../../store/key.js";
import { type } from "../../store/schema.js";
import { tuple } from "../../store/tuple-key.js";
import {
  carriedValue,
  crashCommands,
  expectModels,
  storeCommands,
  storeModels,
} from "../../testing/arbitraries.js";
import { simulate } from "../../testing/simulate.js";
import { type CrashingFault, CrashingMapStore } from "../support/crashing-map-store.js";
import { MapStore, type MapStoreFault } from "../support/map-store.js";
import { check, scaledRuns, suiteSeed } from "../support/property.js";
import { lists } from "../support/store-model.js";
import { tempDirectory } from "../support/temp-directory.js";

const anything = keyValueStore({ key: tuple(string, bytes), value: type<unknown>() });
const counts = keyValueStore({
  key: integer,
  value: type<number>(),
  updates: {
    add: (count = 0, n: number) => count + n,
    refuse: (count = 0, limit: number) => {
      if (count > limit) throw new RangeError("too many");
      return count + 1;
    },
  },
});
const declared = topology("commands", import.meta.url, { stores: { anything, counts } });
type Parts = (typeof declared)["parts"];

const storeKinds = storeCommands(declared, {
  anything: { values: carriedValue() },
  counts: {
    values: fc.integer(),
    updates: { add: fc.tuple(fc.nat(9)), refuse: fc.tuple(fc.integer({ max: 5 })) },
  },
});
const commands = fc.commands([...storeKinds, ...crashCommands(declared)], { maxCommands: 25 });

/** A runtime that is launched again on its directory. */
class Relaunched {
  readonly #directory: string;
  #runtime: Runtime<Parts>;

  private constructor(directory: string, runtime: Runtime<Parts>) {
    this.#directory = directory;
    this.#runtime = runtime;
  }

  static async open(directory: string): Promise<Relaunched> {
    return new Relaunched(directory, await Relaunched.#launch(directory));
  }

  static #launch(directory: string): Promise<Runtime<Parts>> {
    const settings = { tasks: 2, threads: 0, arenaBytes: 1_048_576, handlerTimeoutMs: 0 };
    return launch(declared, { directory, durability: "relaxed", ...settings });
  }

  get store(): Runtime<Parts>["store"] {
    return this.#runtime.store;
  }

  async crash(): Promise<void> {
    await this.#runtime.close();
    this.#runtime = await Relaunched.#launch(this.#directory);
  }

  async close(): Promise<void> {
    await this.#runtime.close();
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

describe("store commands — the runtime", () => {
  it("is a map, whatever is called in whatever order, over launches", async () => {
    const root = tempDirectory();
    let run = 0;
    const property = fc.asyncProperty(commands, async (chosen) => {
      run += 1;
      const real = await Relaunched.open(join(root, String(run)));
      const model = storeModels(declared);
      await fc.asyncModelRun(() => ({ model, real }), chosen);
      await expectModels(model, real);
      await real.close();
    });
    await check(property, { runs: 40 });
  }, 60_000);
});

describe("store commands — a simulated runtime", () => {
  const settings = { tasks: 3, threads: 2 };

  it("is a map as well when commits are cut short where the commands ask for it", async () => {
    const kinds = [...storeKinds, ...crashCommands(declared, { tasks: settings.tasks })];
    let crashes = 0;
    const chosen = fc.commands(kinds, { maxCommands: 30 });
    const property = fc.asyncProperty(chosen, fc.nat(), async (steps, seed) => {
      await using real = await simulate(declared, { seed, ...settings });
      const model = storeModels(declared);
      await fc.asyncModelRun(() => ({ model, real }), steps);
      await real.heal();
      await expectModels(model, real);
      expect(real.stops).toEqual([]);
      crashes += real.crashes;
    });
    await check(property, { runs: 50 });
    expect(crashes).toBeGreaterThan(scaledRuns(10));
  }, 60_000);

  it("is a map as well over deaths at any step", async () => {
    const faults = { processCrash: 0.002, threadCrash: 0.004, commitCrash: 0.02, duplicate: 0.5 };
    let crashes = 0;
    const chosen = fc.commands(storeKinds, { maxCommands: 30 });
    const property = fc.asyncProperty(chosen, fc.nat(), async (steps, seed) => {
      await using real = await simulate(declared, { seed, faults, ...settings });
      const model = storeModels(declared);
      await fc.asyncModelRun(() => ({ model, real }), steps);
      await real.heal();
      await expectModels(model, real);
      expect(real.stops).toEqual([]);
      crashes += real.crashes;
    });
    await check(property, { runs: 50 });
    expect(crashes).toBeGreaterThan(scaledRuns(10));
  }, 60_000);
});

const listTopology = topology("lists", import.meta.url, { stores: { lists } });
const noArguments: fc.Arbitrary<[]> = fc.constant([]);
const small = fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 3 });

interface Twin {
  readonly store: MapStore["store"];
  crash(): Promise<void>;
}

/** Any commands on a twin, whose store is asked for by name like a runtime's. */
function twinProperty(open: () => Twin, favourites?: readonly string[]) {
  const keys = favourites === undefined ? {} : { keys: fc.constantFrom(...favourites) };
  const chosen = fc.commands(
    [
      ...storeCommands(listTopology, {
        lists: {
          ...keys,
          values: small,
          updates: { push: fc.tuple(fc.nat(99)), take: noArguments },
        },
      }),
      ...crashCommands(listTopology),
    ],
    { maxCommands: 30 },
  );
  return fc.asyncProperty(chosen, async (steps) => {
    const twin = open();
    const model = storeModels(listTopology);
    // cast: a topology with one store; the twin has no other
    const store = (() => twin.store) as unknown as Runtime<(typeof listTopology)["parts"]>["store"];
    const real = { store, crash: () => twin.crash() };
    await fc.asyncModelRun(() => ({ model, real }), steps);
    await expectModels(model, real);
  });
}

function mapTwin(fault?: MapStoreFault): Twin {
  const map = new MapStore(fault);
  return { store: map.store, crash: () => map.relaunch() };
}

async function counterexampleOf(open: () => Twin, keys?: readonly string[]): Promise<string> {
  const settings = { seed: suiteSeed(), numRuns: 300 };
  const { failed, counterexample } = await fc.check(twinProperty(open, keys), settings);
  expect(failed).toBe(true);
  return String(counterexample);
}

describe("store commands — twins", () => {
  it("find nothing wrong with a map, cut off or not", async () => {
    await check(
      twinProperty(() => mapTwin()),
      { runs: 100 },
    );
    await check(
      twinProperty(() => new CrashingMapStore()),
      { runs: 200 },
    );
  });

  const faults: readonly MapStoreFault[] = [
    "loses deletes",
    "loses checkpointed",
    "ignores concurrent",
    "reads stale",
    "clears too much",
    "orders by unit",
    "keeps empty",
  ];
  it.each(faults)("catch a store that %s", async (fault) => {
    const keys = fault === "orders by unit" ? ["\uffee", "\u{1f600}", "a"] : undefined;
    await counterexampleOf(() => mapTwin(fault), keys);
  });

  const crashing: readonly CrashingFault[] = [
    "loses acknowledged",
    "leaves halves",
    "applies out of order",
  ];
  it.each(crashing)("catch a store that %s when it is cut off", async (fault) => {
    await counterexampleOf(() => new CrashingMapStore(fault), ["a", "b"]);
  });

  it("show the calls of what they caught, and no more than it takes", async () => {
    const shown = await counterexampleOf(() => mapTwin("loses deletes"), ["a", "b"]);
    expect(shown).toMatch(/^lists\..*"[ab]".*,crash\(\),lists\./);
    expect(shown.split(/,(?:lists|crash)/).length).toBeLessThanOrEqual(4);
  });
});

describe("store commands — what cannot be", () => {
  it.each([
    ["STORE_UNKNOWN", { list: { values: small } }],
    ["UPDATE_UNKNOWN", { lists: { values: small, updates: { pop: fc.constant([]) } } }],
    ["OPTION_INVALID", { lists: {} }],
    ["OPTION_INVALID", { lists: { only: ["put"] } }],
    ["OPTION_UNKNOWN", { lists: { values: small, key: small } }],
  ])("is refused with %s while the commands are built", (code, uses) => {
    // cast: what the types refuse as well
    expect(() => storeCommands(listTopology, uses as never)).toThrow(
      expect.objectContaining({ code }),
    );
  });

  it("needs no values where nothing is put", () => {
    const uses = { lists: { only: ["update", "get"], updates: { take: noArguments } } } as const;
    expect(storeCommands(listTopology, uses)).toHaveLength(3);
  });
});
