// What goes wrong here would look like money for an order that was not shipped, pieces that nobody
// has, or an order that never comes to an end.

import { describe, expect, it, onTestFinished } from "vitest";
import { cancelOrder, handle, orders, type Shop, trouble } from "../../examples/order/day.js";
import {
  type PaymentServer,
  startPayments,
  type TroublePlan,
} from "../../examples/order/payments.js";
import topology, { type Order } from "../../examples/order/topology.js";
import { launch } from "../../index.js";
import { tempDirectory } from "../support/temp-directory.js";

const options = { tasks: 3, threads: 0 };
const placed: Order = {
  order: "one",
  article: "hat",
  pieces: 2,
  cents: 3_000,
  packWithinMs: 60_000,
};

async function payments(plan: TroublePlan = () => "none"): Promise<PaymentServer> {
  const server = await startPayments(plan);
  process.env["PAYMENTS_URL"] = server.url;
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function open(directory: string, pieces = 0): Promise<Shop> {
  const shop = await launch(topology, { directory, ...options });
  onTestFinished(() => shop.close());
  if (pieces > 0) await shop.store("stock").update("receive", "hat", pieces);
  return shop;
}

const stockOf = (shop: Shop) => shop.store("stock").get("hat");

describe("order — a day at the shop", () => {
  it("ends each order as it should, and keeps money for what was shipped alone", async () => {
    const server = await payments(trouble);
    const shop = await open(tempDirectory(), 20);
    const outcomes = await Promise.all(orders.map((order) => handle(shop, order)));

    expect(outcomes).toEqual([
      "shipped",
      "not packed",
      "declined",
      "packed too late",
      "failed",
      "cancelled",
    ]);
    expect(server.charged).toEqual(new Map([["ada", 2_000]]));
    expect(await stockOf(shop)).toEqual({ free: 18, reserved: new Map(), shipped: 2 });
    // The third request is the first one with an answer: one retry after a failure, one after a
    // timeout. Of eve's all failed: one for each attempt.
    const requests = orders.map(({ order }) => server.requests.get(order));
    expect(requests).toEqual([3, 3, 3, 3, 6, 3]);
  });

  it("sells nothing that it does not have", async () => {
    const server = await payments();
    const shop = await open(tempDirectory(), 1);

    expect(await shop.agent("order").invoke(placed)).toBe("sold out");
    expect(await stockOf(shop)).toEqual({ free: 1, reserved: new Map(), shipped: 0 });
    expect(server.requests.size).toBe(0);
  });
});

describe("order — stopped in the middle", () => {
  it("waits for its packer over a restart, with the same question", async () => {
    const server = await payments();
    const directory = tempDirectory();
    const before = await open(directory, 5);
    const invocation = await before.agent("order").initiate(placed);
    const asked = await invocation.nextStep();
    await before.close();

    const after = await open(directory);
    const again = after.agent("order").get(invocation.id);
    const [question] = await again.humanInputs();
    expect(asked).toMatchObject({ kind: "question", question: { id: question?.id } });
    expect(question?.prompt).toEqual({ order: "one", article: "hat", pieces: 2 });
    await again.answer(question?.id ?? "", true);
    expect(await again.result()).toBe("shipped");
    expect(server.requests.get("one")).toBe(1);
    expect(await stockOf(after)).toEqual({ free: 3, reserved: new Map(), shipped: 2 });
  });

  it("undoes nothing before the fulfilment has stopped", async () => {
    // The first request gets no answer: it is under way while the order is cancelled.
    const server = await payments((_order, request) => (request === 1 ? "silent" : "none"));
    const shop = await open(tempDirectory(), 5);
    const invocation = await shop.agent("order").initiate(placed);
    while (!server.requests.has("one")) await new Promise(setImmediate);
    await cancelOrder(shop, "one");

    expect(await invocation.result()).toBe("cancelled");
    expect(server.charged.size).toBe(0);
    expect(server.requests.get("one")).toBe(1);
    expect(await stockOf(shop)).toEqual({ free: 5, reserved: new Map(), shipped: 0 });
  });

  it("ships what was placed twice only once", async () => {
    const server = await payments();
    const shop = await open(tempDirectory(), 5);
    const both = await Promise.all([
      shop.agent("order").initiate(placed),
      shop.agent("order").initiate(placed),
    ]);
    const first = await Promise.race(both.map((invocation) => invocation.nextStep()));
    expect(first.kind).toBe("question");
    if (first.kind !== "question") return;
    await shop.agent("order").get(first.question.invocationId).answer(first.question, true);
    const second = await Promise.race(both.map((invocation) => invocation.nextStep()));
    expect(second).toEqual({ kind: "result", result: "shipped" });
    expect(server.charged).toEqual(new Map([["one", 3_000]]));
  });
});
