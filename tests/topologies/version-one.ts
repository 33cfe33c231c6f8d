// Version one — a topology that another version of itself follows (version-two.ts).

import { agent, keyValueStore, node, string, topology, type } from "../../index.js";

const counts = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0, by: number) => count + by },
});

/** Its second node hangs until the runtime is closed. */
const waiting = (updateMode: "continue" | "restart" | "drop") =>
  agent({
    updateMode,
    stores: { counts },
    entry: "first",
    result: type<string>(),
    nodes: {
      first: node({ input: type<string>(), to: ["second"] }),
      second: node({ input: type<string>() }),
    },
  }).implement({
    async first(ctx, id) {
      await ctx.stores.counts.update("add", `${id} first`, 1);
      ctx.emit("second", id);
    },
    async second(ctx, id) {
      await ctx.stores.counts.update("add", `${id} hangs`, 1);
      await new Promise(() => {});
    },
  });

export default topology("versions", import.meta.url, {
  stores: { counts },
  agents: { goes: waiting("continue"), restarts: waiting("restart"), drops: waiting("drop") },
});
