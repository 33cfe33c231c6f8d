// Aggregators — the built-in ones: lists, sets, maps, figures, the first and the last.
//
// Owns: their states and steps. Leaves to others: what an aggregator is (aggregator.ts).
//
// Values are equal when their content is (content-key.ts): two objects with the same properties
// are one item of a `set` and one key of a `map`.

import { show } from "../../base/show.js";
import { type Schema, validate } from "../../store/schema.js";
import { PartitaError } from "../../base/errors.js";
import { type Aggregator, aggregator, checkedBy, schemaProblems } from "./aggregator.js";
import { contentKey } from "./content-key.js";

/** All inputs, in the order of their arrival. */
export function list<Item, Given = Item>(item: Schema<Item, Given>): Aggregator<Given, Item[]> {
  return aggregator({
    name: "list",
    init: () => [],
    step: (items: Item[], input: Item) => {
      items.push(input);
      return items;
    },
    check: checkedBy(item),
    problems: schemaProblems("list", item),
  });
}

/** The inputs without those that are equal to an earlier one. */
export function set<Item, Given = Item>(item: Schema<Item, Given>): Aggregator<Given, Set<Item>> {
  return aggregator({
    name: "set",
    init: () => new Set(),
    step: (items: Set<Item>, input: Item) => items.add(keptIn(items, items, input)),
    check: checkedBy(item),
    problems: schemaProblems("set", item),
  });
}

/** How often each input has come. */
export function multiSet<Item, Given = Item>(
  item: Schema<Item, Given>,
): Aggregator<Given, Map<Item, number>> {
  return aggregator({
    name: "multiSet",
    init: () => new Map(),
    step: (counts: Map<Item, number>, input: Item) => {
      const kept = keptIn(counts, counts.keys(), input);
      return counts.set(kept, (counts.get(kept) ?? 0) + 1);
    },
    check: checkedBy(item),
    problems: schemaProblems("multiSet", item),
  });
}

/** Inputs are entries, `[key, value]`; of two with equal keys the later one counts. */
export function map<Key, Value, GivenKey = Key, GivenValue = Value>(
  key: Schema<Key, GivenKey>,
  value: Schema<Value, GivenValue>,
): Aggregator<readonly [GivenKey, GivenValue], Map<Key, Value>> {
  return aggregator({
    name: "map",
    init: () => new Map(),
    step: (entries: Map<Key, Value>, [entryKey, entryValue]: readonly [Key, Value]) =>
      entries.set(keptIn(entries, entries.keys(), entryKey), entryValue),
    check: (input, where) => {
      if (!Array.isArray(input) || input.length !== 2) {
        throw schemaInvalid(where, `expected [key, value], got ${show(input)}`);
      }
      return [
        validate(key, input[0], `key of ${where}`),
        validate(value, input[1], `value of ${where}`),
      ];
    },
    problems: [...schemaProblems("map", key), ...schemaProblems("map", value)],
  });
}

/** Inputs are maps; of two entries with equal keys the later one counts. */
export function mergeMap<Key, Value, GivenKey = Key, GivenValue = Value>(
  key: Schema<Key, GivenKey>,
  value: Schema<Value, GivenValue>,
): Aggregator<ReadonlyMap<GivenKey, GivenValue>, Map<Key, Value>> {
  return aggregator({
    name: "mergeMap",
    init: () => new Map(),
    step: (entries: Map<Key, Value>, input: ReadonlyMap<Key, Value>) => {
      for (const [entryKey, entryValue] of input) {
        entries.set(keptIn(entries, entries.keys(), entryKey), entryValue);
      }
      return entries;
    },
    check: (input, where) => {
      if (!(input instanceof Map)) throw schemaInvalid(where, `expected a Map, got ${show(input)}`);
      return new Map(
        Array.from(input, ([entryKey, entryValue]) => [
          validate(key, entryKey, `key of ${where}`),
          validate(value, entryValue, `value of ${where}`),
        ]),
      );
    },
    problems: [...schemaProblems("mergeMap", key), ...schemaProblems("mergeMap", value)],
  });
}

/** The first input; `undefined` when there was none. An input that is `undefined` is none. */
export function first<Item, Given = Item>(
  item: Schema<Item, Given>,
): Aggregator<Given, Item | undefined> {
  return aggregator({
    name: "first",
    init: () => undefined,
    step: (kept: Item | undefined, input: Item) => (kept === undefined ? input : kept),
    check: checkedBy(item),
    problems: schemaProblems("first", item),
  });
}

/** The last input; `undefined` when there was none. */
export function last<Item, Given = Item>(
  item: Schema<Item, Given>,
): Aggregator<Given, Item | undefined> {
  return aggregator({
    name: "last",
    init: () => undefined,
    step: (_kept: Item | undefined, input: Item) => input,
    check: checkedBy(item),
    problems: schemaProblems("last", item),
  });
}

/** The sum of the inputs, from 0. */
export const sum: Aggregator<number, number> = figures("sum", 0, (total, input) => total + input);

/** The smallest input; `undefined` when there was none. */
export const min: Aggregator<number, number | undefined> = figures<number | undefined>(
  "min",
  undefined,
  (least, input) => (least === undefined ? input : Math.min(least, input)),
);

/** The largest input; `undefined` when there was none. */
export const max: Aggregator<number, number | undefined> = figures<number | undefined>(
  "max",
  undefined,
  (most, input) => (most === undefined ? input : Math.max(most, input)),
);

/** Whether all inputs were `true`; `true` when there was none. */
export const and: Aggregator<boolean, boolean> = truths("and", true, (all, input) => all && input);

/** Whether one of the inputs was `true`; `false` when there was none. */
export const or: Aggregator<boolean, boolean> = truths("or", false, (some, input) => some || input);

function figures<State>(
  name: string,
  zero: State,
  step: (state: State, input: number) => State,
): Aggregator<number, State> {
  return aggregator({ name, init: () => zero, step, check: ofType("number"), problems: [] });
}

function truths(
  name: string,
  zero: boolean,
  step: (state: boolean, input: boolean) => boolean,
): Aggregator<boolean, boolean> {
  return aggregator({ name, init: () => zero, step, check: ofType("boolean"), problems: [] });
}

function ofType(expected: "number" | "boolean"): (input: unknown, where: string) => unknown {
  return (input, where) => {
    if (typeof input === expected) return input;
    throw schemaInvalid(where, `expected a ${expected}, got ${show(input)}`);
  };
}

function schemaInvalid(where: string, message: string): PartitaError<"SCHEMA_INVALID"> {
  return new PartitaError("SCHEMA_INVALID", { where, issues: [{ path: "$", message }] });
}

/**
 * The objects of a state by their content, made when the first one is asked for: a state that comes
 * from its bytes has none yet.
 */
const known = new WeakMap<object, Map<unknown, unknown>>();

/** The item of `items` that equals `input`; `input` itself when there is none, from now on. */
function keptIn<Item>(state: object, items: Iterable<Item>, input: Item): Item {
  if (typeof input !== "object" || input === null) return input;
  const content = known.get(state) ?? contentOf(state, items);
  const key = contentKey(input);
  if (!content.has(key)) content.set(key, input);
  // cast: what is in the map came from the state, or is the input
  return content.get(key) as Item;
}

function contentOf(state: object, items: Iterable<unknown>): Map<unknown, unknown> {
  const content = new Map<unknown, unknown>();
  for (const item of items) {
    if (typeof item === "object" && item !== null) content.set(contentKey(item), item);
  }
  known.set(state, content);
  return content;
}
