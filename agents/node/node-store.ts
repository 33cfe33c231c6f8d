// Node store — a store as one node invocation sees it: every operation is counted until it has
// ended.
//
// Owns: nothing but the detour of each operation over `NodeOperations`, and that writes may be
// refused. Leaves to others: what the operations do (the runtime's KeyValueStore), what happens to
// those still under way when the node function returns (active-node.ts).

import type { TaskPort } from "../../runtime/task-program.js";
import type { OperationType } from "../wire/node-trace.js";
import type { Traced } from "./trace-recorder.js";

/** A store of the topology, whatever its types. */
export type AnyStoreClient = ReturnType<TaskPort["store"]>;

type EntriesBounds = Parameters<AnyStoreClient["entries"]>[0];
type ModifyOptions = Parameters<AnyStoreClient["modify"]>[2];

/** Runs the operations of a node. */
export interface NodeOperations {
  /**
   * Begins an operation and returns its outcome. Its failure never becomes an unhandled rejection.
   * Rejects with NODE_FINISHED, without beginning, when the node function has returned. `traced` is
   * what the invocation's trace says of it.
   */
  operation<T>(name: string, begin: () => Promise<T>, traced?: Traced): Promise<T>;
  /** @throws what writes are refused with, when they are */
  assertWrites(): void;
}

export class NodeStore implements AnyStoreClient {
  readonly #node: NodeOperations;
  readonly #name: string;
  readonly #store: AnyStoreClient;

  /** `name`: what the agent calls the store. */
  constructor(node: NodeOperations, name: string, store: AnyStoreClient) {
    this.#node = node;
    this.#name = name;
    this.#store = store;
  }

  get(key: unknown, ...fallback: [] | [unknown]): Promise<unknown> {
    return this.#read("get", [key, ...fallback], () =>
      fallback.length === 0 ? this.#store.get(key) : this.#store.get(key, fallback[0]),
    );
  }

  contains(key: unknown): Promise<boolean> {
    return this.#read("contains", [key], () => this.#store.contains(key));
  }

  getMany(keys: Iterable<unknown>): Promise<unknown[]> {
    const all: unknown[] = [];
    return this.#read("getMany", [all], () => {
      all.push(...keys);
      return this.#store.getMany(all);
    });
  }

  entries(options?: EntriesBounds): AsyncIterable<readonly [unknown, unknown]> {
    return {
      [Symbol.asyncIterator]: () => {
        const inner = this.#store.entries(options)[Symbol.asyncIterator]();
        const given = options === undefined ? [] : [options];
        return {
          next: () => this.#read("entries", given, () => inner.next()),
          return: async (value?: unknown) => {
            await inner.return?.(value);
            return { done: true, value: undefined };
          },
        };
      },
    };
  }

  put(key: unknown, value: unknown): Promise<void> {
    return this.#write("put", [key, value], () => this.#store.put(key, value));
  }

  putMany(entries: Iterable<readonly [unknown, unknown]>): Promise<void> {
    const all: (readonly [unknown, unknown])[] = [];
    return this.#write("putMany", [all], () => {
      all.push(...entries);
      return this.#store.putMany(all);
    });
  }

  delete(key: unknown): Promise<boolean> {
    return this.#write("delete", [key], () => this.#store.delete(key));
  }

  clear(): Promise<void> {
    return this.#write("clear", [], () => this.#store.clear());
  }

  update(name: string, key: unknown, ...args: unknown[]): Promise<unknown> {
    return this.#write("update", [name, key, ...args], () =>
      this.#store.update(name, key, ...args),
    );
  }

  modify(
    key: unknown,
    change: (current: unknown) => unknown,
    options?: ModifyOptions,
  ): Promise<unknown> {
    // It looks again before each of its rounds.
    const changed = (current: unknown): unknown => {
      this.#node.assertWrites();
      return change(current);
    };
    return this.#write("modify", [key], () => this.#store.modify(key, changed, options));
  }

  once(id: string): ReturnType<AnyStoreClient["once"]> {
    const once = this.#store.once(id);
    return {
      put: (key, value) => this.#write("put", [key, value], () => once.put(key, value)),
      delete: (key) => this.#write("delete", [key], () => once.delete(key)),
      update: (name: string, key: unknown, ...args: unknown[]) =>
        this.#write("update", [name, key, ...args], () => once.update(name, key, ...args)),
    };
  }

  #read<T>(call: string, given: readonly unknown[], begin: () => Promise<T>): Promise<T> {
    return this.#run("store-read", call, given, begin);
  }

  #write<T>(call: string, given: readonly unknown[], begin: () => Promise<T>): Promise<T> {
    return this.#run("store-write", call, given, () => {
      this.#node.assertWrites();
      return begin();
    });
  }

  #run<T>(
    type: OperationType,
    call: string,
    given: readonly unknown[],
    begin: () => Promise<T>,
  ): Promise<T> {
    const about = { store: this.#name, call };
    const name = `stores.${this.#name}.${call}`;
    return this.#node.operation(name, begin, { type, about, arguments: given });
  }
}
