// Value cycle — tells a value that contains itself from one that is only nested too deep.
//
// Runs after the walk has hit the depth limit, so it may be slow; it must not recurse, because what
// it is given can be as deep as memory allows.

import { pathText, type StepKind, step, stepText } from "./value-path.js";

/** Values looked at before giving up: getters could produce new ones for ever. */
const visitsMax = 1_000_000;

type Child = readonly [kind: StepKind, key: unknown, value: unknown];

interface Visit {
  readonly object: object;
  readonly rest: Iterator<Child>;
  /** How its container leads to it. */
  readonly step: string;
}

/** The path where `root` contains one of the containers around it, or `undefined`. */
export function findCycle(root: object): string | undefined {
  const finished = new Set<object>();
  const open = new Set<object>([root]);
  const visits: Visit[] = [{ object: root, rest: childrenOf(root), step: "" }];
  for (let count = 0; count < visitsMax; count += 1) {
    const visit = visits.at(-1);
    if (visit === undefined) return undefined;
    const next = visit.rest.next();
    if (next.done === true) {
      visits.pop();
      open.delete(visit.object);
      finished.add(visit.object);
      continue;
    }
    const [kind, key, value] = next.value;
    if (typeof value !== "object" || value === null || finished.has(value)) continue;
    if (open.has(value)) return pathText([...visits.map((v) => v.step), stepText(kind, key)]);
    open.add(value);
    visits.push({ object: value, rest: childrenOf(value), step: stepText(kind, key) });
  }
  return undefined;
}

function* childrenOf(object: object): Generator<Child> {
  if (object instanceof Map) {
    let position = 0;
    for (const [key, value] of object) {
      yield [step.mapKey, position, key];
      yield [step.mapValue, key, value];
      position += 1;
    }
  } else if (object instanceof Set) {
    let position = 0;
    for (const value of object) {
      yield [step.element, position, value];
      position += 1;
    }
  } else if (Array.isArray(object)) {
    for (const [index, value] of object.entries()) yield [step.index, index, value];
  } else if (!ArrayBuffer.isView(object)) {
    for (const [key, value] of Object.entries(object)) yield [step.property, key, value];
  }
}
