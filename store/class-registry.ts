// Class registry — instances of classes that values may hold, by name.
//
// An instance travels as its class's name and a plain payload; the thread that reads it looks the
// name up. So every thread registers the same classes, which it does by importing the topology's
// module. Owns: the names of this process's thread. Leaves to others: bytes (value.ts), the walk
// (value-walk.ts).
//
// Invariants:
//   R1. A name stands for one class, a class has one name.
//   R2. Only objects whose prototype is exactly a registered class's are carried as that class: a
//       subclass would come back as something else.

import { PartitaError } from "../base/errors.js";
import { isName, nameRule } from "../base/name.js";
import { checkOptionNames, optionInvalid } from "../base/options.js";
import { showKind } from "../base/show.js";
import type { Schema } from "./schema.js";

/** How a class's instances become values and come back. */
export interface InstanceOptions<T, P> {
  /** What the class is called in stored values: never change it while such values exist. */
  readonly name: string;
  /** A value that says everything about the instance; it may hold other registered instances. */
  readonly encode: (instance: T) => P;
  /** An equal instance from what `encode` returned. */
  readonly decode: (payload: P) => T;
}

/** A registered class, its types forgotten. */
export interface RegisteredClass {
  readonly name: string;
  readonly prototype: object;
  encode(instance: object): unknown;
  decode(payload: unknown): object;
}

interface Registry {
  readonly byName: Map<string, RegisteredClass>;
  readonly byPrototype: Map<object, RegisteredClass>;
}

/** Shared by all copies of this package on a thread: they share the decoder's extension too. */
const registryKey: unique symbol = Symbol.for("partita.classes");

const registry: Registry = sharedRegistry();

/**
 * A schema for instances of `Class`, and a registration: from now on values may hold such instances
 * anywhere, in stores, messages and results, and get them back as instances. Call it where the
 * topology is declared, so that every thread does. Subclasses need their own registration.
 *
 *     const point = instanceOf(Point, {
 *       name: "point",
 *       encode: (p) => [p.x, p.y] as const,
 *       decode: ([x, y]) => new Point(x, y),
 *     });
 *
 * @throws PartitaError CLASS_NAME_TAKEN when another class has this name
 * @throws PartitaError OPTION_INVALID, OPTION_UNKNOWN
 */
export function instanceOf<T extends object, P>(
  Class: abstract new (...args: never[]) => T,
  options: InstanceOptions<T, P>,
): Schema<T> {
  checkClass(Class, options);
  const { name, encode, decode } = options;
  const prototype: object = Class.prototype;
  checkNames(name, prototype);
  const registered: RegisteredClass = { name, prototype, encode, decode };
  registry.byName.set(name, registered);
  registry.byPrototype.set(prototype, registered);
  const issues = (value: unknown): { issues: { message: string }[] } => ({
    issues: [{ message: `expected an instance of ${Class.name}, not ${showKind(value)}` }],
  });
  return {
    "~standard": {
      version: 1,
      vendor: "partita",
      validate: (value) => (value instanceof Class ? { value } : issues(value)),
    },
  };
}

/** The registration of exactly this prototype (R2). */
export function classOf(prototype: object): RegisteredClass | undefined {
  return registry.byPrototype.get(prototype);
}

/**
 * The registration of a name.
 * @throws PartitaError CLASS_UNKNOWN
 */
export function classNamed(name: string): RegisteredClass {
  const registered = registry.byName.get(name);
  if (registered !== undefined) return registered;
  throw new PartitaError("CLASS_UNKNOWN", { name, known: [...registry.byName.keys()] });
}

function checkClass(Class: unknown, options: unknown): void {
  const where = "instanceOf";
  if (typeof Class !== "function" || typeof Class.prototype !== "object") {
    throw optionInvalid(where, "Class", Class, "a class");
  }
  checkOptionNames(where, options, ["name", "encode", "decode"]);
  // cast: checkOptionNames refuses what is no object
  const { name, encode, decode } = options as Partial<Record<string, unknown>>;
  if (!isName(name)) throw optionInvalid(where, "name", name, nameRule);
  if (typeof encode !== "function") throw optionInvalid(where, "encode", encode, "a function");
  if (typeof decode !== "function") throw optionInvalid(where, "decode", decode, "a function");
}

function checkNames(name: string, prototype: object): void {
  const named = registry.byName.get(name);
  if (named !== undefined && named.prototype !== prototype) {
    throw new PartitaError("CLASS_NAME_TAKEN", { name });
  }
  const known = registry.byPrototype.get(prototype);
  if (known !== undefined && known.name !== name) {
    const valid = `"${known.name}", the name this class is registered by`;
    throw optionInvalid("instanceOf", "name", name, valid);
  }
}

function sharedRegistry(): Registry {
  const existing: unknown = Reflect.get(globalThis, registryKey);
  // cast: nobody else uses the symbol
  if (existing !== undefined) return existing as Registry;
  const created: Registry = { byName: new Map(), byPrototype: new Map() };
  Object.defineProperty(globalThis, registryKey, { value: created });
  return created;
}
