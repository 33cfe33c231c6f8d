// Declaration — what a topology says of a store: keys, values, and the named updates its owner applies.
//
// Owns: `keyValueStore()` and the types that lead from a declaration to its clients. Leaves to others:
// codecs (key-form.ts), schemas (schema.ts), running updates (the runtime). A declaration is a frozen
// value without behaviour; references to a store are references to this value.

import { isName, nameRule } from "../base/name.js";
import { checkOptionNames, optionInvalid } from "../base/options.js";
import { checkedKeyCodec } from "./custom-key.js";
import type { KeyCodec } from "./key-form.js";
import { checkSchema, type Schema } from "./schema.js";

/** What an update returns when its reply is not the new value: made by `reply(value, reply)`. */
export interface Reply<V, R> {
  readonly [replyMark]: true;
  /** The key's new value; `undefined` deletes it. */
  readonly value: V;
  /** What the caller gets. */
  readonly reply: R;
}

const replyMark: unique symbol = Symbol.for("partita.reply");

/** The outcome of an update that answers something else than the new value. */
export function reply<V, R>(value: V, answer: R): Reply<V, R> {
  return Object.freeze({ [replyMark]: true, value, reply: answer });
}

/** Whether an update returned a `reply(...)`. */
export function isReply(outcome: unknown): outcome is Reply<unknown, unknown> {
  return typeof outcome === "object" && outcome !== null && replyMark in outcome;
}

/**
 * A named update: a synchronous function of the current value (`undefined` when there is none) and the
 * caller's arguments. It returns the new value, which is also the caller's reply, or `reply(value, …)`;
 * `undefined` deletes the key. The owner runs it, one after another for a key. It must depend on its
 * arguments alone. When it throws, nothing is changed and the caller gets UPDATE_THREW.
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

/** The caller's arguments of an update. */
export type ArgsOf<F> = F extends (current: never, ...args: infer A) => unknown ? A : never;

/** What the caller of an update gets. */
export type ReplyOf<F> = F extends (...args: never[]) => infer R
  ? R extends Reply<unknown, infer X>
    ? X
    : R
  : never;

/** A declared store. `K`, `V` and `U` lead to the type of its clients. */
export interface StoreDeclaration<K, V, U extends Updates<V>> {
  readonly kind: "keyValueStore";
  readonly key: KeyCodec<K>;
  readonly value: Schema<V>;
  readonly updates: U;
}

/** Options of `keyValueStore`. */
export interface KeyValueStoreOptions<K, V, U extends Updates<V>> {
  /** How keys become bytes: `string`, `uuid`, `integer`, `bigint`, `bytes`, `boolean`, `tuple(...)`, or your own. */
  readonly key: KeyCodec<K>;
  /** Any Standard Schema, `type<T>()`, or `instanceOf(...)`. Checked on every write. */
  readonly value: Schema<V>;
  /** Named updates; their arguments and replies are inferred. */
  readonly updates?: U;
}

const where = "keyValueStore";

/**
 * Declares a typed key-value store.
 *
 * @example
 * const counters = keyValueStore({
 *   key: string,
 *   value: type<number>(),
 *   updates: { add: (count = 0, by: number) => count + by },
 * });
 *
 * @throws PartitaError OPTION_UNKNOWN, OPTION_INVALID
 */
export function keyValueStore<K, V, const U extends Updates<V> = Record<never, never>>(
  options: KeyValueStoreOptions<K, V, U>,
): StoreDeclaration<K, V, U> {
  checkOptionNames(where, options, ["key", "value", "updates"]);
  const key = checkedKeyCodec(options.key, where);
  checkSchema(options.value, where, "value");
  // cast: without updates U is inferred as an empty record.
  const updates = options.updates ?? ({} as U);
  checkUpdates(updates);
  const frozen = Object.freeze({ ...updates });
  return Object.freeze({ kind: "keyValueStore", key, value: options.value, updates: frozen });
}

/** Whether `value` was made by `keyValueStore`. */
export function isStoreDeclaration(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    "kind" in value &&
    value.kind === "keyValueStore" &&
    "updates" in value
  );
}

function checkUpdates(updates: unknown): void {
  if (typeof updates !== "object" || updates === null || Array.isArray(updates)) {
    throw optionInvalid(where, "updates", updates, "an object of functions");
  }
  for (const [name, update] of Object.entries(updates)) {
    if (!isName(name)) throw optionInvalid(where, "updates", name, `named by ${nameRule}`);
    if (typeof update !== "function") {
      throw optionInvalid(where, `updates.${name}`, update, "a function");
    }
  }
}
