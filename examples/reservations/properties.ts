// What must hold of a shop, whatever is ordered and whatever dies meanwhile.

import fc from "fast-check";
import { reply } from "../../index.js";
import {
  crashCommands,
  expectModels,
  keyOf,
  storeCommands,
  storeModels,
} from "../../testing/arbitraries.js";
import {
  assertLinearizable,
  type ModelOperation,
  recordHistory,
  type SequentialModel,
  simulate,
} from "../../testing/index.js";
import sound, { type Order, type Stock, stock } from "./topology.js";

/** A shop with the parts of the sound one. */
export type Shop = typeof sound;

const tasks = 2;
const delivered = 3;
const articles = ["hat", "coat"];

/** What one article's stock answers to orders, one after another. */
const counter: SequentialModel<number, number, boolean> = {
  init: delivered,
  step(free, pieces) {
    return pieces <= free ? { state: free - pieces, output: true } : { state: free, output: false };
  },
};

/** Orders of a few articles, all placed at once. */
const placed = fc.array(
  fc.record({ article: fc.constantFrom(...articles), pieces: fc.integer({ min: 1, max: 2 }) }),
  { minLength: 1, maxLength: 8 },
);

/** Where a task's thread or the whole process dies, and how many commits later. */
const deaths = fc.array(
  fc.record({
    task: fc.nat(tasks - 1),
    point: fc.constantFrom("appended" as const, "synced" as const, "published" as const),
    after: fc.nat(6),
    scope: fc.constantFrom("thread" as const, "process" as const),
  }),
  { maxLength: 2 },
);

/** Orders that are placed at once are answered as if they had come one after another. */
export function ordersProperty(shop: Shop, onCrashes: (count: number) => void = () => {}) {
  return fc.asyncProperty(placed, deaths, fc.nat(), async (wanted, dying, seed) => {
    await using runtime = await simulate(shop, { seed, tasks });
    const store = runtime.store("stock");
    for (const article of articles) await store.update("receive", article, delivered);
    for (const death of dying) runtime.crashAt(death).catch(() => {});

    const history = recordHistory<ModelOperation<number, boolean>>();
    const agent = runtime.agent("orders");
    const orders = wanted.map((one, index): Order => ({ ...one, order: `order ${index + 1}` }));
    const answers = await Promise.allSettled(
      orders.map((order) => {
        const { article, pieces } = order;
        const invoke = () => agent.invoke(order);
        return history.record({ key: article, input: pieces }, invoke, (output) => ({ output }));
      }),
    );
    // Nothing dies any more: what was accepted goes on to its end.
    await runtime.heal();
    onCrashes(runtime.crashes);

    assertLinearizable(history.operations, { model: counter });
    for (const article of articles) {
      const { free, reserved } = (await store.get(article)) ?? { free: 0, reserved: new Map() };
      const taken = [...reserved.values()].reduce((sum, pieces) => sum + pieces, 0);
      if (free < 0 || free + taken !== delivered) {
        throw new Error(`${delivered} of ${article} came, ${free} are free and ${taken} reserved`);
      }
      for (const [index, { order }] of orders.entries()) {
        const answer = answers[index];
        if (orders[index]?.article !== article || answer?.status !== "fulfilled") continue;
        if (reserved.has(order) === answer.value) continue;
        const said = answer.value ? "confirmed" : "refused";
        throw new Error(`${order} was ${said}, but has ${reserved.get(order) ?? 0} pieces`);
      }
    }
  });
}

/** What the updates should do, said once more and in other words. */
const bookkeeping = {
  receive: ({ free, reserved }: Stock = { free: 0, reserved: new Map() }, pieces: number) => {
    return { free: free + pieces, reserved };
  },
  reserve: (current: Stock | undefined, order: string, pieces: number) => {
    const { free, reserved } = current ?? { free: 0, reserved: new Map<string, number>() };
    const known = reserved.get(order);
    if (known !== undefined || pieces > free) {
      return reply({ free, reserved }, known !== undefined);
    }
    const rest = [...reserved, [order, pieces] as const];
    return reply({ free: free - pieces, reserved: new Map(rest) }, true);
  },
};

/** The stock is what its updates make of it, over crashes between them and in their middle. */
export function stockProperty(shop: Shop) {
  const updates = {
    receive: fc.tuple(fc.nat(9)),
    reserve: fc.tuple(fc.constantFrom("order 1", "order 2"), fc.integer({ min: 1, max: 5 })),
  };
  const commands = fc.commands(
    [
      ...storeCommands(shop, {
        stock: {
          only: ["get", "update", "entries"],
          keys: keyOf(stock.key),
          updates,
          models: bookkeeping,
        },
      }),
      ...crashCommands(shop, { tasks }),
    ],
    { maxCommands: 20 },
  );
  return fc.asyncProperty(commands, fc.nat(), async (chosen, seed) => {
    await using runtime = await simulate(shop, { seed, tasks });
    const models = storeModels(shop);
    await fc.asyncModelRun(() => ({ model: models, real: runtime }), chosen);
    await runtime.heal();
    await expectModels(models, runtime);
  });
}
