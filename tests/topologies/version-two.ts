// Version two — what was under way in version-one.ts meets other graphs of its agents here.

import { agent, keyValueStore, node, string, topology, type } from "../../index.js";

const counts = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0, by: number) => count + by },
});

/** One node more than before, and a second one that hands over to it. */
const answering = (updateMode: "continue" | "restart" | "drop") =>
  agent({
    updateMode,
    stores: { counts },
    entry: "first",
    result: type<string>(),
    nodes: {
      first: node({ input: type<string>(), to: ["second"] }),
      second: node({ input: type<string>(), to: ["third"] }),
      third: node({ input: type<string>() }),
    },
  }).implement({
    async first(ctx, id) {
      await ctx.stores.counts.update("add", `${id} first again`, 1);
      ctx.emit("second", `${id} again`);
    },
    second: (ctx, id) => ctx.emit("third", id),
    third: (ctx, id) => ctx.result(`${id} by the third`),
  });

export default topology("versions", import.meta.url, {
  stores: { counts },
  agents: { goes: answering("continue"), restarts: answering("restart"), drops: answering("drop") },
});
