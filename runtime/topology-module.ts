// Topology module — how a thread gets the functions of a topology: it imports the module that
// exports it.

import { PartitaError } from "../base/errors.js";
import { isTopology, type Topology } from "./topology.js";

/**
 * The topology that `module` exports, under whatever name.
 * @throws PartitaError MODULE_INVALID when the module fails to load or exports no such topology
 */
export async function importTopology(module: string, topology: string): Promise<Topology> {
  let exported: Readonly<Record<string, unknown>>;
  try {
    // cast: a module namespace is a record of its exports.
    exported = (await import(module)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PartitaError("MODULE_INVALID", { module, topology, reason }, { cause });
  }
  const found = Object.values(exported).find((value) => isTopology(value, topology));
  // `find` with a type guard narrows to what isTopology promises.
  if (isTopology(found, topology)) return found;
  const names = Object.keys(exported).join(", ") || "nothing";
  const reason = `it exports ${names}, and no topology of that name`;
  throw new PartitaError("MODULE_INVALID", { module, topology, reason });
}
