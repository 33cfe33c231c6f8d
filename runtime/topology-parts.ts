// Topology parts — what a topology declares, by name: the types that users' declarations must fit.

import type { ObjectEntry, ProgramEntry } from "./task-program.js";

/**
 * A function that runs in the compute pool: arguments and result are carried by the value codec.
 */
export type ComputeFunction = (...args: never[]) => unknown;

/** What a topology declares, by name. */
export interface TopologyParts {
  readonly stores?: Readonly<Record<string, object>>;
  readonly agents?: Readonly<Record<string, ProgramEntry>>;
  readonly compute?: Readonly<Record<string, ComputeFunction>>;
  readonly objects?: Readonly<Record<string, ObjectEntry>>;
}
