// An order, from the shelf to the parcel. One agent goes forward: it reserves, is paid, waits for
// somebody to pack, ships. Another one runs it, and undoes what it has done when it does not end
// well: refused, too late, failed for good, or cancelled.
//
// Guarantees:
//   1. An order that was accepted ends in one of its ends, whatever dies meanwhile.
//   2. Money is kept for orders that were shipped, and for no others.
//   3. Each piece is free, reserved for an order that is under way, or shipped.
//   4. Nothing is undone while something may still be done.

import { z } from "zod";
import {
  agent,
  keyValueStore,
  node,
  object,
  PartitaError,
  string,
  topology,
  type,
} from "../../index.js";
import { Payments } from "./payments.js";
import { stock } from "./stock.js";

export interface Order {
  readonly order: string;
  readonly article: string;
  readonly pieces: number;
  readonly cents: number;
  /** How long it may wait for somebody to pack it. */
  readonly packWithinMs: number;
}

/** How fulfilment can end by itself. */
export type Fulfilled = "shipped" | "sold out" | "declined" | "not packed" | "packed too late";

/** How an order can end. */
export type Outcome = Fulfilled | "failed" | "cancelled";

/** One for each thread; it looks up its address when it is built, which is when it is needed. */
const payments = object({ build: () => new Payments(), shared: true });

export const fulfilment = agent({
  stores: { stock },
  objects: { payments },
  entry: "reserve",
  result: type<Fulfilled>(),
  // Six attempts, with pauses of 20, 40, 80, 160 and 320 ms at most.
  maxRetries: 5,
  retryBackoffMs: 20,
  nodes: {
    reserve: node({ input: type<Order>(), to: ["pay"] }),
    // A server that does not answer costs one attempt, after two seconds.
    pay: node({ input: type<Order>(), to: ["pack"], nodeTimeoutMs: 2_000 }),
    pack: node({ input: type<Order>(), to: ["ship"] }),
    ship: node({ input: type<Order>() }),
  },
}).implement({
  async reserve(ctx, placed) {
    const { order, article, pieces } = placed;
    const isReserved = await ctx.stores.stock.update("reserve", article, order, pieces);
    if (isReserved) ctx.emit("pay", placed);
    else ctx.result("sold out");
  },
  async pay(ctx, placed) {
    const { order, cents } = placed;
    const payments = await ctx.objects.payments();
    // When it throws, so does the node, and the attempt fails. When it succeeds that is recorded: a
    // run after a crash does not charge again. In between the server knows the order by its name.
    const isPaid = await ctx.run("charge", () => payments.charge(order, cents, ctx.signal));
    if (isPaid) ctx.emit("pack", placed);
    else ctx.result("declined");
  },
  async pack(ctx, placed) {
    const { order, article, pieces, packWithinMs } = placed;
    // Whichever comes first. Waiting holds no thread, for days if it has to, and over restarts.
    const isPacked = await Promise.race([
      ctx.askHuman({ order, article, pieces }, z.boolean()),
      ctx.sleep(packWithinMs).then(() => undefined),
    ]);
    if (isPacked) ctx.emit("ship", placed);
    else ctx.result(isPacked === undefined ? "packed too late" : "not packed");
  },
  async ship(ctx, { order, article }) {
    await ctx.stores.stock.update("ship", article, order);
    ctx.result("shipped");
  },
});

/** The fulfilment of an order that is under way: what somebody cancels. */
const running = keyValueStore({ key: string, value: type<string>() });

const undone = type<{ readonly placed: Order; readonly outcome: Outcome }>();

export const order = agent({
  stores: { stock, running },
  objects: { payments },
  agents: { fulfilment },
  entry: "fulfil",
  result: type<Outcome>(),
  maxRetries: 10,
  retryBackoffMs: 20,
  nodes: {
    // Keyed: an order that is placed twice is fulfilled once after the other, not twice at a time.
    fulfil: node({ input: type<Order>(), to: ["undo"], key: ({ order }) => order }),
    undo: node({ input: undone }),
  },
}).implement({
  async fulfil(ctx, placed) {
    const fulfilment = await ctx.agents.fulfilment.initiate(placed);
    await ctx.stores.running.put(placed.order, fulfilment.id);
    // A question of the fulfilment is a question of this invocation meanwhile.
    const outcome = await fulfilment.result().catch(endOf);
    await ctx.stores.running.delete(placed.order);
    if (outcome === "shipped") {
      ctx.result(outcome);
      return;
    }
    // No race: this resolves when nothing of the fulfilment runs any more, so there is nothing that
    // could be done after it was undone.
    await fulfilment.cancel();
    ctx.emit("undo", { placed, outcome });
  },
  async undo(ctx, { placed: { order, article }, outcome }) {
    // Backwards, and each step may find nothing to undo. Tried again until it succeeds.
    const payments = await ctx.objects.payments();
    await ctx.run("void", () => payments.void(order, ctx.signal));
    await ctx.stores.stock.update("release", article, order);
    ctx.result(outcome);
  },
});

function endOf(error: unknown): Outcome {
  if (PartitaError.is(error, "INVOCATION_CANCELLED")) return "cancelled";
  if (PartitaError.is(error, "INVOCATION_FAILED")) return "failed";
  throw error;
}

export default topology("order", import.meta.url, {
  stores: { stock, running },
  objects: { payments },
  agents: { fulfilment, order },
});
