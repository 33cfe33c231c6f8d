// What goes wrong here would look like a total below the number of views: a lost increment.

import { describe, expect, it } from "vitest";
import topology from "../../examples/counters/topology.js";
import { launch } from "../../index.js";
import { tempDirectory } from "../support/temp-directory.js";

const options = { tasks: 4, threads: 0 };
const clientCount = 40;
const viewsPerClient = 50;
const viewCount = clientCount * viewsPerClient;

describe("counters — one hot key, many clients", () => {
  it("counts every view of every client exactly once", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const clients = Array.from({ length: clientCount }, async (_, client) => {
      const view = runtime.agent("view");
      const numbers: number[] = [];
      for (let i = 0; i < viewsPerClient; i++) {
        numbers.push(await view.invoke({ page: `/${(client + i) % 5}` }));
      }
      return numbers;
    });
    const numbers = (await Promise.all(clients)).flat();
    const counters = runtime.store("counters");

    expect(await counters.get("page-views")).toBe(viewCount);
    expect(await counters.getMany(pageCounters)).toEqual(pageCounters.map(() => viewCount / 5));
    // Each view got a number of its own, and together they are 1 to the number of views.
    expect(numbers.sort((a, b) => a - b)).toEqual(
      Array.from({ length: viewCount }, (_, i) => i + 1),
    );
  });

  it("adds different amounts from clients of the store to the exact sum", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const amounts = Array.from({ length: 1_000 }, (_, i) => (i % 7) - 2);
    const replies = await Promise.all(
      amounts.map((by) => runtime.store("counters").update("increment", "hot", by)),
    );
    const total = amounts.reduce((sum, by) => sum + by, 0);

    expect(await runtime.store("counters").get("hot")).toBe(total);
    expect(replies.at(-1)).toBe(total);
  });
});

describe("counters — closed and launched again", () => {
  it("counts on from where it was", async () => {
    const directory = tempDirectory();
    {
      await using runtime = await launch(topology, { directory, ...options });
      const view = runtime.agent("view");
      await Promise.all([view.invoke({ page: "/" }), view.invoke({ page: "/" })]);
    }
    await using runtime = await launch(topology, { directory, ...options });

    expect(await runtime.agent("view").invoke({ page: "/" })).toBe(3);
    expect(await runtime.store("counters").get("page-views:/")).toBe(3);
  });
});

const pageCounters = [0, 1, 2, 3, 4].map((page) => `page-views:/${page}`);
