// Scopes — agents that aggregate: each built-in aggregator, scopes within scopes, scopes that end
// early, steps that throw.

import {
  accumulate,
  agent,
  type Aggregator,
  and,
  combine,
  finished,
  first,
  gather,
  last,
  list,
  map,
  max,
  mergeMap,
  min,
  multi,
  multiSet,
  node,
  or,
  PartitaError,
  scatter,
  set,
  sum,
  topology,
  type,
} from "../../index.js";
import { addNote, faults, note, noted, place } from "./agents-notes.js";

/** Collects what it is given, in its order: the leaves run one after the other. */
function collecting<Input, State>(name: string, collect: Aggregator<Input, State>) {
  return agent({
    entry: "split",
    result: type<unknown>(),
    nodes: {
      split: scatter({ input: type<readonly unknown[]>(), to: ["leaf"] }),
      leaf: node({ input: type<{ at: number; value: unknown }>(), key: () => name, to: ["all"] }),
      // cast: the test gives what the aggregator takes.
      all: gather({ collect: collect as unknown as Aggregator<unknown, unknown> }),
    },
  }).implement({
    split(ctx, values) {
      for (const [at, value] of values.entries()) ctx.emit("leaf", { at, value });
    },
    async leaf(ctx, { at, value }) {
      if (at === 1) await place(ctx, name);
      ctx.emit("all", value);
    },
    all: (ctx, state) => ctx.result(state),
  });
}

const text = type<string>();
const number = type<number>();

/** What a scatter gives to its gather, and what that gets. */
const carrying = agent({
  entry: "split",
  result: type<readonly unknown[]>(),
  nodes: {
    split: scatter({
      input: type<{ carry: unknown; leaves: number }>(),
      to: ["leaf"],
      carry: type<unknown>(),
    }),
    leaf: node({ input: number, to: ["all"] }),
    all: gather({ collect: sum, carry: type<unknown>() }),
  },
}).implement({
  split(ctx, { carry, leaves }) {
    for (let n = 1; n <= leaves; n += 1) ctx.emit("leaf", n);
    return carry;
  },
  leaf: (ctx, n) => ctx.emit("all", n),
  async all(ctx, ...given) {
    note(ctx, "all");
    await place(ctx, "all");
    ctx.result(given);
  },
});

interface Field {
  readonly field: number;
  readonly rows: number;
}

/** A scope for each field within the scope of all: those of the fields are open at once. */
const nested = agent({
  entry: "plan",
  result: type<readonly (readonly [number, number])[]>(),
  nodes: {
    plan: scatter({ input: type<readonly number[]>(), to: ["field"] }),
    field: scatter({ input: type<Field>(), to: ["row"], carry: number }),
    row: node({ input: type<{ field: number; row: number }>(), to: ["basket"] }),
    basket: gather({ collect: sum, carry: number, to: ["barn"] }),
    barn: gather({ collect: list(type<readonly [number, number]>()) }),
  },
}).implement({
  plan(ctx, fields) {
    for (const [field, rows] of fields.entries()) ctx.emit("field", { field, rows });
  },
  field(ctx, { field, rows }) {
    for (let row = 1; row <= rows; row += 1) ctx.emit("row", { field, row });
    return field;
  },
  async row(ctx, { field, row }) {
    if (field === 1 && row === 2) await place(ctx, "row");
    ctx.emit("basket", row);
  },
  async basket(ctx, total, field) {
    if (field === 0) await noted(ctx, "go");
    note(ctx, `basket ${field}`);
    // One that emits nothing is waited for all the same.
    if (field !== 0) ctx.emit("barn", [field, total]);
  },
  barn(ctx, baskets) {
    note(ctx, "barn");
    ctx.result(baskets);
  },
});

/** Emits with a tag that there is not. */
const tagging = agent({
  entry: "split",
  result: type<number>(),
  nodes: {
    split: scatter({ input: text, to: ["all"] }),
    all: gather({
      collect: multi({
        init: () => 0,
        on: { more: (n, by: number) => n + by, less: (n) => n - 1 },
      }),
    }),
  },
}).implement({
  split(ctx, tag) {
    ctx.emit("all", { tag: "more", value: 5 });
    try {
      // cast: what JavaScript could write.
      ctx.emit("all", { tag: tag as "less" });
    } catch (error) {
      note(ctx, PartitaError.is(error, "TAG_UNKNOWN") ? error.message : "another error");
    }
  },
  all: (ctx, n) => ctx.result(n),
});

/** Ends its scope with the first input, by one of the aggregators that run a user's function. */
function early<Input>(
  by: string,
  collect: Aggregator<Input, number>,
  inputOf: (n: number) => Input,
) {
  return agent({
    entry: "split",
    result: type<number>(),
    nodes: {
      split: scatter({ input: number, to: ["leaf"] }),
      leaf: node({ input: number, key: (n) => n, to: ["all"] }),
      // cast: the leaf emits what `inputOf` gives.
      all: gather({ collect: collect as unknown as Aggregator<unknown, number>, to: ["end"] }),
      end: node({ input: number }),
    },
  }).implement({
    split(ctx, leaves) {
      for (let n = 1; n <= leaves; n += 1) ctx.emit("leaf", n);
    },
    async leaf(ctx, n) {
      if (n !== 1) await noted(ctx, "go");
      if (n === 2) await place(ctx, `${by}: sibling`);
      note(ctx, `${by}: leaf ${n}`);
      ctx.emit("all", inputOf(n));
    },
    async all(ctx, n) {
      await place(ctx, `${by}: all`);
      note(ctx, `${by}: all ${n}`);
      ctx.emit("end", n);
    },
    end: (ctx, n) => ctx.result(n),
  });
}

/** An init or a step that throws, always, and says so. */
const broken = (which: "init" | "step") =>
  agent({
    entry: "split",
    maxRetries: 1,
    result: type<number>(),
    nodes: {
      split: scatter({ input: number, to: ["leaf"] }),
      leaf: node({ input: number, to: ["all"] }),
      all: gather({
        collect: accumulate(
          (): number => {
            if (which === "init") throw new Error("no init");
            return 0;
          },
          (total, n: number) => {
            if (which === "step" && n === 2) throw new Error("no step");
            return total + n;
          },
        ),
      }),
    },
  }).implement({
    split(ctx, leaves) {
      for (let n = 1; n <= leaves; n += 1) ctx.emit("leaf", n);
    },
    async leaf(ctx, n) {
      if (n === 1) await place(ctx, `leaf of ${which}`);
      ctx.emit("all", n);
    },
    all: (ctx, total) => ctx.result(total),
  });

/** A step that throws the first time it is called, as a line of the notes says. */
const healing = agent({
  entry: "split",
  result: number,
  nodes: {
    split: scatter({ input: type<{ leaves: number; notes: string }>(), to: ["leaf"] }),
    leaf: node({ input: type<{ n: number; notes: string }>(), to: ["all"] }),
    all: gather({
      collect: accumulate(
        () => ({ total: 0, steps: 0 }),
        ({ total, steps }, { n, notes }: { n: number; notes: string }) => {
          addNote(notes, `step ${steps}`);
          return { total: total + n, steps: steps + 1 };
        },
      ),
    }),
  },
}).implement({
  split(ctx, { leaves, notes }) {
    for (let n = 1; n <= leaves; n += 1) ctx.emit("leaf", { n, notes });
  },
  async leaf(ctx, { n, notes }) {
    note(ctx, `leaf ${n}`);
    if (n === 1) {
      await noted(ctx, "go");
      if (ctx.attempt === 0) throw new Error("the first attempt fails");
      await place(ctx, "again");
    }
    ctx.emit("all", { n, notes });
  },
  all(ctx, { total, steps }) {
    note(ctx, `all of ${steps}`);
    if (ctx.attempt < 2) throw new Error("the second fails as well");
    ctx.result(total);
  },
});

/** A node inside of the scope gives the result. */
const inside = agent({
  entry: "split",
  result: text,
  nodes: {
    split: scatter({ input: text, to: ["leaf"] }),
    leaf: node({ input: text, to: ["all"] }),
    all: gather({ collect: list(text) }),
  },
}).implement({
  split: (ctx, input) => ctx.emit("leaf", input),
  leaf: (ctx, input) => ctx.result(`inside: ${input}`),
  all: (ctx, given) => note(ctx, `all ${given.length}`),
});

/** Goes round by its own scatter. */
const rounds = agent({
  entry: "split",
  result: type<readonly number[]>(),
  nodes: {
    split: scatter({
      input: type<readonly number[]>(),
      to: ["leaf"],
      carry: type<readonly number[]>(),
    }),
    leaf: node({ input: number, to: ["leaf", "all"] }),
    all: gather({ collect: sum, carry: type<readonly number[]>(), to: ["split"] }),
  },
}).implement({
  split(ctx, totals) {
    for (let n = 0; n <= totals.length; n += 1) ctx.emit("leaf", n);
    return totals;
  },
  async leaf(ctx, n) {
    if (n === 2) await place(ctx, "leaf");
    // A loop inside of one scope.
    if (n > 2) ctx.emit("leaf", n - 1);
    else ctx.emit("all", n);
  },
  all(ctx, total, totals) {
    const next = [...totals, total];
    if (next.length < 4) ctx.emit("split", next);
    else ctx.result(next);
  },
});

export default topology("agents-scopes", import.meta.url, {
  stores: { faults },
  agents: {
    list: collecting("list", list(text)),
    set: collecting("set", set(text)),
    multiSet: collecting("multiSet", multiSet(text)),
    map: collecting("map", map(text, number)),
    mergeMap: collecting("mergeMap", mergeMap(text, number)),
    sum: collecting("sum", sum),
    min: collecting("min", min),
    max: collecting("max", max),
    first: collecting("first", first(text)),
    last: collecting("last", last(text)),
    and: collecting("and", and),
    or: collecting("or", or),
    accumulate: collecting(
      "accumulate",
      accumulate(
        () => "",
        (all, part: string) => `${all}<${part}>`,
      ),
    ),
    combine: collecting(
      "combine",
      combine(1, (one, other) => one * other),
    ),
    multi: collecting(
      "multi",
      multi({ init: () => 0, on: { more: (n, by: number) => n + by, none: () => 0 } }),
    ),
    carrying,
    nested,
    tagging,
    earlyAccumulate: early(
      "accumulate",
      accumulate(
        () => 0,
        (_none, n: number) => finished(n),
      ),
      (n) => n,
    ),
    earlyCombine: early(
      "combine",
      combine(0, (_none, n: number) => finished(n)),
      (n) => n,
    ),
    earlyMulti: early(
      "multi",
      multi({ init: () => 0, on: { some: (_none, n: number) => finished(n) } }),
      (n) => ({ tag: "some", value: n }),
    ),
    brokenInit: broken("init"),
    brokenStep: broken("step"),
    healing,
    inside,
    rounds,
  },
});
