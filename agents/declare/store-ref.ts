// Store ref — a store of another topology, as one that a node may read.
//
// Owns: the reference and its types. Leaves to others: whether that topology has such a store
// (definition-problems.ts), reading it (agents/node/neighbour-store.ts).

import type { Topology } from "../../runtime/topology.js";
import type { TopologyParts } from "../../runtime/topology-parts.js";
import type { StoreDeclaration } from "../../store/declaration.js";

declare const storeTypes: unique symbol;
const storeRefBrand: unique symbol = Symbol.for("partita.storeRef");

/** A store of another launched topology of the process: readable, not writable. */
export interface StoreRef<K, V> {
  readonly kind: "storeRef";
  readonly topology: Topology;
  readonly name: string;
  readonly [storeRefBrand]: true;
  /** Types only; never set. */
  readonly [storeTypes]?: { readonly key: (key: K) => void; readonly value: V };
}

/** The reference to a store of a topology with these parts. */
export type StoreRefOf<Parts extends TopologyParts, Name> = Parts extends {
  readonly stores: infer S;
}
  ? Name extends keyof S
    ? S[Name] extends StoreDeclaration<infer K, infer V, infer _U>
      ? StoreRef<K, V>
      : never
    : never
  : never;

/** The names of what a topology declares under `Part`. */
export type NameIn<
  Parts extends TopologyParts,
  Part extends keyof TopologyParts,
> = keyof NonNullable<Parts[Part]> & string;

/**
 * Refers to a store of another topology that is launched in this process. Nodes see it with the
 * methods of `ReadOnlyKeyValueStore`.
 *
 *     stores: { balances: storeRef(bank, "balances") }
 */
export function storeRef<Parts extends TopologyParts, const Name extends NameIn<Parts, "stores">>(
  topology: Topology<Parts>,
  name: Name,
): StoreRefOf<Parts, Name> {
  const reference = { kind: "storeRef", topology, name, [storeRefBrand]: true };
  // cast: the types of a reference are phantoms
  return Object.freeze(reference) as StoreRefOf<Parts, Name>;
}

/** Whether something was made by `storeRef()`. */
export function isStoreRef(value: unknown): value is StoreRef<unknown, unknown> {
  return typeof value === "object" && value !== null && storeRefBrand in value;
}
