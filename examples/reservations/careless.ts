// The same shop as somebody might write it at first: it looks at the stock and puts what is left.
// Between the two another order can do the same. It is here to be found out.

import { agent, node, topology, type } from "../../index.js";
import { type Order, stock, withReserved } from "./topology.js";

const orders = agent({
  stores: { stock },
  entry: "reserve",
  result: type<boolean>(),
  nodes: {
    reserve: node({ input: type<Order>(), to: ["confirm"] }),
    confirm: node({ input: type<Order>(), key: ({ order }) => order }),
  },
}).implement({
  async reserve(ctx, placed) {
    const { order, article, pieces } = placed;
    const found = await ctx.stores.stock.get(article);
    if (found === undefined || found.free < pieces) return ctx.result(false);
    await ctx.stores.stock.put(article, withReserved(found, order, pieces));
    ctx.emit("confirm", placed);
  },
  confirm(ctx) {
    ctx.result(true);
  },
});

export const careless = topology("careless", import.meta.url, {
  stores: { stock },
  agents: { orders },
});
