// The data of the main job: 20,000 real flights inside the USA, January to March 2001.
//
// Owns: reading the file, its order, and how a flight becomes two events.
// Leaves to others: topology.ts counts the events, recompute.ts counts them again to check it.
//
// Invariants:
//   F1. Flights are in date order; flights of one minute stay in the file's order (a stable sort).
//   F2. Each flight makes exactly two events, the departure first, and both carry its number.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** One flight as the file has it. */
export interface Flight {
  /** Scheduled departure, local time: "2001/01/31 17:05". Text order is date order. */
  readonly date: string;
  /** Minutes late; negative when early. */
  readonly delay: number;
  /** Miles. */
  readonly distance: number;
  /** Airport codes: "DTW", "LAS". */
  readonly origin: string;
  readonly destination: string;
}

/** What one airport sees of one flight: the input of the agent `track`. */
export interface FlightEvent {
  readonly kind: "departure" | "arrival";
  /** Number of the flight in date order, from 0. */
  readonly flight: number;
  /** Where it happens. */
  readonly airport: string;
  /** The airport at the other end. */
  readonly other: string;
  /** Day of the scheduled departure, for both events: "2001/01/31". */
  readonly day: string;
  /** Minutes late; negative when early. */
  readonly delay: number;
}

/** How many flights the file has. */
export const flightCountMax = 20_000;

/**
 * The first `count` flights in date order.
 * @throws Error when the file does not have the fields that this program counts
 */
export function loadFlights(count: number): readonly Flight[] {
  // The package offers no path to its data files, so this starts from its main file, in `build`.
  const main = createRequire(import.meta.url).resolve("vega-datasets");
  const file = join(dirname(main), "..", "data", "flights-20k.json");
  const rows: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (!Array.isArray(rows)) throw new Error(`${file} is not a list of flights`);
  const flights = rows.map((row: unknown, index) => {
    if (!isFlight(row)) throw new Error(`${file}: entry ${index} is not a flight`);
    return row;
  });
  return flights.sort((a, b) => compareText(a.date, b.date)).slice(0, count);
}

/** The two events of each flight, in the order in which they are submitted. */
export function* eventsOf(flights: readonly Flight[]): Generator<FlightEvent> {
  for (const [flight, { date, delay, origin, destination }] of flights.entries()) {
    const day = date.slice(0, "2001/01/31".length);
    yield { kind: "departure", flight, airport: origin, other: destination, day, delay };
    yield { kind: "arrival", flight, airport: destination, other: origin, day, delay };
  }
}

/** The route of an event's flight, the same for both of its events: "DTW-LAS". */
export function routeOf(event: FlightEvent): string {
  return event.kind === "departure"
    ? `${event.airport}-${event.other}`
    : `${event.other}-${event.airport}`;
}

function isFlight(row: unknown): row is Flight {
  if (typeof row !== "object" || row === null) return false;
  return (
    "date" in row &&
    typeof row.date === "string" &&
    /^\d{4}\/\d\d\/\d\d \d\d:\d\d$/.test(row.date) &&
    "delay" in row &&
    Number.isSafeInteger(row.delay) &&
    "distance" in row &&
    Number.isSafeInteger(row.distance) &&
    "origin" in row &&
    isAirportCode(row.origin) &&
    "destination" in row &&
    isAirportCode(row.destination)
  );
}

function isAirportCode(value: unknown): boolean {
  return typeof value === "string" && /^[A-Z0-9]{3}$/.test(value);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
