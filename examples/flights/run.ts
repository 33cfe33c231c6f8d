// The run itself: launch, submit everything, read it back, close; and launch again to look.

import { launch } from "../../index.js";
import { eventsOf, type Flight, type FlightEvent } from "./flights.js";
import { startProgress } from "./progress.js";
import { readStatistics } from "./read.js";
import type { Statistics } from "./recompute.js";
import { submitAll } from "./submit.js";
import topology from "./topology.js";

/** How a runtime of this topology is launched. */
export interface Launch {
  readonly directory: string;
  readonly tasks: number;
  readonly threads: number;
}

/** What came of it. */
export interface Run {
  readonly statistics: Statistics;
  readonly invocations: number;
  readonly seconds: number;
}

/**
 * How far submitting runs ahead of the results. All events of a day, about 900, meet in one node
 * that takes one at a time: with nine days of events under way, nine keys of that node are busy.
 */
const inFlightMax = 8_000;

/** Submits both events of every flight in order and reads the statistics when all are counted. */
export async function countFlights(flights: readonly Flight[], options: Launch): Promise<Run> {
  await using runtime = await launchFlights(options);
  const track = runtime.agent("track");
  const progress = startProgress(flights.length * 2);
  let invocations = 0;
  const startedAt = performance.now();
  const count = async (event: FlightEvent): Promise<void> => {
    // Called in submission order and not awaited by the next call: up to `inFlightMax` events are
    // under way, and those of one airport still apply in this order, since one client sends them.
    await track.invoke(event);
    invocations += 1;
    progress.advance();
  };
  await submitAll(eventsOf(flights), count, inFlightMax);
  // A result comes from node `day`; the same event may still be on its way to node `route`.
  await runtime.drain();
  const seconds = (performance.now() - startedAt) / 1000;
  progress.end();
  return { statistics: await readStores(runtime), invocations, seconds };
}

/** Launches on a directory that an earlier run has closed and reads what is there. */
export async function readAgain(options: Launch): Promise<Statistics> {
  await using runtime = await launchFlights(options);
  return await readStores(runtime);
}

function launchFlights(options: Launch) {
  return launch(topology, options);
}

function readStores(runtime: Awaited<ReturnType<typeof launchFlights>>): Promise<Statistics> {
  return readStatistics({
    airports: runtime.store("airports"),
    routes: runtime.store("routes"),
    days: runtime.store("days"),
  });
}
