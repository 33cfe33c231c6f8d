// Configuration: one entry holds all feature flags, operators change it while agents read it.
//
// Guarantees:
//   1. A page is built from one revision of the flags: never half before a change, half after it.
//   2. No change is lost when several operators change different flags at the same time.
//   3. After a change has been acknowledged, every page sees it, on whatever thread it is built.

import { agent, keyValueStore, node, string, topology, type } from "../../index.js";

/** All flags, changed together. `newUi` needs `newApi`: they are only ever switched together. */
export interface Flags {
  /** Goes up by one with every change. */
  readonly revision: number;
  readonly newUi: boolean;
  readonly newApi: boolean;
  /** Percentage of users who see beta features, 0 to 100. */
  readonly betaPercent: number;
}

/** What holds before anybody has changed anything. */
export const initialFlags: Flags = { revision: 0, newUi: false, newApi: false, betaPercent: 0 };

/** The entry's key. */
export const flagsKey = "feature-flags";

/** A page, as far as this example goes. */
export interface Page {
  readonly revision: number;
  readonly ui: "old" | "new";
  readonly api: "v1" | "v2";
  readonly beta: boolean;
}

const config = keyValueStore({ key: string, value: type<Flags>() });

const render = agent({
  stores: { config },
  entry: "page",
  result: type<Page>(),
  nodes: { page: node({ input: type<{ readonly userNumber: number }>() }) },
}).implement({
  async page(ctx, { userNumber }) {
    // No race: one entry is one value, so a read gives all flags of one revision. Had each flag an
    // entry of its own, a change could come between two reads. The value is read once and then used
    // throughout: what an operator does from here on is for the next page.
    const flags = await ctx.stores.config.get(flagsKey, initialFlags);
    ctx.result({
      revision: flags.revision,
      ui: flags.newUi ? "new" : "old",
      api: flags.newApi ? "v2" : "v1",
      beta: userNumber % 100 < flags.betaPercent,
    });
  },
});

export default topology("feature-flags", import.meta.url, {
  stores: { config },
  agents: { render },
});
