// Value walk — looks at everything in a value before it is encoded: carries it, boxes it, or
// refuses it.
//
// Owns: what containers may hold. Leaves to others: leaves (value-leaves.ts), path and bounds
// (value-trace.ts), what boxes mean (value-box.ts), bytes (value.ts).
//
// Invariants:
//   V1. What the walk returns is encoded and decoded to something deep-equal to the value, of the
//       same types and prototypes; whatever would come back changed is refused, with its path.
//   V2. When nothing needs a box the value itself is returned; otherwise a copy of the containers
//       on the way to a box. The value is never changed.
//   V3. Bounded: depth by `valueDepthMax`, which also ends a cycle; everything else by the bytes it
//       takes at least, so an object that is shared exponentially often ends too.
//   V4. User code can run in it (getters, proxies, `encode` of registered classes): what that
//       throws is the cause of a VALUE_UNSUPPORTED, and it may itself encode values.

import { isDeepStrictEqual } from "node:util";
import { PartitaError } from "../base/errors.js";
import { showKind } from "../base/show.js";
import { isWellFormed } from "../base/text.js";
import { classOf, type RegisteredClass } from "./class-registry.js";
import { Box, boxKind } from "./value-box.js";
import {
  beginsWithMark,
  extraProperty,
  leafWalks,
  refuseProperties,
  walkBigint,
  walkText,
} from "./value-leaves.js";
import { step } from "./value-path.js";
import { ValueTrace } from "./value-trace.js";

/** Up to this length, listing an array's property names is the cheaper way to find extra ones. */
const listedLengthMax = 1_024;

/** Kept for the next walk; absent while one is under way (V4). */
let spareTrace: ValueTrace | undefined;

/**
 * The value, or a copy of it with boxes (V2). `where` names the operation in errors.
 * @throws PartitaError VALUE_UNSUPPORTED, VALUE_CYCLIC, VALUE_TOO_DEEP, VALUE_TOO_LARGE
 */
export function walkValue(value: unknown, where: string): unknown {
  const trace = spareTrace ?? new ValueTrace();
  spareTrace = undefined;
  trace.begin(value, where);
  try {
    return walk(trace, value);
  } catch (cause) {
    throw PartitaError.is(cause) ? cause : trace.threw(cause);
  } finally {
    trace.end();
    spareTrace = trace;
  }
}

function walk(trace: ValueTrace, value: unknown): unknown {
  switch (typeof value) {
    case "string":
      return walkText(trace, value);
    case "number":
      return Object.is(value, -0) ? new Box(boxKind.negativeZero, null) : value;
    case "boolean":
    case "undefined":
      return value;
    case "bigint":
      return walkBigint(trace, value);
    case "object":
      return value === null ? null : walkObject(trace, value);
    default:
      throw trace.unsupported(value, "only data can be carried");
  }
}

function walkObject(trace: ValueTrace, object: object): unknown {
  const prototype: object | null = Object.getPrototypeOf(object);
  if (prototype === Object.prototype) return walkProperties(trace, object);
  if (Array.isArray(object) && prototype === Array.prototype) return walkArray(trace, object);
  if (prototype === null) return new Box(boxKind.nullPrototype, walkProperties(trace, object));
  // cast: an object with Map's prototype that is no Map throws when it is read
  if (prototype === Map.prototype) return walkMap(trace, object as Map<unknown, unknown>);
  // cast: as with Map
  if (prototype === Set.prototype) return walkSet(trace, object as Set<unknown>);
  const walkLeaf = leafWalks.get(prototype);
  if (walkLeaf !== undefined) return walkLeaf(trace, object);
  const registered = classOf(prototype);
  if (registered !== undefined) return walkInstance(trace, object, registered);
  throw trace.unsupported(object, adviceFor(object));
}

function walkProperties(trace: ValueTrace, object: object): object {
  // cast: every object can be read by property names
  const properties = object as Record<string, unknown>;
  trace.enter(step.property);
  if (Object.getOwnPropertySymbols(object).length > 0) {
    throw trace.unsupported(object, "its symbol property would be lost", 1);
  }
  const names = Object.keys(object);
  trace.spend(names.length);
  let copy: Record<string, unknown> | undefined;
  let marked = false;
  for (const name of names) {
    trace.at(name);
    checkName(trace, name);
    if (beginsWithMark(name)) marked = true;
    const value = properties[name];
    const walked = walk(trace, value);
    if (Object.is(walked, value)) continue;
    copy ??= { ...properties };
    copy[name] = walked;
  }
  trace.leave();
  const carried = copy ?? properties;
  return marked ? new Box(boxKind.entries, boxedEntries(carried)) : carried;
}

function checkName(trace: ValueTrace, name: string): void {
  trace.spend(name.length);
  if (name === "__proto__") {
    throw trace.unsupported(name, "a property of this name can replace an object's prototype");
  }
  if (!isWellFormed(name)) {
    throw trace.unsupported(name, "the name of this property holds a lone surrogate");
  }
}

/** Walked properties as a list, for names that must not be map keys of the encoding. */
function boxedEntries(properties: Readonly<Record<string, unknown>>): unknown[] {
  return Object.entries(properties).flatMap(([name, value]) => [
    beginsWithMark(name) ? new Box(boxKind.text, `.${name}`) : name,
    value,
  ]);
}

function walkArray(trace: ValueTrace, array: readonly unknown[]): readonly unknown[] {
  trace.enter(step.index);
  trace.spend(array.length);
  let copy: unknown[] | undefined;
  for (let index = 0; index < array.length; index += 1) {
    trace.at(index);
    const value = array[index];
    if (value === undefined && !(index in array)) {
      throw trace.unsupported(value, "a hole in an array would become undefined");
    }
    const walked = walk(trace, value);
    if (Object.is(walked, value)) continue;
    copy ??= [...array];
    copy[index] = walked;
  }
  trace.leave();
  if (hasExtraProperties(array)) throw extraProperty(trace, array);
  return copy ?? array;
}

/** Whether an array without holes has properties beside its elements. */
function hasExtraProperties(array: readonly unknown[]): boolean {
  if (array.length > listedLengthMax) return !isDeepStrictEqual(array, array.slice());
  if (Object.keys(array).length !== array.length) return true;
  return Object.getOwnPropertySymbols(array).length > 0;
}

function walkMap(
  trace: ValueTrace,
  map: ReadonlyMap<unknown, unknown>,
): ReadonlyMap<unknown, unknown> {
  // First of all: it throws when this is no Map.
  const { size } = map;
  trace.enter(step.mapKey);
  trace.spend(2 * size);
  let copy: Map<unknown, unknown> | undefined;
  let position = 0;
  for (const [key, value] of map) {
    trace.atBy(step.mapKey, position);
    const walkedKey = walk(trace, key);
    trace.atBy(step.mapValue, key);
    const walked = walk(trace, value);
    if (!Object.is(walkedKey, key) || !Object.is(walked, value)) {
      copy ??= new Map([...map].slice(0, position));
    }
    copy?.set(walkedKey, walked);
    position += 1;
  }
  trace.leave();
  refuseProperties(trace, map, 0);
  return copy ?? map;
}

function walkSet(trace: ValueTrace, set: ReadonlySet<unknown>): ReadonlySet<unknown> {
  // First of all: it throws when this is no Set.
  const { size } = set;
  trace.enter(step.element);
  trace.spend(size);
  let copy: Set<unknown> | undefined;
  let position = 0;
  for (const value of set) {
    trace.at(position);
    const walked = walk(trace, value);
    if (!Object.is(walked, value)) copy ??= new Set([...set].slice(0, position));
    copy?.add(walked);
    position += 1;
  }
  trace.leave();
  refuseProperties(trace, set, 0);
  return copy ?? set;
}

function walkInstance(trace: ValueTrace, object: object, registered: RegisteredClass): Box {
  const { name } = registered;
  trace.enter(step.payload);
  trace.at(name);
  const payload = walk(trace, registered.encode(object));
  trace.leave();
  return new Box(boxKind.instance, [name, payload]);
}

/** Why an instance of a class that is not carried is refused, and what to do instead. */
function adviceFor(object: object): string {
  if (object instanceof Promise) return "it is a promise; await it first";
  if (object instanceof Number || object instanceof String || object instanceof Boolean) {
    return "it is a primitive in an object; use the primitive";
  }
  if (object instanceof SharedArrayBuffer) return "shared memory cannot be carried; copy it";
  if (showKind(object) === "an object") {
    return "its prototype is neither Object.prototype nor null; copy it into a plain object";
  }
  return "its class is not registered; use instanceOf to register it";
}
