// Store model — what a key-value store is to its clients, as commands against a plain Map.
//
// Each command does one thing to the real store and to the map and compares what they answer; a
// burst does several without awaiting. The same commands run on the runtime and on twins that are
// broken on purpose: a model that finds nothing wrong with those is worth nothing.

import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { keyValueStore, reply } from "../../store/declaration.js";
import { string } from "../../store/key.js";
import type { EntriesOptions, KeyValueStore } from "../../store/key-value-store.js";
import { type } from "../../store/schema.js";

export type Value = readonly (number | string)[];

/** The store that the commands are about: lists. */
export const lists = keyValueStore({
  key: string,
  value: type<Value>(),
  updates: {
    push: (list: Value = [], element: number) => [...list, element],
    /** Removes the first element and answers with it; an empty list is no value. */
    take: (list: Value = []) => {
      const rest = list.slice(1);
      return reply(rest.length === 0 ? undefined : rest, list[0] ?? null);
    },
  },
});

export type ListStore = KeyValueStore<string, Value, (typeof lists)["updates"]>;

/** What the commands work on. */
export interface StoreSubject {
  readonly store: ListStore;
  /** Closes everything and launches again on the same directory. */
  relaunch(): Promise<void>;
  /** Writes memtables into environments. */
  checkpoint(): Promise<void>;
}

type Model = Map<string, Value>;
type Command = fc.AsyncCommand<Model, StoreSubject>;

/** One operation: what it does to the map, and how the store is asked. Answers are compared. */
interface Operation {
  readonly text: string;
  apply(model: Model): unknown;
  run(store: ListStore): Promise<unknown>;
}

function step(operation: Operation): Command {
  return burst([operation]);
}

/** Starts every operation before any has answered: they apply in this order all the same. */
function burst(operations: readonly Operation[]): Command {
  return {
    check: () => true,
    run: async (model, subject) => {
      const calls = operations.map((operation) => operation.run(subject.store));
      const found = await Promise.all(calls);
      for (const [index, operation] of operations.entries()) {
        const expected = operation.apply(model);
        if (isDeepStrictEqual(found[index], expected)) continue;
        const details = `found ${show(found[index])}, expected ${show(expected)}`;
        throw new Error(`${operation.text}: ${details}`);
      }
    },
    toString: () => operations.map(({ text }) => text).join(" & "),
  };
}

function lifecycle(text: string, run: (subject: StoreSubject) => Promise<void>): Command {
  return { check: () => true, run: (_model, subject) => run(subject), toString: () => text };
}

const key = fc.constantFrom("a", "aa", "ab", "b", "ba", "\uffee", "\u{1f600}", "z".repeat(300));
const small = fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 3 });
/** Half a dozen of these fill an arena of 1 MiB. */
const large = fc.constantFrom("x", "y").map((letter): Value => [letter.repeat(180_000)]);
const value: fc.Arbitrary<Value> = fc.oneof(
  { weight: 5, arbitrary: small },
  { weight: 1, arbitrary: large },
);

const put = fc.tuple(key, value).map(
  ([k, v]): Operation => ({
    text: `put(${show(k)}, ${show(v)})`,
    apply: (model) => void model.set(k, v),
    run: (store) => store.put(k, v),
  }),
);
const remove = key.map(
  (k): Operation => ({
    text: `delete(${show(k)})`,
    apply: (model) => model.delete(k),
    run: (store) => store.delete(k),
  }),
);
const get = key.map(
  (k): Operation => ({
    text: `get(${show(k)})`,
    apply: (model) => model.get(k),
    run: (store) => store.get(k),
  }),
);
const contains = key.map(
  (k): Operation => ({
    text: `contains(${show(k)})`,
    apply: (model) => model.has(k),
    run: (store) => store.contains(k),
  }),
);
const getMany = fc.array(key, { maxLength: 5 }).map(
  (keys): Operation => ({
    text: `getMany(${show(keys)})`,
    apply: (model) => keys.map((k) => model.get(k)),
    run: (store) => store.getMany(keys),
  }),
);
const putMany = fc.array(fc.tuple(key, small), { maxLength: 5 }).map(
  (entries): Operation => ({
    text: `putMany(${show(entries)})`,
    apply: (model) => {
      for (const [k, v] of entries) model.set(k, v);
    },
    run: (store) => store.putMany(entries),
  }),
);
const push = fc.tuple(key, fc.nat(99)).map(
  ([k, element]): Operation => ({
    text: `push(${show(k)}, ${element})`,
    apply: (model) => {
      const list = [...(model.get(k) ?? []), element];
      model.set(k, list);
      return list;
    },
    run: (store) => store.update("push", k, element),
  }),
);
const take = key.map(
  (k): Operation => ({
    text: `take(${show(k)})`,
    apply: (model) => {
      const [first = null, ...rest] = model.get(k) ?? [];
      if (rest.length === 0) model.delete(k);
      else model.set(k, rest);
      return first;
    },
    run: (store) => store.update("take", k),
  }),
);
const clear = fc.constant<Operation>({
  text: "clear()",
  apply: (model) => void model.clear(),
  run: (store) => store.clear(),
});
const modify = fc
  .tuple(key, fc.option(fc.nat(99), { nil: undefined }))
  .map(([k, element]): Operation => {
    const change = (list: Value | undefined): Value | undefined => {
      return element === undefined ? undefined : [...(list ?? []), element];
    };
    return {
      text: `modify(${show(k)}, ${element})`,
      apply: (model) => {
        const next = change(model.get(k));
        if (next === undefined) model.delete(k);
        else model.set(k, next);
        return next;
      },
      run: (store) => store.modify(k, change),
    };
  });
const bounds = fc.record(
  { from: key, to: key, prefix: key, limit: fc.nat(5), reverse: fc.boolean() },
  { requiredKeys: [] },
);
const entries = bounds
  .filter(({ from, to }) => from === undefined || to === undefined || order(from, to) <= 0)
  .map(
    (options): Operation => ({
      text: `entries(${show(options)})`,
      apply: (model) => entriesOf(model, options),
      run: async (store) => {
        const found: (readonly [string, Value])[] = [];
        for await (const entry of store.entries(options)) found.push(entry);
        return found;
      },
    }),
  );

/** `modify` is no part of a burst: its rounds let later calls of the same client go first. */
const quick = fc.oneof(put, remove, get, contains, getMany, putMany, push, push, take, clear);

const commandKinds: fc.Arbitrary<Command>[] = [
  ...[put, remove, get, push, take, modify, entries, getMany, putMany].map((one) => one.map(step)),
  fc.array(quick, { minLength: 2, maxLength: 8 }).map(burst),
  fc.array(quick, { minLength: 2, maxLength: 8 }).map(burst),
  clear.map(step),
  fc.constant(lifecycle("checkpoint()", (subject) => subject.checkpoint())),
  fc.constant(lifecycle("relaunch()", (subject) => subject.relaunch())),
];

/** A property: any commands leave store and map alike. `closed` is called after each run. */
export function storeProperty<S extends StoreSubject>(
  open: () => Promise<S>,
  closed: (subject: S) => Promise<void>,
  maxCommands = 30,
): fc.IAsyncProperty<[Iterable<Command>]> {
  return fc.asyncProperty(fc.commands(commandKinds, { maxCommands }), async (commands) => {
    const subject = await open();
    try {
      const model: Model = new Map();
      await fc.asyncModelRun(() => ({ model, real: subject }), commands);
      await step(allEntries).run(model, subject);
    } finally {
      await closed(subject);
    }
  });
}

const allEntries: Operation = {
  text: "entries()",
  apply: (model) => entriesOf(model, {}),
  run: async (store) => {
    const found: (readonly [string, Value])[] = [];
    for await (const entry of store.entries()) found.push(entry);
    return found;
  },
};

function entriesOf(
  model: Model,
  options: EntriesOptions<string>,
): readonly (readonly [string, Value])[] {
  const { from, to, prefix, limit, reverse = false } = options;
  return [...model]
    .filter(([k]) => from === undefined || order(k, from) >= 0)
    .filter(([k]) => to === undefined || order(k, to) < 0)
    .filter(([k]) => typeof prefix !== "string" || k.startsWith(prefix))
    .sort(([a], [b]) => (reverse ? order(b, a) : order(a, b)))
    .slice(0, limit);
}

/** The order of keys is that of code points, which is that of UTF-8. */
export function order(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function show(what: unknown): string {
  const text = JSON.stringify(what) ?? "undefined";
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
