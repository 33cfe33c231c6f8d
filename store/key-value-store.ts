// Key-value store — the contracts of what clients and nodes hold. Interfaces alone; no code.
//
// Promises for one key: linearizable, whoever asks on whatever thread; updates one at a time, in order.
// Promises for one client: its operations on one key apply in the order of its calls, awaited or not, and
// its later reads see its earlier writes. Not promised: anything about two keys at one instant.
//
// Every method rejects with PartitaError: KEY_INVALID, KEY_EMPTY, KEY_TOO_LARGE for what is no key, CLOSED
// after `close`, TASK_EXITED when the owner's thread died meanwhile (whether the operation took effect is
// then unknown), MAILBOX_FULL when `launch` was asked to refuse instead of wait. What is refused has
// changed nothing.

import type { ArgsOf, ReplyOf, Updates } from "./declaration.js";
import type { KeyPrefix } from "./key-form.js";

/** Options of `entries`. All bounds that are given hold. */
export interface EntriesOptions<K> {
  /** First key, included. */
  readonly from?: K;
  /** End, excluded. */
  readonly to?: K;
  /** Only keys that begin with this: a text, bytes, or the leading parts of a tuple. */
  readonly prefix?: KeyPrefix<K>;
  /** At most so many entries. */
  readonly limit?: number;
  /** From the greatest key down. `from` and `to` keep their meaning. */
  readonly reverse?: boolean;
  /** Aborting ends the iteration with `signal.reason`. */
  readonly signal?: AbortSignal;
}

/** Options of `modify`. */
export interface ModifyOptions {
  /** Aborting stops the rounds with `signal.reason`; a round that was sent may still take effect. */
  readonly signal?: AbortSignal;
}

/** Reads. They go straight to shared memory and LMDB: no message, unless an own write is on the way. */
export interface ReadOnlyKeyValueStore<K, V> {
  /** The newest value; `undefined` when there is none. */
  get(key: K): Promise<V | undefined>;
  /** The newest value; `fallback` when there is none. */
  get(key: K, fallback: V): Promise<V>;
  /** Whether there is a value. */
  contains(key: K): Promise<boolean>;
  /** The values of several keys, in their order; each key is read for itself. */
  getMany(keys: Iterable<K>): Promise<(V | undefined)[]>;
  /**
   * Entries in key order (that of encoded keys: numbers by value, text by code point), merged over all
   * tasks, each key once. An entry that was committed before the iteration asked for it is seen; it is no
   * snapshot. Cost: O(entries yielded), and for the first one O(rows in memory) on each task.
   * @throws PartitaError RANGE_INVALID, OPTION_INVALID from the first `next()`
   */
  entries(options?: EntriesOptions<K>): AsyncIterable<readonly [K, V]>;
}

/** Reads and writes. A write resolves when it is committed: durable in mode `durable`, and visible. */
export interface KeyValueStore<K, V, U extends Updates<V>> extends ReadOnlyKeyValueStore<K, V> {
  /**
   * Sets a value.
   * @throws PartitaError VALUE_UNDEFINED, VALUE_UNSUPPORTED, VALUE_CYCLIC, VALUE_TOO_DEEP,
   *   VALUE_TOO_LARGE, SCHEMA_INVALID
   */
  put(key: K, value: V): Promise<void>;
  /** Sets several values, each for itself: all are refused when one of them cannot be encoded. */
  putMany(entries: Iterable<readonly [K, V]>): Promise<void>;
  /** Removes a key. Resolves with whether there was a value. */
  delete(key: K): Promise<boolean>;
  /** Removes every entry. Atomic for each task; O(1), the space comes back with the next checkpoint. */
  clear(): Promise<void>;
  /**
   * Applies a declared update at the key's owner and resolves with its reply.
   * @throws PartitaError UPDATE_UNKNOWN, UPDATE_THREW (its cause is what the update threw),
   *   SCHEMA_INVALID and the codec's errors for a new value that is none
   */
  update<N extends keyof U & string>(
    name: N,
    key: K,
    ...args: ArgsOf<U[N]>
  ): Promise<ReplyOf<U[N]>>;
  /**
   * Applies a function atomically, from any thread: reads, calls `change`, and writes unless somebody was
   * faster; then once more with the newer value. `change` may run several times and must not keep
   * what it is given. `undefined` deletes the key. Resolves with the new value. Under contention a
   * declared update is cheaper.
   * @throws PartitaError MODIFY_CONFLICT after 1,000 rounds; whatever `change` throws
   */
  modify(
    key: K,
    change: (current: V | undefined) => V | undefined,
    options?: ModifyOptions,
  ): Promise<V | undefined>;
}
