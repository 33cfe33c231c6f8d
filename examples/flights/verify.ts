// Compares what the stores hold with the recomputation: every key, every field, every order.

import type { Statistics } from "./recompute.js";

/** The first differences, one line each, and how many there are. */
export interface Verification {
  readonly differences: readonly string[];
  readonly differenceCount: number;
}

/** How many differences are worth printing. */
const differencesShownMax = 10;

/** Without differences `actual` equals `expected`, the order of each airport's last events too. */
export function verify(actual: Statistics, expected: Statistics): Verification {
  const all = [
    ...compareStore("airports", actual.airports, expected.airports),
    ...compareStore("routes", actual.routes, expected.routes),
    ...compareStore("days", actual.days, expected.days),
  ];
  return { differences: all.slice(0, differencesShownMax), differenceCount: all.length };
}

function* compareStore(
  store: string,
  actual: ReadonlyMap<string, object>,
  expected: ReadonlyMap<string, object>,
): Generator<string> {
  for (const [key, value] of expected) yield* compare(`${store} ${key}`, actual.get(key), value);
  for (const key of actual.keys()) {
    if (!expected.has(key)) yield `${store} ${key}: should not exist`;
  }
}

/** Walks both values side by side; lists compare by position, so another order is a difference. */
function* compare(path: string, actual: unknown, expected: unknown): Generator<string> {
  if (Object.is(actual, expected)) return;
  if (!isObject(actual) || !isObject(expected)) {
    yield `${path}: is ${show(actual)}, should be ${show(expected)}`;
    return;
  }
  const left = new Map(Object.entries(actual));
  const right = new Map(Object.entries(expected));
  for (const name of new Set([...right.keys(), ...left.keys()])) {
    yield* compare(`${path}.${name}`, left.get(name), right.get(name));
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function show(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value);
}
