import { keyValueStore, reply, string, type } from "../../index.js";

/** Pieces of an article. */
export interface Stock {
  readonly free: number;
  /** Pieces by order. */
  readonly reserved: ReadonlyMap<string, number>;
  readonly shipped: number;
}

const none: Stock = { free: 0, reserved: new Map(), shipped: 0 };

/** Stock by article. Each update but `receive` may be asked for again: the order gets it once. */
export const stock = keyValueStore({
  key: string,
  value: type<Stock>(),
  updates: {
    receive: (current: Stock = none, pieces: number): Stock => {
      return { ...current, free: current.free + pieces };
    },
    reserve: (current: Stock = none, order: string, pieces: number) => {
      if (current.reserved.has(order)) return reply(current, true);
      if (current.free < pieces) return reply(current, false);
      const reserved = new Map(current.reserved).set(order, pieces);
      return reply({ ...current, free: current.free - pieces, reserved }, true);
    },
    release: (current: Stock = none, order: string): Stock => {
      const { pieces, reserved } = without(current, order);
      return { ...current, free: current.free + pieces, reserved };
    },
    ship: (current: Stock = none, order: string): Stock => {
      const { pieces, reserved } = without(current, order);
      return { ...current, shipped: current.shipped + pieces, reserved };
    },
  },
});

function without(current: Stock, order: string): { pieces: number; reserved: Map<string, number> } {
  const reserved = new Map(current.reserved);
  const pieces = reserved.get(order) ?? 0;
  reserved.delete(order);
  return { pieces, reserved };
}
