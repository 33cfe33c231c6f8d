// The names under which a program harness declares stores and compute functions.

import type { TopologyNames } from "../../runtime/task-program.js";

export function harnessNames(
  stores: Readonly<Record<string, { readonly declared: object }>>,
  compute: Readonly<Record<string, object>>,
): TopologyNames {
  const storeEntries = Object.entries(stores);
  const computeEntries = Object.entries(compute);
  return {
    storeName: (declared) => storeEntries.find(([, store]) => store.declared === declared)?.[0],
    computeName: (fn) => computeEntries.find(([, declared]) => declared === fn)?.[0],
    storeNames: Object.keys(stores),
    computeNames: Object.keys(compute),
  };
}
