// Key-value store — what nodes and clients do with a store. Contracts only; the runtime implements
// them.
//
// Promises of every operation, whoever asks and wherever the key lives:
//   - Operations of one client on one key take effect in the order they were called (FIFO per
//     client and key), awaited or not. Operations on different keys have no order; and of two reads
//     of a key that are both under way, the first may be answered with the newer value.
//   - Each operation on one key is atomic, and the history of a key is linearizable over all
//     clients.
//   - A client sees its own writes: a read waits for earlier writes of the client on that key.
//   - When the promise of a write resolves, the write is durable (in durability mode `durable`) and
//     every reader on every thread sees it. What a reader has seen is durable.
//   - What is refused (KEY_*, VALUE_*, SCHEMA_*) is refused before anything changes.
//
// All of them reject with CLOSED after `close`, and with TASK_EXITED when the thread of the key's
// owner dies while they wait: then a write may or may not have happened. Values returned are
// private copies.

import type { ArgsOf, ReplyOf } from "./declaration.js";
import type { KeyBounds } from "./key-range.js";

/** What `entries` goes over. All bounds that are given hold. */
export interface EntriesOptions<K> extends KeyBounds<K> {
  /** At most so many entries; a whole number, 0 or more. Default: all. */
  readonly limit?: number | undefined;
  /** From the last key to the first; the bounds keep their meaning (`from` <= key < `to`). */
  readonly reverse?: boolean | undefined;
  /** Ends the iteration by throwing `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `modify`. */
export interface ModifyOptions {
  /**
   * Ends the rounds by rejecting with `signal.reason`; a round that was sent may still take effect.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Reading a store. A read is one look-up in shared memory or in a memory-mapped file. */
export interface ReadOnlyKeyValueStore<K, V> {
  /**
   * The key's value, or `undefined` (or `fallback`) when it has none. The fallback is neither
   * validated nor stored. Cost: O(1) without a message, unless this client's own writes to the key
   * are on the way.
   * @throws PartitaError KEY_INVALID, KEY_EMPTY, KEY_TOO_LARGE
   */
  get(key: K): Promise<V | undefined>;
  get(key: K, fallback: V): Promise<V>;

  /** Whether the key has a value (`null` is one). Cost and errors as `get`. */
  contains(key: K): Promise<boolean>;

  /**
   * The values of many keys, in their order, `undefined` for a key without one; a key may occur
   * twice.
   * Each key is read for itself: together they are no snapshot. Cost and errors as `get` for each.
   */
  getMany(keys: Iterable<K>): Promise<(V | undefined)[]>;

  /**
   * The entries within the bounds, in key order (numbers by value, texts by code point, tuples part
   * by part), merged over all tasks. Read page by page while it is consumed: an entry that is
   * written or deleted meanwhile may or may not be seen, every other one is seen exactly once. This
   * client's earlier writes are seen. Cost: O(log n) per page and task, O(tasks) pages in memory.
   * Stopping early (`break`, `return`) frees them.
   * @throws PartitaError RANGE_INVALID, OPTION_INVALID, OPTION_UNKNOWN, and KEY_* for a bound, at
   * the
   *   first step
   */
  entries(options?: EntriesOptions<K>): AsyncIterable<readonly [K, V]>;
}

/** Reading and writing a store. */
export interface KeyValueStore<K, V, U> extends ReadOnlyKeyValueStore<K, V> {
  /**
   * Gives the key a value, whatever it had. What is stored is what the store's schema returns.
   * @throws PartitaError VALUE_UNDEFINED, VALUE_UNSUPPORTED, VALUE_CYCLIC, VALUE_TOO_DEEP,
   *   VALUE_TOO_LARGE, SCHEMA_INVALID, SCHEMA_ASYNC, KEY_*; MAILBOX_FULL
   */
  put(key: K, value: V): Promise<void>;

  /**
   * Removes the key. Resolves with whether it had a value; removing nothing is no error.
   * @throws PartitaError KEY_*; MAILBOX_FULL
   */
  delete(key: K): Promise<boolean>;

  /**
   * Removes every key, task by task: each task's keys go at one instant, and no instant covers all
   * tasks. This client's earlier writes are removed, its later ones are not. Cost: O(tasks); the
   * space comes back with later checkpoints.
   */
  clear(): Promise<void>;

  /**
   * Puts many entries, in their order: of two with one key the later wins. Every key and value is
   * checked before the first is sent. Each put is atomic, all of them together are not; resolves
   * when all are done, and rejects with the first failure after all have settled.
   * @throws PartitaError as `put`
   */
  putMany(entries: Iterable<readonly [K, V]>): Promise<void>;

  /**
   * Applies a declared update on the key's owner and resolves with its reply, or with the new value
   * (`undefined` when it deleted the key). Cost: one message; the value does not travel.
   * @throws PartitaError UPDATE_UNKNOWN; UPDATE_THREW with what it threw as the cause, nothing
   * changed;
   *   VALUE_* and SCHEMA_* for an argument, the new value or the reply; KEY_*; MAILBOX_FULL
   */
  update<N extends keyof U & string>(
    name: N,
    key: K,
    ...args: ArgsOf<U[N]>
  ): Promise<ReplyOf<U[N]>>;

  /**
   * Replaces the key's value by what `fn` makes of it, atomically: `fn` runs on this thread with
   * the current value (`undefined` when there is none), and again with a newer one when another
   * writer came in between, so it may run several times and must have no other effect. `undefined`
   * deletes the key.
   * Resolves with the new value. What `fn` throws rejects the call, and nothing changes. Prefer a
   * named update for keys that many write: it never runs twice.
   * @throws PartitaError MODIFY_CONFLICT after `limits.modifyAttemptsMax` rounds; else as `put`
   */
  modify(
    key: K,
    fn: (current: V | undefined) => V | undefined,
    options?: ModifyOptions,
  ): Promise<V | undefined>;

  /**
   * The same writes under an id: the call that is made through what this returns is carried out
   * once, however often it is made, over restarts too. A call that comes again with its id gets
   * the reply of the first and changes nothing; so a caller that saw TASK_EXITED, or that was
   * started again, just calls again. One id is for one call on one key. A call that was refused
   * has changed nothing and is tried anew.
   *
   * The reply is remembered for 24 hours and within a bound (`launch` option `ids`); later the id
   * is refused with ID_EXPIRED and nothing is carried out. Cost: one more row in the same frame.
   *
   *     await counters.once(runtime.newId()).update("add", "visits", 1);
   *     await orders.once(callId(event.id, event.createdAt)).put(event.order, order);
   *
   * @param id a UUID of version 7: `runtime.newId()`, or `callId(name, at)` for calls with a name
   * @throws PartitaError ID_INVALID; the calls reject with ID_REUSED when the id was used for
   *   another call, and with ID_EXPIRED
   */
  once(id: string): OnceKeyValueStore<K, V, U>;
}

/** Writes that are carried out once: see `KeyValueStore.once`. */
export type OnceKeyValueStore<K, V, U> = Pick<KeyValueStore<K, V, U>, "put" | "delete" | "update">;
