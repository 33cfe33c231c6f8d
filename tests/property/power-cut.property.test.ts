// Power cuts under tasks that send to each other, in every mode of durability. Bugs here would look
// like a message that is applied twice, one that a source remembers and nobody has applied, or a
// directory that does not open again although nobody touched it.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemTable } from "../../runtime/system-table.js";
import type { Turn } from "../../runtime/task-program.js";
import { topology } from "../../runtime/topology.js";
import { MemoryStorage } from "../../store/memory-storage.js";
import type { Durability } from "../../store/task-storage.js";
import { HostCluster } from "../support/host-cluster.js";
import { ManualSystem } from "../support/manual-system.js";
import { check } from "../support/property.js";
import { bytes, text } from "../support/storage-bytes.js";
import { anyStore, programEntry } from "../support/task-bench.js";

const taskCount = 3;
/** By destination: what was sent, in order. */
const sentTable = 8;
/** By source: what was applied, in order. */
const appliedTable = 9;

/** A client's message names its destination and a text; the destination writes down the text. */
function relay(turn: Turn, message: Uint8Array): Uint8Array | undefined {
  const append = (table: number, peer: number, entry: string): void => {
    const known = turn.get(table, bytes(`${peer}`));
    turn.put(table, bytes(`${peer}`), bytes(`${known ? text(known) : ""}${entry} `));
  };
  const [peer = "", entry = ""] = text(message).split(" ");
  if (turn.origin.kind === "task") {
    append(appliedTable, turn.origin.task, entry);
    return undefined;
  }
  append(sentTable, Number(peer), entry);
  turn.send(Number(peer), message);
  return undefined;
}

const declared = topology("cuts", import.meta.url, {
  stores: { bench: anyStore({}) },
  agents: { relay: programEntry(relay) },
});

type Step =
  | { readonly kind: "send"; readonly from: number; readonly to: number; readonly count: number }
  | { readonly kind: "turns"; readonly count: number }
  | { readonly kind: "flush"; readonly task: number }
  | { readonly kind: "cut"; readonly kept: readonly number[] };

const tasks = fc.nat(taskCount - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      from: tasks,
      to: tasks,
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("turns" as const), count: fc.nat(40) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("flush" as const), task: tasks }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("cut" as const),
      kept: fc.array(fc.constantFrom(0, 1, 3, 100), { minLength: taskCount, maxLength: taskCount }),
    }),
  },
);

class World {
  readonly #durability: Durability;
  #storages: MemoryStorage[];
  #system = new ManualSystem();
  #cluster: HostCluster;
  #sent = 0;
  continued = 0;

  constructor(durability: Durability) {
    this.#durability = durability;
    // Small arenas: swaps sync what was not, and trimmed rows leave with checkpoints.
    const create = () => MemoryStorage.create({ durability, arenaBytes: 4_096 });
    this.#storages = Array.from({ length: taskCount }, create);
    this.#cluster = this.#open();
  }

  async take(step: Step): Promise<void> {
    if (step.kind === "send") {
      for (let count = 0; count < step.count; count += 1) {
        this.#sent += 1;
        const message = bytes(`${step.to} m${this.#sent}`);
        const { programPort } = this.#cluster.thread(0);
        if (step.from !== step.to) programPort.request(step.from, message).catch(() => {});
      }
    } else if (step.kind === "turns") {
      for (let count = 0; count < step.count; count += 1) this.#system.step();
    } else if (step.kind === "flush") this.#cluster.driver(step.task).flush();
    else {
      await this.#storages[0]?.whenRoom();
      this.#storages = this.#storages.map((storage, task) => {
        return storage.crash({ keepFrames: step.kept[task] ?? 0 });
      });
      this.#system = new ManualSystem();
      this.#cluster = this.#open();
    }
  }

  /** Lets everything come to rest. */
  async settle(): Promise<void> {
    await this.#system.settle();
    for (let task = 0; task < taskCount; task += 1) {
      expect(this.#cluster.driver(task).task.quiet).toBe(true);
    }
  }

  /** What a task has written down of another one. */
  noted(table: number, task: number, peer: number): readonly string[] {
    const rows = this.#storages[task]?.page(table, {}, 100) ?? [];
    const row = rows.find(({ key }) => text(key) === `${peer}`);
    return row === undefined ? [] : text(row.value).trim().split(" ");
  }

  rows(task: number): number {
    return this.#storages[task]?.page(systemTable.outbox, {}, 10_000).length ?? 0;
  }

  #open(): HostCluster {
    const cluster = new HostCluster(declared, {
      system: () => this.#system,
      taskCount,
      storage: (task) => this.#storages[task] ?? MemoryStorage.create(),
      durability: this.#durability,
      recordsBoots: true,
    });
    for (const { continued } of cluster.thread(0).reports()) this.continued += continued;
    return cluster;
  }
}

/** What must hold between two tasks when all is at rest. */
function judge(world: World, source: number, destination: number, isDurable: boolean): void {
  const sent = world.noted(sentTable, source, destination);
  const applied = world.noted(appliedTable, destination, source);
  expect(new Set(applied).size).toBe(applied.length);
  // In a weak mode the source may have forgotten what it sent; what it remembers was applied.
  expect(applied.filter((entry) => sent.includes(entry))).toEqual(sent);
  if (isDurable) expect(applied).toEqual(sent);
}

describe("power cuts — tasks that send to each other", () => {
  it.each(["durable", "interval", "relaxed"] as const)(
    "applies what is remembered once and in order, and goes on: %s",
    async (durability) => {
      let continued = 0;
      const property = fc.asyncProperty(
        fc.array(step, { maxLength: 60, size: "max" }),
        async (steps) => {
          const world = new World(durability);
          for (const each of steps) await world.take(each);
          await world.settle();
          for (let source = 0; source < taskCount; source += 1) {
            for (let destination = 0; destination < taskCount; destination += 1) {
              if (source === destination) continue;
              judge(world, source, destination, durability === "durable");
            }
          }
          continued += world.continued;
        },
      );
      await check(property, { runs: 150 });
      // A power cut that leaves a mode without losses has nothing to mend; the others must meet it.
      expect(continued > 0).toBe(durability !== "durable");
    },
  );

  it("keeps no row for ever: what is durable on both sides is trimmed", async () => {
    const world = new World("interval");
    const send = (count: number) => world.take({ kind: "send", from: 0, to: 1, count });
    await send(4);
    await world.settle();
    await send(1);
    await world.settle();
    expect(world.rows(0)).toBe(5);
    await world.take({ kind: "flush", task: 1 });
    await world.settle();
    await send(1);
    await world.settle();
    expect(world.rows(0)).toBe(1);
  });
});
