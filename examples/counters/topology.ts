// Page views: one counter for the whole site, which every view increments, and one for each page.
//
// Guarantees:
//   1. No increment is lost and none counts twice, however many clients add to one key at once.
//   2. The reply of an increment is the count that it made: no two views get the same number.
//   3. A count that a client has received is on the disk.

import { agent, keyValueStore, node, string, topology, type } from "../../index.js";

const counters = keyValueStore({
  key: string,
  value: type<number>(),
  updates: {
    // No race: an update is a function, sent by name to the task that owns the key. That task runs
    // one update of a key at a time, so between `count` and `count + by` nothing else can happen.
    // Reading with `get` and writing with `put` would leave a gap here, in which views are lost.
    increment: (count = 0, by: number) => count + by,
  },
});

const view = agent({
  stores: { counters },
  entry: "view",
  // Number of this view of the site, from 1.
  result: type<number>(),
  nodes: { view: node({ input: type<{ readonly page: string }>() }) },
}).implement({
  async view(ctx, { page }) {
    // This node has no key: views run on all tasks at the same time, and two of them may well
    // stand at this line together. Only the increments wait for each other, at the key's owner.
    const [number] = await Promise.all([
      ctx.stores.counters.update("increment", "page-views", 1),
      ctx.stores.counters.update("increment", `page-views:${page}`, 1),
    ]);
    ctx.result(number);
  },
});

export default topology("counters", import.meta.url, { stores: { counters }, agents: { view } });
