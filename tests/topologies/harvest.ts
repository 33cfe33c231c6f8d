// Harvest — scopes within a scope, on real threads: fields of rows that are picked one by one.
//
// Everything that happens is counted in a store, so that tests see it from outside: nothing is kept
// in the module, which every thread has for itself.

import { threadId } from "node:worker_threads";
import {
  accumulate,
  agent,
  finished,
  gather,
  keyValueStore,
  list,
  node,
  scatter,
  string,
  sum,
  topology,
  type,
} from "../../index.js";

export interface Harvest {
  readonly id: string;
  /** Rows of each field. */
  readonly fields: readonly number[];
}

/** What a field has brought in. */
export interface Yielded {
  readonly field: number;
  readonly fruit: number;
}

const counts = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0, by: number) => count + by },
});

interface Row {
  readonly id: string;
  readonly field: number;
  readonly row: number;
}

const harvests = agent({
  stores: { counts },
  entry: "plan",
  result: type<{ readonly yields: readonly Yielded[]; readonly threads: number }>(),
  nodes: {
    plan: scatter({ input: type<Harvest>(), to: ["field"], carry: type<Harvest>() }),
    field: scatter({ input: type<Row>(), to: ["row"], carry: type<Row>() }),
    row: node({ input: type<Row>(), to: ["basket"], key: ({ row }) => row % 7 }),
    basket: gather({
      collect: list(type<{ readonly fruit: number; readonly thread: number }>()),
      carry: type<Row>(),
      to: ["barn"],
    }),
    barn: gather({
      collect: list(type<Yielded & { readonly threads: readonly number[] }>()),
      carry: type<Harvest>(),
    }),
  },
}).implement({
  plan(ctx, harvest) {
    const { id, fields } = harvest;
    for (const [field, row] of fields.entries()) ctx.emit("field", { id, field, row });
    return harvest;
  },
  field(ctx, { id, field, row: rows }) {
    for (let row = 0; row < rows; row += 1) ctx.emit("row", { id, field, row });
    return { id, field, row: rows };
  },
  async row(ctx, { id, field, row }) {
    await ctx.stores.counts.update("add", `${id} ${field} ${row}`, 1);
    ctx.emit("basket", { fruit: row, thread: threadId });
  },
  async basket(ctx, picked, { id, field }) {
    await ctx.stores.counts.update("add", `${id} ${field} basket`, 1);
    const fruit = picked.reduce((total, one) => total + one.fruit, 0);
    ctx.emit("barn", { field, fruit, threads: picked.map(({ thread }) => thread) });
  },
  async barn(ctx, yields, { id }) {
    await ctx.stores.counts.update("add", `${id} barn`, 1);
    const threads = new Set(yields.flatMap((one) => one.threads)).size;
    ctx.result({ yields: yields.map(({ field, fruit }) => ({ field, fruit })), threads });
  },
});

/** The first of its numbers that is large enough; the others run on. */
const searches = agent({
  stores: { counts },
  entry: "search",
  result: type<number>(),
  nodes: {
    search: scatter({ input: type<{ id: string; numbers: number[] }>(), to: ["look"] }),
    look: node({ input: type<{ id: string; number: number }>(), to: ["found"] }),
    found: gather({
      collect: accumulate(
        () => -1,
        (best, number: number) => (number >= 100 ? finished(number) : Math.max(best, number)),
      ),
    }),
  },
}).implement({
  search(ctx, { id, numbers }) {
    for (const number of numbers) ctx.emit("look", { id, number });
  },
  async look(ctx, { id, number }) {
    await ctx.stores.counts.update("add", `${id} looks`, 1);
    ctx.emit("found", number);
  },
  found: (ctx, best) => ctx.result(best),
});

/** A scope, and behind it a node that throws in the first attempt. */
const sums = agent({
  stores: { counts },
  entry: "begin",
  result: type<number>(),
  nodes: {
    begin: scatter({ input: type<number>(), to: ["part"] }),
    part: node({ input: type<number>(), to: ["total"] }),
    total: gather({ collect: sum, to: ["check"] }),
    check: node({ input: type<number>() }),
  },
}).implement({
  begin(ctx, parts) {
    for (let part = 0; part < parts; part += 1) ctx.emit("part", part);
  },
  async part(ctx, part) {
    await ctx.stores.counts.update("add", "parts", 1);
    ctx.emit("total", part);
  },
  async total(ctx, total) {
    const runs = await ctx.stores.counts.update("add", `totals of ${total}`, 1);
    ctx.emit("check", runs);
  },
  check(ctx, runs) {
    if (ctx.attempt === 0) throw new RangeError("not this time");
    ctx.result(runs);
  },
});

export default topology("harvest", import.meta.url, {
  stores: { counts },
  agents: { harvests, searches, sums },
});
