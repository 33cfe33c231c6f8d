// Per-key order and FIFO per client, whatever order packets and turns come in. Each client numbers
// what it sends to a key; the key's list must hold each client's numbers in order, all of them,
// once. Bugs here would look like a gap, a repetition or two numbers that changed places.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { agent } from "../../agents/agent.js";
import { node } from "../../agents/declare/node.js";
import { ByteReader } from "../../base/byte-reader.js";
import { ByteWriter } from "../../base/byte-writer.js";
import type { ReceivedSection } from "../../runtime/mailbox.js";
import { type Operation, operation, writeRequest } from "../../runtime/lane-encoding.js";
import { Task } from "../../runtime/task.js";
import { topology } from "../../runtime/topology.js";
import { keyValueStore } from "../../store/declaration.js";
import { string } from "../../store/key.js";
import { type } from "../../store/schema.js";
import type { HostCluster, HostClusterSettings } from "../support/host-cluster.js";
import { check, suiteSeed } from "../support/property.js";
import {
  oldest,
  type Pick,
  type ScheduledCluster,
  scheduledCluster,
} from "../support/scheduled-cluster.js";

interface Numbered {
  readonly client: number;
  readonly number: number;
}

const log = keyValueStore({
  key: string,
  value: type<readonly Numbered[]>(),
  updates: {
    add: (list: readonly Numbered[] = [], entry: Numbered) => [...list, entry],
  },
});
const seen = keyValueStore({
  key: string,
  value: type<readonly Numbered[]>(),
  updates: log.updates,
});

interface Step extends Numbered {
  readonly key: string;
}

/** Two nodes with the same key: what the first emits for a key the second gets in that order. */
const relay = agent({
  stores: { log, seen },
  entry: "first",
  result: type<number>(),
  nodes: {
    first: node({ input: type<Step>(), to: ["second"], key: ({ key }) => key }),
    second: node({ input: type<Step>(), key: ({ key }) => `${key} again` }),
  },
}).implement({
  async first(ctx, { key, client, number }) {
    await ctx.stores.log.update("add", key, { client, number });
    ctx.emit("second", { key, client, number });
  },
  async second(ctx, { key, client, number }) {
    await ctx.stores.seen.update("add", key, { client, number });
    ctx.result(number);
  },
});
const stores = topology("ordered", import.meta.url, { stores: { log } });
const agents = topology("ordered", import.meta.url, { stores: { log, seen }, agents: { relay } });

const keys = ["a", "b", "c"];
const threads = 3;
/**
 * Which client sends to which key, in the order of its calls, and where it lets others go first.
 */
const sends = fc.array(
  fc.record({ client: fc.nat(threads - 1), key: fc.constantFrom(...keys), pause: fc.boolean() }),
  { minLength: 1, maxLength: 24 },
);
type Plan = typeof sends extends fc.Arbitrary<infer P> ? P : never;

function settings(): Omit<HostClusterSettings, "system" | "delivery"> {
  return { taskCount: 4, threadCount: threads - 1 };
}

function numbered(plan: Plan): (Step & { readonly pause: boolean })[] {
  const counts = new Map<string, number>();
  return plan.map(({ client, key, pause }) => {
    const number = (counts.get(`${client} ${key}`) ?? 0) + 1;
    counts.set(`${client} ${key}`, number);
    return { client, key, pause, number };
  });
}

/** Every client makes its calls in order without awaiting them; returns when all are settled. */
async function played(
  scheduler: fc.Scheduler,
  { errors }: ScheduledCluster,
  steps: ReturnType<typeof numbered>,
  call: (step: Step) => Promise<void>,
): Promise<void> {
  const calls: Promise<void>[] = [];
  for (let client = 0; client < threads; client += 1) {
    const play = async (): Promise<void> => {
      for (const { pause, ...step } of steps.filter((each) => each.client === client)) {
        if (pause) await scheduler.schedule(Promise.resolve(), `client ${client}`);
        const made = call(step);
        // It is looked at when nothing is left to do.
        made.catch(() => {});
        calls.push(made);
      }
    };
    void play();
  }
  await scheduler.waitIdle();
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  for (const error of errors) throw error;
  expect(calls).toHaveLength(steps.length);
  const pending = Symbol("pending");
  for (const made of calls) {
    const outcome = await Promise.race([made, Promise.resolve(pending)]);
    if (outcome === pending) throw new Error("nothing is left to do, and a call has no reply");
  }
}

/** Each client's numbers for a key, in the order of the list. */
function ofClient(list: unknown, client: number): readonly number[] {
  // cast: only `add` writes these lists
  const entries = (list ?? []) as readonly Numbered[];
  return entries.filter((entry) => entry.client === client).map(({ number }) => number);
}

function expectOrder(found: ReadonlyMap<string, unknown>, steps: readonly Step[]): void {
  for (const key of keys) {
    for (let client = 0; client < threads; client += 1) {
      const sent = steps.filter((step) => step.client === client && step.key === key);
      expect(ofClient(found.get(key), client)).toEqual(sent.map(({ number }) => number));
    }
  }
}

/** The lists of a store, read where they are kept. */
async function listsOf(cluster: HostCluster, name: string): Promise<ReadonlyMap<string, unknown>> {
  const lists = await cluster.store(name).getMany(keys);
  return new Map(keys.map((key, index) => [key, lists[index]]));
}

type Twin = Partial<Omit<HostClusterSettings, "system" | "delivery">>;

function storeProperty(twin: Twin = {}, pick: Pick = oldest) {
  return fc.asyncProperty(fc.scheduler(), sends, async (scheduler, plan) => {
    const opened = scheduledCluster(scheduler, stores, { ...settings(), ...twin }, pick);
    const steps = numbered(plan);
    await played(scheduler, opened, steps, async ({ client, key, number }) => {
      const store = opened.cluster.store("log", client);
      const reply = store.update("add", key, { client, number });
      // The read starts before the reply is there, and has to see it.
      const [list, read] = await Promise.all([reply, store.get(key)]);
      expect(ofClient(list, client).at(-1)).toBe(number);
      expect(ofClient(read, client)).toContain(number);
    });
    expectOrder(await listsOf(opened.cluster, "log"), steps);
  });
}

function agentProperty(twin: Twin = {}, pick: Pick = oldest) {
  return fc.asyncProperty(fc.scheduler(), sends, async (scheduler, plan) => {
    const opened = scheduledCluster(scheduler, agents, { ...settings(), ...twin }, pick);
    const steps = numbered(plan);
    await played(scheduler, opened, steps, async (step) => {
      expect(await opened.cluster.agent("relay", step.client).invoke(step)).toBe(step.number);
    });
    for (const name of ["log", "seen"]) {
      expectOrder(await listsOf(opened.cluster, name), steps);
    }
  });
}

/** Applies the requests of a section from the last to the first. */
class BackwardTask extends Task {
  override accept(section: ReceivedSection): void {
    if (section.origin.kind !== "lane") {
      super.accept(section);
      return;
    }
    const requests: (() => void)[] = [];
    const reader = new ByteReader(section.body);
    const body = new ByteWriter();
    while (!reader.done) {
      // cast: the host has read this byte as an operation before
      const kind = reader.u8() as Operation;
      const table = reader.u16();
      const [keyLength, argumentLength] = [reader.u16(), reader.u32()];
      const [key, argument] = [reader.bytes(keyLength), reader.bytes(argumentLength)];
      requests.push(() => writeRequest(body, kind, table, key, argument));
    }
    for (const write of requests.reverse()) write();
    super.accept({ ...section, body: body.finish() });
  }
}

/** Applies a section that begins with an update once more. */
class RepeatingTask extends Task {
  override accept(section: ReceivedSection): void {
    const [first] = section.body;
    super.accept(section);
    if (section.origin.kind === "lane" && first === operation.update) super.accept(section);
  }
}

const newest: Pick = (waiting) => waiting.pop();

async function expectCaught<T>(property: fc.IRawProperty<T>): Promise<void> {
  const found = await fc.check(property, { seed: suiteSeed(), numRuns: 60, endOnFailure: true });
  expect(found.failed).toBe(true);
}

describe("per-key order — store updates", () => {
  it("holds for every client and key under any order of delivery", async () => {
    await check(storeProperty(), { runs: 400 });
  });

  it("is missed when packets between two threads overtake each other", async () => {
    await expectCaught(storeProperty({}, newest));
  });

  it("is missed when a task applies a section in another order", async () => {
    await expectCaught(storeProperty({ task: (parts) => new BackwardTask(parts) }));
  });

  it("is missed when a task applies a section twice", async () => {
    await expectCaught(storeProperty({ task: (parts) => new RepeatingTask(parts) }));
  });
});

describe("per-key order — keyed nodes", () => {
  it("holds over two nodes for every client and key under any order of delivery", async () => {
    await check(agentProperty(), { runs: 250 });
  });

  it("is missed when packets between two threads overtake each other", async () => {
    await expectCaught(agentProperty({}, newest));
  });

  it("is missed when a task applies a section in another order", async () => {
    await expectCaught(agentProperty({ task: (parts) => new BackwardTask(parts) }));
  });
});
