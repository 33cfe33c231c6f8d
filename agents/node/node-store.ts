// Node store — a store as one node invocation sees it: every operation is counted until it has
// ended.
//
// Owns: nothing but the detour of each operation over `NodeOperations`, and that writes may be
// refused. Leaves to others: what the operations do (the runtime's KeyValueStore), what happens to
// those still under way when the node function returns (active-node.ts).

import type { TaskPort } from "../../runtime/task-program.js";

/** A store of the topology, whatever its types. */
export type AnyStoreClient = ReturnType<TaskPort["store"]>;

type EntriesBounds = Parameters<AnyStoreClient["entries"]>[0];
type ModifyOptions = Parameters<AnyStoreClient["modify"]>[2];

/** Runs the operations of a node. */
export interface NodeOperations {
  /**
   * Begins an operation and returns its outcome. Its failure never becomes an unhandled rejection.
   * Rejects with NODE_FINISHED, without beginning, when the node function has returned.
   */
  operation<T>(name: string, begin: () => Promise<T>): Promise<T>;
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
    return this.#run("get", () =>
      fallback.length === 0 ? this.#store.get(key) : this.#store.get(key, fallback[0]),
    );
  }

  contains(key: unknown): Promise<boolean> {
    return this.#run("contains", () => this.#store.contains(key));
  }

  getMany(keys: Iterable<unknown>): Promise<unknown[]> {
    return this.#run("getMany", () => this.#store.getMany(keys));
  }

  entries(options?: EntriesBounds): AsyncIterable<readonly [unknown, unknown]> {
    return {
      [Symbol.asyncIterator]: () => {
        const inner = this.#store.entries(options)[Symbol.asyncIterator]();
        return {
          next: () => this.#run("entries", () => inner.next()),
          return: async (value?: unknown) => {
            await inner.return?.(value);
            return { done: true, value: undefined };
          },
        };
      },
    };
  }

  put(key: unknown, value: unknown): Promise<void> {
    return this.#write("put", () => this.#store.put(key, value));
  }

  putMany(entries: Iterable<readonly [unknown, unknown]>): Promise<void> {
    return this.#write("putMany", () => this.#store.putMany(entries));
  }

  delete(key: unknown): Promise<boolean> {
    return this.#write("delete", () => this.#store.delete(key));
  }

  clear(): Promise<void> {
    return this.#write("clear", () => this.#store.clear());
  }

  update(name: string, key: unknown, ...args: unknown[]): Promise<unknown> {
    return this.#write("update", () => this.#store.update(name, key, ...args));
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
    return this.#write("modify", () => this.#store.modify(key, changed, options));
  }

  once(id: string): ReturnType<AnyStoreClient["once"]> {
    const once = this.#store.once(id);
    return {
      put: (key, value) => this.#write("put", () => once.put(key, value)),
      delete: (key) => this.#write("delete", () => once.delete(key)),
      update: (name: string, key: unknown, ...args: unknown[]) =>
        this.#write("update", () => once.update(name, key, ...args)),
    };
  }

  #write<T>(operation: string, begin: () => Promise<T>): Promise<T> {
    return this.#run(operation, () => {
      this.#node.assertWrites();
      return begin();
    });
  }

  #run<T>(operation: string, begin: () => Promise<T>): Promise<T> {
    return this.#node.operation(`stores.${this.#name}.${operation}`, begin);
  }
}
