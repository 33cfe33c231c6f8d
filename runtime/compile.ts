// Compile — from a topology to a plan: tables for names, a hash of the structure, tasks on threads.
//
// Owns: the shape of a topology (what must be equal in every thread) and the assignment of tables.
// Leaves to others: problems of the declaration (topology-problems.ts), the record on disk
// (directory.ts).
//
// Invariants:
//   J1. Two threads that import the same module find the same `shapeHash`, or the second refuses.
//   J2. A store keeps its table for the life of the directory; tables are never reused.

import { createHash } from "node:crypto";
import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import type { AnyStoreDeclaration, PlannedStore, PlannedUpdate, PlanShape } from "./plan.js";
import type { ObjectEntry, ProgramEntry } from "./task-program.js";
import { storesOf, type Topology } from "./topology.js";
import { topologyNames } from "./topology-problems.js";

/** What of a store must not change while the directory lives. */
export interface RecordedStore {
  readonly table: number;
  /** Name of the key codec: the same name encodes the same key to the same bytes. */
  readonly key: string;
}

/** Assigns a table to each store; recorded ones keep theirs. */
export function assignTables(
  declared: Topology,
  recorded: Readonly<Record<string, RecordedStore>>,
): Record<string, RecordedStore> {
  const tables: Record<string, RecordedStore> = { ...recorded };
  let next: number = limits.tableStoreFirst;
  for (const { table } of Object.values(recorded)) next = Math.max(next, table + 1);
  for (const [name, store] of [...storesOf(declared)].sort(byName)) {
    if (tables[name] !== undefined) continue;
    tables[name] = { table: next, key: store.key.name };
    next += 1;
  }
  return tables;
}

/** The stores of a plan by table, with this thread's declarations. */
export function plannedStores(
  declared: Topology,
  plan: PlanShape,
): ReadonlyMap<number, PlannedStore> {
  const planned = new Map<number, PlannedStore>();
  for (const [name, declaration] of storesOf(declared)) {
    const table = plan.tables[name];
    if (table === undefined) throw unknownStore(declared, name);
    const updateNames = Object.keys(declaration.updates).sort();
    const updates = updateNames.map((update) => plannedUpdate(name, declaration, update));
    planned.set(table, { name, table, declaration, updateNames, updates });
  }
  return planned;
}

function plannedUpdate(
  store: string,
  { updates }: AnyStoreDeclaration,
  name: string,
): PlannedUpdate {
  const fn = updates[name];
  assert(fn !== undefined, () => `store "${store}" lost its update "${name}"`);
  const whereValue = `store "${store}", update "${name}"`;
  return { name, fn, whereValue, whereReply: `reply of update "${name}"` };
}

const shapeHashes = new WeakMap<Topology, string>();

/** Hash of a topology's structure: names, codecs, edges; no functions. */
export function shapeHash(declared: Topology): string {
  const known = shapeHashes.get(declared) ?? hashOfShape(declared);
  shapeHashes.set(declared, known);
  return known;
}

function hashOfShape(declared: Topology): string {
  const names = topologyNames(declared.parts);
  const agents = Object.entries(declared.parts.agents ?? {}).sort(byName);
  const shape = {
    name: declared.name,
    stores: [...storesOf(declared)].sort(byName).map(([name, store]) => storeShape(name, store)),
    agents: agents.map(([name, agent]) => [name, agent.shape(names)]),
    compute: [...names.computeNames].sort(),
    objects: [...names.objectNames].sort(),
  };
  return createHash("sha256").update(JSON.stringify(shape)).digest("hex").slice(0, 32);
}

/** The agents of a topology by name. */
export function programEntries(declared: Topology): ReadonlyMap<string, ProgramEntry> {
  return new Map(Object.entries(declared.parts.agents ?? {}));
}

/** The objects of a topology by name. */
export function objectEntries(declared: Topology): ReadonlyMap<string, ObjectEntry> {
  return new Map(Object.entries(declared.parts.objects ?? {}));
}

function storeShape(name: string, store: AnyStoreDeclaration): unknown {
  return { name, key: store.key.name, updates: Object.keys(store.updates).sort() };
}

function unknownStore(declared: Topology, name: string): PartitaError {
  const reason = `store "${name}" is not in the plan: the module declares another topology here`;
  return new PartitaError("MODULE_INVALID", {
    module: declared.module,
    topology: declared.name,
    reason,
  });
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1;
}
