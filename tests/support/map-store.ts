// Map store — a store made of a Map, sound or broken in one way: what a model must tell apart.
//
// Operations apply in the order of the calls, a turn of the event loop later, as with a real owner.

import type { EntriesOptions } from "../../store/key-value-store.js";
import { type ListStore, lists, order, type StoreSubject, type Value } from "./store-model.js";

/** What is wrong with a store. */
export type MapStoreFault =
  | "loses deletes"
  | "loses checkpointed"
  | "ignores concurrent"
  | "reads stale"
  | "clears too much"
  | "orders by unit"
  | "keeps empty";

export class MapStore implements StoreSubject {
  readonly store: ListStore;
  readonly #fault: MapStoreFault | undefined;
  #rows = new Map<string, Value>();
  readonly #deleted = new Map<string, Value>();
  #checkpointed: ReadonlyMap<string, Value> = new Map();
  #clearing = false;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(fault?: MapStoreFault) {
    this.#fault = fault;
    // cast: `get` has two signatures and `update` infers its types; this answers to both.
    this.store = this.#client() as unknown as ListStore;
  }

  async relaunch(): Promise<void> {
    await this.#tail;
    if (this.#fault === "loses deletes") {
      for (const [key, value] of this.#deleted) {
        if (!this.#rows.has(key)) this.#rows.set(key, value);
      }
    }
    if (this.#fault === "loses checkpointed") this.#rows = new Map(this.#checkpointed);
  }

  async checkpoint(): Promise<void> {
    await this.#tail;
    this.#checkpointed = new Map(this.#rows);
  }

  /** Applies `action` behind all that was called before. */
  #next<T>(action: () => T | Promise<T>): Promise<T> {
    const result = this.#tail.then(action);
    this.#tail = result.catch(() => {});
    return result;
  }

  #read<T>(action: () => T): Promise<T> {
    // Past everything that is still to be applied.
    return this.#fault === "reads stale" ? Promise.resolve(action()) : this.#next(action);
  }

  #set(key: string, value: Value | undefined): void {
    if (value !== undefined) {
      this.#rows.set(key, value);
      return;
    }
    const known = this.#rows.get(key);
    if (known !== undefined) this.#deleted.set(key, known);
    if (this.#fault === "keeps empty" && known !== undefined) this.#rows.set(key, []);
    else this.#rows.delete(key);
  }

  #update(name: "push" | "take", key: string, args: readonly number[]): unknown {
    const outcome =
      name === "push"
        ? lists.updates.push(this.#rows.get(key), args[0] ?? 0)
        : lists.updates.take(this.#rows.get(key));
    if ("reply" in outcome) {
      this.#set(key, outcome.value);
      return outcome.reply;
    }
    this.#set(key, outcome);
    return outcome;
  }

  #client() {
    const put = (key: string, value: Value) =>
      this.#next(() => {
        if (this.#clearing && this.#fault === "clears too much") return;
        this.#rows.set(key, value);
      });
    return {
      get: (key: string) => this.#read(() => this.#rows.get(key)),
      contains: (key: string) => this.#read(() => this.#rows.has(key)),
      getMany: (keys: readonly string[]) =>
        this.#read(() => keys.map((key) => this.#rows.get(key))),
      put,
      putMany: async (entries: readonly (readonly [string, Value])[]) => {
        await Promise.all(entries.map(([key, value]) => put(key, value)));
      },
      delete: (key: string) =>
        this.#next(() => {
          const existed = this.#rows.get(key);
          if (existed !== undefined) this.#deleted.set(key, existed);
          return this.#rows.delete(key);
        }),
      clear: () => {
        this.#clearing = true;
        return this.#next(async () => {
          this.#rows.clear();
          await Promise.resolve();
          setImmediate(() => {
            this.#clearing = false;
          });
        });
      },
      update: (name: "push" | "take", key: string, ...args: readonly number[]) => {
        if (this.#fault !== "ignores concurrent") {
          return this.#next(() => this.#update(name, key, args));
        }
        const before = this.#rows.get(key);
        return this.#next(() => {
          if (before === undefined) this.#rows.delete(key);
          else this.#rows.set(key, before);
          return this.#update(name, key, args);
        });
      },
      modify: (key: string, change: (value: Value | undefined) => Value | undefined) =>
        this.#next(() => {
          const next = change(this.#rows.get(key));
          this.#set(key, next);
          return next;
        }),
      entries: (options: EntriesOptions<string> = {}) => this.#entries(options),
    };
  }

  async *#entries(options: EntriesOptions<string>): AsyncGenerator<readonly [string, Value]> {
    const { from, to, prefix, limit = Number.POSITIVE_INFINITY, reverse = false } = options;
    const compare = this.#fault === "orders by unit" ? byUnit : order;
    const rows = await this.#next(() => [...this.#rows]);
    const found = rows
      .filter(([key]) => from === undefined || order(key, from) >= 0)
      .filter(([key]) => to === undefined || order(key, to) < 0)
      .filter(([key]) => typeof prefix !== "string" || key.startsWith(prefix))
      .sort(([a], [b]) => (reverse ? compare(b, a) : compare(a, b)));
    yield* found.slice(0, limit);
  }
}

function byUnit(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
