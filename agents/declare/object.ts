// Object — the declaration of what nodes use and no store can hold: a client of a service, a model,
// a connection.
//
// It is made on each thread that runs nodes, or is a value of the module, which every thread
// imports for itself.
// Owns: the value that `object()` returns, its types, what is wrong with it, and telling options
// from values. Leaves to others: building, lending and closing (agents/node).

import { limits } from "../../base/limits.js";
import type {
  ObjectBuilder,
  ObjectEntry,
  ObjectPlan,
  TopologyProblem,
} from "../../runtime/task-program.js";
import {
  type AddProblem,
  checkOneOf,
  checkWhole,
  optionBag,
  unknownOptions,
} from "./option-problems.js";
import type { Refused } from "./refused.js";

declare const objectTypes: unique symbol;

/** Where a declaration keeps what it was given. */
const objectOptions: unique symbol = Symbol.for("partita.objectOptions");

/** An object whatever its type. */
export interface AnyObject extends ObjectEntry {
  readonly [objectOptions]: unknown;
}

/** A declared object: what `topology()` and `agent()` take under `objects`. */
export interface ObjectDeclaration<T> extends AnyObject {
  /** Types only; never set. */
  readonly [objectTypes]?: { readonly value: T };
}

/** What a builder is given. */
export interface BuildContext {
  /**
   * Another object of the topology. A pooled one belongs to the object that is built, until that is
   * closed.
   * @throws PartitaError OBJECT_UNKNOWN, OBJECT_CYCLE, OBJECT_UNAVAILABLE
   */
  get<T>(other: ObjectDeclaration<T>): Promise<T>;
}

/** One for each thread, built when it is first asked for. */
export interface SharedObjectOptions<T> {
  readonly build: (context: BuildContext) => T | Promise<T>;
  readonly shared: true;
}

/** Up to `limit` for each thread, each lent to one node invocation at a time. */
export interface PooledObjectOptions<T> {
  readonly build: (context: BuildContext) => T | Promise<T>;
  /** 1 to 10,000. */
  readonly limit: number;
  /** How long a node waits for one. 1 to 86,400,000; default 30,000. */
  readonly acquireTimeoutMs?: number;
}

/**
 * Declares an object: a value, which is shared as it is, or a way to build it. What was built is
 * closed with its `[Symbol.asyncDispose]`, `[Symbol.dispose]` or `close` when the thread ends in
 * order; a value is not, because it is not Partita's.
 *
 *     const settings = object({ currency: "EUR" });
 *     const mailer = object({ build: () => new Mailer(), shared: true });
 *     const browser = object({ build: () => Browser.launch(), limit: 4 });
 *
 * Options are told from a value by being a plain object with a function `build`.
 */
export function object<T>(options: SharedObjectOptions<T>): ObjectDeclaration<T>;
export function object<T>(options: PooledObjectOptions<T>): ObjectDeclaration<T>;
export function object<T>(value: T & ObjectValue<T>): ObjectDeclaration<T>;
export function object(given: unknown): ObjectDeclaration<unknown> {
  return Object.freeze({
    kind: "object",
    [objectOptions]: given,
    problems: (path: string) => objectProblems(given, path),
    plan: () => objectPlan(given),
  });
}

type ObjectValue<T> = T extends { readonly build: (...args: never[]) => unknown }
  ? Refused<"a builder needs shared: true or limit: a number">
  : unknown;

/** Whether what `object()` was given says how to build it; otherwise it is the value. */
function isBuilder(given: unknown): given is Readonly<Record<string, unknown>> {
  const bag = optionBag(given);
  if (bag === undefined) return false;
  const prototype: unknown = Object.getPrototypeOf(bag);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return typeof bag["build"] === "function";
}

const optionNames = ["build", "shared", "limit", "acquireTimeoutMs"] as const;

function objectProblems(given: unknown, path: string): readonly TopologyProblem[] {
  if (!isBuilder(given)) return [];
  const problems: TopologyProblem[] = [];
  const add: AddProblem = (code, at, message, valid = []) => {
    problems.push({ code, path: at === "" ? path : `${path}.${at}`, message, valid });
  };
  unknownOptions(given, optionNames, "", add);
  const { shared, limit, acquireTimeoutMs } = given;
  checkOneOf("shared", shared, [true], add);
  checkWhole("limit", limit, { min: 1, max: limits.objectLimitMax }, add);
  checkWhole(
    "acquireTimeoutMs",
    acquireTimeoutMs,
    { min: 1, max: limits.acquireTimeoutMsMax },
    add,
  );
  const ways = ["shared: true", "limit: a number"];
  if (shared === undefined && limit === undefined) {
    add(
      "OBJECT_INVALID",
      "",
      "a builder says neither that it is shared nor how many it makes",
      ways,
    );
  } else if (shared !== undefined && limit !== undefined) {
    add("OBJECT_INVALID", "", "an object is shared or one of a pool, not both", ways);
  } else if (shared !== undefined && acquireTimeoutMs !== undefined) {
    add("OPTION_INVALID", "acquireTimeoutMs", "nobody waits for a shared object", ["no value"]);
  }
  return problems;
}

function objectPlan(given: unknown): ObjectPlan {
  if (!isBuilder(given)) return { kind: "value", value: given };
  // cast: `problems` has found none in it
  const options = given as unknown as SharedObjectOptions<unknown> & PooledObjectOptions<unknown>;
  const { shared, limit, acquireTimeoutMs = limits.acquireTimeoutMs } = options;
  // cast: what `get` gives has the type of what it is asked for
  const build = options.build as ObjectBuilder;
  return shared ? { kind: "shared", build } : { kind: "pool", build, limit, acquireTimeoutMs };
}
