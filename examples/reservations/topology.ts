// A shop that never sells what it does not have: stock by article, and an agent that places orders.
//
// Guarantees:
//   1. Of two orders that the stock covers only once, one is refused.
//   2. Each article's pieces are free or reserved for an order: none is lost or made, also if the
//      process dies at any moment.
//   3. An order that was confirmed has its pieces, one that was refused has none, and one order
//      gets its pieces once, however often it is placed.

import { agent, keyValueStore, node, reply, string, topology, type } from "../../index.js";

export interface Stock {
  readonly free: number;
  /** Pieces by order. */
  readonly reserved: ReadonlyMap<string, number>;
}

export interface Order {
  readonly order: string;
  readonly article: string;
  readonly pieces: number;
}

const none: Stock = { free: 0, reserved: new Map() };

/** A stock with an order's pieces set aside. */
export function withReserved(stock: Stock, order: string, pieces: number): Stock {
  const reserved = new Map(stock.reserved).set(order, pieces);
  return { free: stock.free - pieces, reserved };
}

export const stock = keyValueStore({
  key: string,
  value: type<Stock>(),
  updates: {
    receive: (current: Stock = none, pieces: number): Stock => {
      return { ...current, free: current.free + pieces };
    },
    // The look at the stock and the reservation are one update: nobody comes in between.
    reserve: (current: Stock = none, order: string, pieces: number) => {
      if (current.reserved.has(order)) return reply(current, true);
      if (current.free < pieces) return reply(current, false);
      return reply(withReserved(current, order, pieces), true);
    },
  },
});

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
    const isReserved = await ctx.stores.stock.update("reserve", article, order, pieces);
    if (isReserved) ctx.emit("confirm", placed);
    else ctx.result(false);
  },
  confirm(ctx) {
    ctx.result(true);
  },
});

export default topology("reservations", import.meta.url, { stores: { stock }, agents: { orders } });
