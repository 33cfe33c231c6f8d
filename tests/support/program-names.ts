// The names under which a program harness declares what its agents refer to.

import type { TopologyNames } from "../../runtime/task-program.js";

/** What a harness declares, by name. */
export interface HarnessDeclarations {
  readonly stores?: Readonly<Record<string, { readonly declared: object }>>;
  readonly compute?: Readonly<Record<string, object>>;
  readonly agents?: Readonly<Record<string, object>>;
  readonly objects?: Readonly<Record<string, object>>;
}

export function harnessNames(declared: HarnessDeclarations = {}): TopologyNames {
  const { stores = {}, compute = {}, agents = {}, objects = {} } = declared;
  const stored = Object.entries(stores).map(([name, store]) => [name, store.declared] as const);
  return {
    storeName: nameIn(stored),
    computeName: nameIn(Object.entries(compute)),
    agentName: nameIn(Object.entries(agents)),
    objectName: nameIn(Object.entries(objects)),
    storeNames: Object.keys(stores),
    computeNames: Object.keys(compute),
    agentNames: Object.keys(agents),
    objectNames: Object.keys(objects),
  };
}

function nameIn(
  entries: readonly (readonly [string, object])[],
): (value: object) => string | undefined {
  return (value) => entries.find(([, declared]) => declared === value)?.[0];
}
