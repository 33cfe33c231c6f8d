// What goes wrong here would look like an event that is counted twice or not at all, or an airport
// whose last ten events stand in another order than the one in which they were submitted.

import { describe, expect, it } from "vitest";
import { eventsOf, loadFlights } from "../../examples/flights/flights.js";
import { readOptions } from "../../examples/flights/options.js";
import { startProgress } from "../../examples/flights/progress.js";
import { recompute, type Statistics } from "../../examples/flights/recompute.js";
import { comparison, conclusion, tables, throughput } from "../../examples/flights/report.js";
import { countFlights, readAgain } from "../../examples/flights/run.js";
import { submitAll } from "../../examples/flights/submit.js";
import { verify } from "../../examples/flights/verify.js";
import { tempDirectory } from "../support/temp-directory.js";

describe("flights — counted by the agent", { timeout: 60_000 }, () => {
  it("equals the recomputation, and still does after a restart", async () => {
    const flights = loadFlights(300);
    const expected = recompute(flights);
    const options = { directory: tempDirectory(), tasks: 4, threads: 0 };
    const run = await countFlights(flights, options);

    expect(run.invocations).toBe(600);
    expect(verify(run.statistics, expected)).toEqual({ differences: [], differenceCount: 0 });
    expect(verify(await readAgain(options), expected).differences).toEqual([]);
  });

  it("keeps the order of a single airport that all events share", async () => {
    const [first] = loadFlights(1);
    if (first === undefined) throw new Error("there are no flights");
    const flights = Array.from({ length: 60 }, (_, delay) => ({ ...first, delay }));
    const options = { directory: tempDirectory(), tasks: 2, threads: 0 };
    const { statistics } = await countFlights(flights, options);

    const last = statistics.airports.get(first.origin)?.last.map((event) => event.flight);
    expect(last).toEqual([50, 51, 52, 53, 54, 55, 56, 57, 58, 59]);
    expect(verify(statistics, recompute(flights)).differences).toEqual([]);
  });
});

describe("flights — the data", () => {
  it("has 20,000 flights in date order", () => {
    const flights = loadFlights(20_000);
    const dates = flights.map((flight) => flight.date);

    expect(flights).toHaveLength(20_000);
    expect(dates).toEqual([...dates].sort());
    expect(new Set(dates.map((date) => date.slice(0, 10))).size).toBe(90);
  });

  it("makes two events of each flight, the departure first", () => {
    const events = [...eventsOf(loadFlights(2))];

    expect(
      events.map(({ kind, flight, airport, other }) => [kind, flight, airport, other]),
    ).toEqual([
      ["departure", 0, "DTW", "LAS"],
      ["arrival", 0, "LAS", "DTW"],
      ["departure", 1, "HNL", "SFO"],
      ["arrival", 1, "SFO", "HNL"],
    ]);
  });

  it("counts each flight once per route and day, and twice over all airports", () => {
    const { airports, routes, days } = recompute(loadFlights(20_000));
    const delays = (store: Statistics[keyof Statistics]): number =>
      [...store.values()].reduce((sum, { delays: { count } }) => sum + count, 0);

    expect([airports.size, routes.size, days.size]).toEqual([224, 2_977, 90]);
    expect([delays(airports), delays(routes), delays(days)]).toEqual([40_000, 20_000, 20_000]);
  });
});

describe("flights — the verification", () => {
  const expected = recompute(loadFlights(500));
  const anyAirport = "ORD";

  it("finds two events of an airport that have changed places", () => {
    const airport = expected.airports.get(anyAirport);
    if (airport === undefined) throw new Error("the airport is not in the data");
    const [first, second, ...rest] = airport.last;
    const last = [second, first, ...rest].filter((event) => event !== undefined);
    const airports = new Map([...expected.airports, [anyAirport, { ...airport, last }]]);

    const { differences } = verify({ ...expected, airports }, expected);
    expect(differences[0]).toMatch(/^airports ORD\.last\.0\.\w+: is .+, should be .+$/);
  });

  it("finds a number that is one too high", () => {
    const [[day, traffic] = []] = expected.days;
    if (day === undefined || traffic === undefined) throw new Error("there are no days");
    const days = new Map([...expected.days, [day, { ...traffic, arrivals: traffic.arrivals + 1 }]]);

    expect(verify({ ...expected, days }, expected)).toEqual({
      differences: [
        `days ${day}.arrivals: is ${traffic.arrivals + 1}, should be ${traffic.arrivals}`,
      ],
      differenceCount: 1,
    });
  });

  it("finds keys that are missing and keys that should not exist", () => {
    const [[route, traffic] = []] = expected.routes;
    if (route === undefined || traffic === undefined) throw new Error("there are no routes");
    const routes = new Map([...expected.routes, ["XXX-YYY", traffic]]);
    routes.delete(route);

    const { differences } = verify({ ...expected, routes }, expected);
    expect(differences).toEqual([
      `routes ${route}: is missing, should be ${JSON.stringify(traffic)}`,
      "routes XXX-YYY: should not exist",
    ]);
  });

  it("prints the first differences and how many there are", () => {
    const found = verify({ ...expected, days: new Map(), airports: new Map() }, expected);
    const lines = comparison("Here", found).split("\n");

    expect(lines[0]).toBe(`Here: ${found.differenceCount} differences from the recomputation`);
    expect(lines).toHaveLength(12);
    expect(lines.at(-1)).toBe(`  and ${found.differenceCount - 10} more`);
  });
});

describe("flights — what is printed", () => {
  const statistics = recompute(loadFlights(20_000));

  it("ranks airports by events, and routes by mean delay", () => {
    const lines = tables(statistics).split("\n");

    expect(lines[2]).toMatch(/^ {2}ORD +1095 +1160 +8\.4 min +522 min$/);
    expect(lines.find((line) => line.startsWith("  JFK-SJU"))).toMatch(/ 62\.8 min +219 min$/);
    expect(lines).toHaveLength(2 + 10 + 1 + 2 + 10);
  });

  it("ends with one line that says whether all is equal", () => {
    expect(conclusion(20_000, statistics, true)).toBe(
      "flights: 20000 events, 224 airports, 2977 routes, verified against recomputation: OK",
    );
    expect(conclusion(20_000, statistics, false)).toMatch(/: FAILED$/);
    expect(throughput(40_000, 4)).toBe("40000 invocations in 4.0 s: 10000 per second");
  });

  it("draws a bar on a terminal and nothing elsewhere", () => {
    const drawn = (isTTY: boolean): string => {
      const written: string[] = [];
      const progress = startProgress(4, { isTTY, write: (text) => written.push(text) });
      for (let i = 0; i < 4; i++) progress.advance();
      progress.end();
      return written.join("");
    };

    expect(drawn(false)).toBe("");
    const bars = drawn(true).split("\r");
    expect(bars[2]).toBe(`[${"#".repeat(20)}${"-".repeat(20)}]  50 %  2 of 4`);
    expect(bars[4]).toBe(`[${"#".repeat(40)}] 100 %  4 of 4\n`);
  });
});

describe("flights — the command line", () => {
  it("has defaults for everything", () => {
    expect(readOptions([])).toEqual({
      help: false,
      flights: 20_000,
      directory: undefined,
      tasks: 4,
      threads: 2,
    });
  });

  it.each([
    [["--flights", "0"], '--flights must be a whole number from 1 to 20000, not "0"'],
    [["--tasks", "1.5"], '--tasks must be a whole number from 1 to 64, not "1.5"'],
    [["--threads", "many"], '--threads must be a whole number from 0 to 64, not "many"'],
    [["--flight", "3"], "Unknown option '--flight'"],
    [["--directory", "."], "--directory . is not empty: the flights would be counted twice"],
  ])("refuses %j", (args, message) => {
    expect(() => readOptions(args)).toThrow(message);
  });
});

describe("flights — the window of events in flight", () => {
  it("starts in order and never has more unfinished than allowed", async () => {
    const started: number[] = [];
    const finish: (() => void)[] = [];
    let unfinishedMax = 0;
    let finished = 0;
    const items = Array.from({ length: 20 }, (_, i) => i);
    const submitted = submitAll(
      items,
      (item) => {
        started.push(item);
        unfinishedMax = Math.max(unfinishedMax, started.length - finished);
        return new Promise((resolve) => finish.push(resolve));
      },
      3,
    );
    // Newest first: the window moves on whichever item finishes.
    while (finished < items.length) {
      finished += 1;
      finish.pop()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await submitted;

    expect(started).toEqual(items);
    expect(unfinishedMax).toBe(3);
  });

  it("starts nothing after a failure and rejects with it", async () => {
    const started: number[] = [];
    const submitted = submitAll(
      [0, 1, 2, 3, 4, 5],
      async (item) => {
        started.push(item);
        if (item === 1) throw new Error("item 1 failed");
      },
      2,
    );

    await expect(submitted).rejects.toThrow("item 1 failed");
    expect(started).toEqual([0, 1]);
  });
});
