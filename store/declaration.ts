// Declaration — what a store is: its key, its value, and the updates that may be applied to it by
// name.
//
// Owns: `keyValueStore`, `reply`, and the types that carry a declaration's key, value and updates
// to every place that uses the store. Leaves to others: where it lives (runtime), what it does
// (key-value-store.ts).
//
// Invariants:
//   D1. A declaration is immutable and has no name: the topology that holds it gives it one.
//   D2. Everything about it is checked here, at once, before anything exists.
//   D3. Updates are named, so that only a name and arguments cross a thread, never a function.

import { isAsyncFunction } from "node:util/types";
import { PartitaError } from "../base/errors.js";
import { isName, nameRule } from "../base/name.js";
import { checkOptionNames, optionInvalid } from "../base/options.js";
import { checkedKeyCodec } from "./custom-key.js";
import type { KeyCodec } from "./key-form.js";
import { checkSchema, type Schema } from "./schema.js";

const replyBrand: unique symbol = Symbol.for("partita.reply");

/** What an update returns to answer with something other than the new value. Made by `reply`. */
export interface Reply<V, R> {
  /** The key's new value; `undefined` deletes it. */
  readonly value: V;
  /** What the caller gets. */
  readonly reply: R;
  readonly [replyBrand]: true;
}

/**
 * In an update: the key's new value, and what the caller gets instead of it. A `value` of
 * `undefined` deletes the key; to leave it as it is, pass the current one.
 *
 *     withdraw: (cents = 0, amount: number) =>
 *       cents < amount ? reply(cents, false) : reply(cents - amount, true),
 */
export function reply<V, R>(value: V, answer: R): Reply<V, R> {
  return Object.freeze({ value, reply: answer, [replyBrand]: true as const });
}

/**
 * Whether an update's outcome was made by `reply`: a value that merely looks like one is a value.
 */
export function isReply(outcome: unknown): outcome is Reply<unknown, unknown> {
  return typeof outcome === "object" && outcome !== null && replyBrand in outcome;
}

/**
 * A named update: a synchronous function of the current value (`undefined` when there is none) and
 * the caller's arguments, whose types must be written. It returns the new value, which is also the
 * caller's reply, or `reply(value, ...)`; `undefined` deletes the key. The key's owner runs it, one
 * at a time per key. It must be pure: it can run again after a crash. When it throws, nothing is
 * changed.
 */
export type UpdateFunction<V> = (
  current: V | undefined,
  ...args: never[]
) => V | undefined | Reply<V | undefined, unknown>;

/** Updates by name. */
export type Updates<V> = Readonly<Record<string, UpdateFunction<V>>>;

/** Updates of a store whose types are not known: what the runtime handles. */
export type ErasedUpdates = Readonly<
  Record<string, (current: unknown, ...args: unknown[]) => unknown>
>;

/** The arguments of an update behind the current value. */
export type ArgsOf<F> = F extends (current: never, ...args: infer A) => unknown ? A : never;

/** What a caller of an update gets: what it replies, or else the new value. */
export type ReplyOf<F> = F extends (...args: never[]) => infer R
  ? R extends Reply<unknown, infer X>
    ? X
    : R
  : never;

const declarationBrand: unique symbol = Symbol.for("partita.store");

/** A declared store: keys `K`, values `V`, updates `U`. Put it into a topology. */
export interface StoreDeclaration<K, V, U> {
  readonly kind: "keyValueStore";
  readonly key: KeyCodec<K>;
  /** Asked about values from anywhere, so its input is anything. */
  readonly value: Schema<V, unknown>;
  readonly updates: U;
  readonly [declarationBrand]: true;
}

/** The options of `keyValueStore`. */
export interface KeyValueStoreOptions<K, I, V extends I, U> {
  /** `string`, `uuid`, `integer`, `bigint`, `bytes`, `boolean`, `tuple(...)`, or your own codec. */
  readonly key: KeyCodec<K>;
  /** `type<V>()`, or a synchronous Standard Schema that accepts the values it returns. */
  readonly value: Schema<V, I>;
  /** Functions by name: see `UpdateFunction`. Their arguments and replies are inferred. */
  readonly updates?: U & Updates<V>;
}

type NoUpdates = Readonly<Record<never, never>>;

/**
 * Declares a store of `V`s by `K`s.
 *
 *     const balances = keyValueStore({
 *       key: string,
 *       value: type<number>(),
 *       updates: { deposit: (cents = 0, amount: number) => cents + amount },
 *     });
 *
 * @throws PartitaError OPTION_UNKNOWN for an option that does not exist
 * @throws PartitaError OPTION_INVALID for a missing or wrong option, naming what is valid
 */
export function keyValueStore<K, I, V extends I, const U extends Updates<V> = NoUpdates>(
  options: KeyValueStoreOptions<K, I, V, U>,
): StoreDeclaration<K, V, U> {
  const where = "keyValueStore";
  checkOptionNames(where, options, ["key", "value", "updates"]);
  const key = checkedKeyCodec(options.key, where);
  checkSchema(options.value, where, "value");
  checkUpdates(where, options.updates ?? {});
  return Object.freeze({
    kind: "keyValueStore",
    key,
    // cast: `put` and updates give it what they are given; it refuses what it does not accept
    value: options.value as Schema<V, unknown>,
    // cast: without `updates`, U is NoUpdates
    updates: Object.freeze({ ...options.updates }) as U,
    [declarationBrand]: true as const,
  });
}

/** Whether `value` was made by `keyValueStore`. */
export function isStoreDeclaration(
  value: unknown,
): value is StoreDeclaration<unknown, unknown, ErasedUpdates> {
  return typeof value === "object" && value !== null && declarationBrand in value;
}

function checkUpdates(where: string, updates: unknown): void {
  if (typeof updates !== "object" || updates === null || Array.isArray(updates)) {
    throw optionInvalid(where, "updates", updates, "an object of functions");
  }
  for (const [name, update] of Object.entries(updates)) {
    if (!isName(name)) {
      const valid = `named with ${nameRule}`;
      throw new PartitaError("OPTION_INVALID", { where, option: "updates", value: name, valid });
    }
    if (typeof update !== "function" || isAsyncFunction(update)) {
      throw optionInvalid(where, `updates.${name}`, update, "a synchronous function");
    }
  }
}
