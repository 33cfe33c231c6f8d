import type { Statistics } from "./recompute.js";
import type { AirportTraffic, Traffic } from "./statistics.js";

/** What is read of a store: all its entries, in key order, merged over the tasks. */
interface Entries<V> {
  entries(): AsyncIterable<readonly [string, V]>;
}

/** Everything that the three stores hold. */
export async function readStatistics(stores: {
  readonly airports: Entries<AirportTraffic>;
  readonly routes: Entries<Traffic>;
  readonly days: Entries<Traffic>;
}): Promise<Statistics> {
  return {
    airports: await toMap(stores.airports),
    routes: await toMap(stores.routes),
    days: await toMap(stores.days),
  };
}

async function toMap<V>(store: Entries<V>): Promise<Map<string, V>> {
  const map = new Map<string, V>();
  for await (const [key, value] of store.entries()) map.set(key, value);
  return map;
}
