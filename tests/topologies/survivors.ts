// Survivors — what a process that is killed again and again writes: logs that notice gaps, and
// chains.

import { agent, keyValueStore, node, string, topology, type } from "../../index.js";

/** Counts what was appended, which must be 1, 2, 3 and so on. */
export interface Log {
  readonly count: number;
  /** Times that an append was not the next one. */
  readonly gaps: number;
  readonly filling: string;
}

const filling = "-".repeat(500);

const logs = keyValueStore({
  key: string,
  value: type<Log>(),
  updates: {
    append: (log: Log | undefined, count: number): Log => {
      const isNext = count === (log?.count ?? 0) + 1;
      return { count, gaps: (log?.gaps ?? 0) + (isNext ? 0 : 1), filling };
    },
  },
});

/** One row for each hop of each chain: how often its message was processed. */
const hops = keyValueStore({ key: string, value: type<number>() });

const chain = agent({
  stores: { hops },
  entry: "begin",
  result: type<number>(),
  nodes: {
    begin: node({ input: type<{ readonly hops: number }>(), to: ["hop"] }),
    hop: node({
      input: type<{ readonly place: string; readonly hop: number; readonly hops: number }>(),
      to: ["hop"],
      key: ({ place }) => place,
    }),
  },
}).implement({
  begin(ctx, message) {
    ctx.emit("hop", { place: `${ctx.invocationId} 1`, hop: 1, hops: message.hops });
  },
  async hop(ctx, { place, hop, hops: last }) {
    await ctx.stores.hops.put(place, hop);
    if (hop === last) ctx.result(hop);
    else ctx.emit("hop", { place: `${ctx.invocationId} ${hop + 1}`, hop: hop + 1, hops: last });
  },
});

export default topology("survivors", import.meta.url, {
  stores: { logs, hops },
  agents: { chain },
});
