// The store against a plain Map, through the whole runtime on one thread: real logs, real
// environments, small arenas, checkpoints, relaunches. Then the same commands against twins that
// are broken on purpose, each of which must be caught.
import { rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Cluster } from "../../runtime/cluster.js";
import { clusterOptions } from "../../runtime/cluster-options.js";
import { topology } from "../../runtime/topology.js";
import { checkpointAll } from "../support/inline-cluster.js";
import { MapStore, type MapStoreFault } from "../support/map-store.js";
import { check, suiteSeed } from "../support/property.js";
import { type ListStore, lists, type StoreSubject, storeProperty } from "../support/store-model.js";
import { tempDirectory } from "../support/temp-directory.js";

const declared = topology("model", import.meta.url, { stores: { lists } });

class RuntimeSubject implements StoreSubject {
  readonly directory: string;
  #cluster: Cluster;

  private constructor(directory: string, cluster: Cluster) {
    this.directory = directory;
    this.#cluster = cluster;
  }

  static async open(directory: string): Promise<RuntimeSubject> {
    return new RuntimeSubject(directory, await RuntimeSubject.#launch(directory));
  }

  static #launch(directory: string): Promise<Cluster> {
    const settings = { tasks: 2, threads: 0, arenaBytes: 1_048_576, handlerTimeoutMs: 0 };
    const options = { directory, ...settings };
    return Cluster.open(declared, clusterOptions({ ...options, durability: "relaxed" }));
  }

  get store(): ListStore {
    // cast: the runtime's clients are untyped; this is the client of `lists`.
    return this.#cluster.local.store("lists") as unknown as ListStore;
  }

  async relaunch(): Promise<void> {
    await this.#cluster.close();
    this.#cluster = await RuntimeSubject.#launch(this.directory);
  }

  async checkpoint(): Promise<void> {
    await checkpointAll(this.#cluster);
  }

  async close(): Promise<void> {
    await this.#cluster.close();
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

describe("store model — the runtime", () => {
  it("is a map, whatever is asked in whatever order, over checkpoints and relaunches", async () => {
    const root = tempDirectory();
    let run = 0;
    const open = (): Promise<RuntimeSubject> => {
      run += 1;
      return RuntimeSubject.open(join(root, String(run)));
    };
    await check(
      storeProperty(open, (subject) => subject.close()),
      { runs: 40 },
    );
  }, 60_000);
});

describe("store model — twins", () => {
  const property = (fault: MapStoreFault | undefined) =>
    storeProperty(
      async () => new MapStore(fault),
      async () => {},
    );

  it("finds nothing wrong with a map", async () => {
    await check(property(undefined), { runs: 100 });
  });

  const faults: readonly (readonly [MapStoreFault, string])[] = [
    ["loses deletes", "a store that loses deletes at a relaunch"],
    ["loses checkpointed", "a store that loses what was put since the last checkpoint"],
    ["ignores concurrent", "a store whose update ignores a concurrent one"],
    ["reads stale", "a store whose reads are stale after a put that nobody awaited"],
    ["clears too much", "a store whose clear takes a later put with it"],
    ["orders by unit", "a store whose entries are in the order of UTF-16"],
    ["keeps empty", "a store that keeps a key whose update returned undefined"],
  ];
  for (const [fault, what] of faults) {
    it(`catches ${what}`, async () => {
      const settings = { seed: suiteSeed(), numRuns: 300, endOnFailure: true };
      const { failed, counterexample } = await fc.check(property(fault), settings);
      expect(failed).toBe(true);
      expect(String(counterexample)).not.toBe("");
    });
  }
});
