// Store models — what the stores of a topology should hold: a plain map for each of them.
//
// Owns: rows by key, and their order. Leaves to others: what calls do to them (store-calls.ts).

import type { AnyStoreDeclaration } from "../runtime/plan.js";
import { storesOf, type Topology } from "../runtime/topology.js";
import type { TopologyParts } from "../runtime/topology-parts.js";
import type { StoreDeclaration } from "../store/declaration.js";
import { keyRangeOf } from "../store/key-range.js";
import type { EntriesOptions } from "../store/key-value-store.js";
import { decodeValue, encodeValue } from "../store/value.js";

/** The declared stores of a topology's parts, by name. */
export type StoresOf<Parts extends TopologyParts> = Parts extends {
  readonly stores: infer S extends Readonly<Record<string, object>>;
}
  ? S
  : Record<never, never>;

type KeyOf<S> = S extends StoreDeclaration<infer K, infer _V, infer _U> ? K : never;
type ValueOf<S> = S extends StoreDeclaration<infer _K, infer V, infer _U> ? V : never;

/** One key and its value. */
interface Row {
  readonly key: unknown;
  readonly value: unknown;
}

/** What one store should hold. Keys are found by their encoded bytes, as in the store. */
export class StoreModel {
  readonly name: string;
  readonly declaration: AnyStoreDeclaration;
  readonly #rows = new Map<string, Row>();

  constructor(name: string, declaration: AnyStoreDeclaration) {
    this.name = name;
    this.declaration = declaration;
  }

  /** A private copy of the key's value. */
  get(key: unknown): unknown {
    return copied(this.#rows.get(this.idOf(key))?.value);
  }

  /** `undefined` removes the key. */
  set(key: unknown, value: unknown): void {
    const id = this.idOf(key);
    if (value === undefined) this.#rows.delete(id);
    else this.#rows.set(id, { key, value: copied(value) });
  }

  keys(): unknown[] {
    return Array.from(this.#rows.values(), ({ key }) => key);
  }

  /** As the store's `entries`: within the bounds, in key order. */
  entries(options: EntriesOptions<unknown> = {}): (readonly [unknown, unknown])[] {
    const { key: codec } = this.declaration;
    const { from, to } = keyRangeOf(codec, options);
    const ids = [...this.#rows.keys()]
      .filter((id) => from === undefined || id >= hex(from))
      .filter((id) => to === undefined || id < hex(to))
      .sort();
    if (options.reverse === true) ids.reverse();
    return ids.slice(0, options.limit).map((id) => {
      const row = this.#rows.get(id);
      return [codec.decode(new Uint8Array(Buffer.from(id, "hex"))), copied(row?.value)] as const;
    });
  }

  /** Equal for equal keys. */
  idOf(key: unknown): string {
    return hex(this.declaration.key.encode(key));
  }
}

/** What the stores of a topology should hold. */
export interface StoreModels<Parts extends TopologyParts> {
  readonly topology: Topology<Parts>;
  /** The entries that a store should have, in key order. */
  entries<N extends keyof StoresOf<Parts> & string>(
    store: N,
  ): readonly (readonly [KeyOf<StoresOf<Parts>[N]>, ValueOf<StoresOf<Parts>[N]>])[];
}

const models = new WeakMap<object, ReadonlyMap<string, StoreModel>>();

/** Models of empty stores: the start of every run of commands. */
export function storeModels<const Parts extends TopologyParts>(
  declared: Topology<Parts>,
): StoreModels<Parts> {
  const byName = new Map<string, StoreModel>();
  for (const [name, store] of storesOf(declared)) byName.set(name, new StoreModel(name, store));
  const made = {
    topology: declared,
    entries: (store: string) => byName.get(store)?.entries() ?? [],
  };
  models.set(made, byName);
  // cast: the names lead to entries of the declarations' types
  return made as unknown as StoreModels<Parts>;
}

/** The model of one store. */
export function modelOf(all: object, store: string): StoreModel {
  const model = models.get(all)?.get(store);
  if (model === undefined) throw new TypeError(`these are no models of a store "${store}"`);
  return model;
}

/** All models. */
export function modelsOf(all: object): readonly StoreModel[] {
  return [...(models.get(all)?.values() ?? [])];
}

function copied(value: unknown): unknown {
  return value === undefined ? undefined : decodeValue(encodeValue(value));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
