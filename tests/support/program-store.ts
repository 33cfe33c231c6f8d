// A store for nodes that run in the program harness: plain maps, with operations that take a while.
//
// Every operation waits until the harness lets it happen, so that node functions overlap in all the
// ways that the seed finds. Keys are told apart by their JSON.

import type { AnyStoreClient } from "../../agents/node/node-store.js";

/** A named function as store declarations have it. */
export type UpdateFunction = (current: unknown, ...args: unknown[]) => unknown;

/** Calls `action` some time later and resolves with what it returns. */
export type Later = <T>(action: () => T) => Promise<T>;

/** What a store holds; shared by the clients of all tasks. */
export class StoreContent {
  readonly values = new Map<string, unknown>();
  readonly updates: Readonly<Record<string, UpdateFunction>>;

  constructor(updates: Readonly<Record<string, UpdateFunction>> = {}) {
    this.updates = updates;
  }

  get(key: unknown): unknown {
    return this.values.get(JSON.stringify(key));
  }
}

/** The client of one task. */
export function storeClient(content: StoreContent, later: Later): AnyStoreClient {
  const { values } = content;
  const nameOf = (key: unknown): string => JSON.stringify(key);
  const write = (key: unknown, value: unknown): unknown => {
    if (value === undefined) values.delete(nameOf(key));
    else values.set(nameOf(key), value);
    return value;
  };
  const client: Omit<AnyStoreClient, "once"> = {
    get: (key: unknown, fallback?: unknown) => later(() => values.get(nameOf(key)) ?? fallback),
    contains: (key) => later(() => values.has(nameOf(key))),
    getMany: (keys) => later(() => Array.from(keys, (key) => values.get(nameOf(key)))),
    entries: () => entriesOf(values, later),
    put: (key, value) => later(() => void write(key, value)),
    putMany: (entries) =>
      later(() => {
        for (const [key, value] of entries) write(key, value);
      }),
    delete: (key) => later(() => values.delete(nameOf(key))),
    clear: () => later(() => values.clear()),
    update: (name: string, key: unknown, ...args: unknown[]) =>
      later(() => {
        const fn = content.updates[name];
        if (fn === undefined) throw new Error(`there is no update "${name}"`);
        return write(key, fn(values.get(nameOf(key)), ...args));
      }),
    modify: (key, change) => later(() => write(key, change(values.get(nameOf(key))))),
  };
  // It remembers no ids: what is called twice is done twice.
  return { ...client, once: () => client };
}

async function* entriesOf(
  values: ReadonlyMap<string, unknown>,
  later: Later,
): AsyncGenerator<readonly [unknown, unknown], void> {
  for (const [name, value] of [...values]) {
    const key: unknown = JSON.parse(name);
    yield await later(() => [key, value] as const);
  }
}

/** What a task's port has of the guards, where nobody guards. */
export const harnessGuards = {
  mayStart: () => true,
  onMayStart: () => {},
  entered: () => {},
  left: () => {},
  goesOn: () => {},
  suspectHint: undefined,
};
