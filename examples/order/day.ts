// A day at the shop: six orders, and what becomes of each.

import type { Runtime } from "../../index.js";
import type { TroublePlan } from "./payments.js";
import type topology from "./topology.js";
import type { Order, Outcome } from "./topology.js";

export type Shop = Runtime<(typeof topology)["parts"]>;

const hat = { article: "hat", pieces: 1, cents: 2_000, packWithinMs: 60_000 };

export const orders: readonly Order[] = [
  { ...hat, order: "ada", pieces: 2 },
  { ...hat, order: "ben" },
  { ...hat, order: "cleo", cents: 99_000 },
  { ...hat, order: "dan", packWithinMs: 100 },
  { ...hat, order: "eve" },
  { ...hat, order: "fay" },
];

/** What somebody does when an order is to be packed; nothing at all about dan's. */
const packing: Readonly<Record<string, boolean | "cancel">> = {
  ada: true,
  ben: false,
  fay: "cancel",
};

/** Each first request fails, each second one gets no answer; eve's always fail. */
export const trouble: TroublePlan = (order, request) => {
  return request === 1 || order === "eve" ? "down" : request === 2 ? "silent" : "none";
};

/** Places an order and sees to it that it comes to its end. */
export async function handle(shop: Shop, placed: Order): Promise<Outcome> {
  const invocation = await shop.agent("order").initiate(placed);
  const step = await invocation.nextStep();
  const happens = packing[placed.order];
  if (step.kind === "question" && happens === "cancel") await cancelOrder(shop, placed.order);
  else if (step.kind === "question" && happens !== undefined) {
    await invocation.answer(step.question, happens);
  }
  return await invocation.result();
}

/** Cancels the fulfilment of an order; resolves when it has stopped. */
export async function cancelOrder(shop: Shop, order: string): Promise<void> {
  const id = await shop.store("running").get(order);
  if (id !== undefined) await shop.agent("fulfilment").get(id).cancel();
}
