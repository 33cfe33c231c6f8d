// What goes wrong here would look like a shop that sells what it does not have, or like a property
// that lets a careless shop pass.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { careless } from "../../examples/reservations/careless.js";
import { ordersProperty, stockProperty } from "../../examples/reservations/properties.js";
import sound, { type Order } from "../../examples/reservations/topology.js";
import { launch } from "../../index.js";
import { check, scaledRuns, suiteSeed } from "../support/property.js";
import { tempDirectory } from "../support/temp-directory.js";

describe("reservations — orders at once", { timeout: 60_000 }, () => {
  it("are answered as if they came one after another, over crashes", async () => {
    let crashes = 0;
    const count = (happened: number) => {
      crashes += happened;
    };
    await check(ordersProperty(sound, count), { runs: 60 });
    // Without crashes this test would not show much.
    expect(crashes).toBeGreaterThan(scaledRuns(10));
  });

  it("leave the stock as its updates make it, over crashes", async () => {
    await check(stockProperty(sound), { runs: 40 });
  });

  it("find out a shop that looks and puts, and show two orders of one article", async () => {
    const settings = { seed: suiteSeed(), numRuns: 200 };
    const { failed, counterexample } = await fc.check(ordersProperty(careless), settings);
    const [orders = [], deaths] = counterexample ?? [];

    expect(failed).toBe(true);
    expect(deaths).toEqual([]);
    expect(orders).toHaveLength(2);
    expect(new Set(orders.map(({ article }) => article)).size).toBe(1);
  });
});

describe("reservations — a launched shop", () => {
  it("confirms as many orders as there are pieces, and refuses the others", async () => {
    const directory = tempDirectory();
    await using shop = await launch(sound, { directory, tasks: 4, threads: 0 });
    const stock = shop.store("stock");
    await stock.update("receive", "hat", 10);
    const place = (index: number): Order => ({
      order: `order ${index}`,
      article: "hat",
      pieces: 3,
    });
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => shop.agent("orders").invoke(place(index))),
    );

    expect(answers.filter((isConfirmed) => isConfirmed)).toHaveLength(3);
    expect((await stock.get("hat"))?.free).toBe(1);
    const again = place(answers.indexOf(true));
    expect(await shop.agent("orders").invoke(again)).toBe(true);
    expect((await stock.get("hat"))?.free).toBe(1);
  });
});
