// The same statistics by other means: one thread, plain arrays, no Partita.
//
// Everything is grouped first and counted afterwards, so it shares neither code nor method with
// statistics.ts. What the runtime does wrong, and what statistics.ts does wrong, both show.

import type { Flight } from "./flights.js";
import type { AirportTraffic, Traffic } from "./statistics.js";

/** All that the stores hold, by key. */
export interface Statistics {
  readonly airports: ReadonlyMap<string, AirportTraffic>;
  readonly routes: ReadonlyMap<string, Traffic>;
  readonly days: ReadonlyMap<string, Traffic>;
}

/** What the stores must hold after these flights, submitted in this order. */
export function recompute(flights: readonly Flight[]): Statistics {
  const airports = new Map<string, AirportTraffic>();
  for (const [airport, visits] of groupByAirport(flights)) {
    const delays = visits.map((visit) => visit.flight.delay);
    airports.set(airport, {
      departures: visits.filter((visit) => visit.departs).length,
      arrivals: visits.filter((visit) => !visit.departs).length,
      delays: { count: delays.length, sum: total(delays), worst: Math.max(...delays) },
      last: visits.slice(-10).map(({ departs, number, flight }) => ({
        kind: departs ? "departure" : "arrival",
        flight: number,
        other: departs ? flight.destination : flight.origin,
        delay: flight.delay,
      })),
    });
  }
  return {
    airports,
    routes: trafficBy(flights, (flight) => `${flight.origin}-${flight.destination}`),
    days: trafficBy(flights, (flight) => flight.date.split(" ", 1).join("")),
  };
}

interface Visit {
  readonly number: number;
  readonly flight: Flight;
  readonly departs: boolean;
}

function groupByAirport(flights: readonly Flight[]): Map<string, Visit[]> {
  const groups = new Map<string, Visit[]>();
  for (const [number, flight] of flights.entries()) {
    append(groups, flight.origin, { number, flight, departs: true });
    append(groups, flight.destination, { number, flight, departs: false });
  }
  return groups;
}

function trafficBy(
  flights: readonly Flight[],
  keyOf: (flight: Flight) => string,
): Map<string, Traffic> {
  const groups = new Map<string, number[]>();
  for (const flight of flights) append(groups, keyOf(flight), flight.delay);
  const traffic = new Map<string, Traffic>();
  for (const [key, delays] of groups) {
    const count = delays.length;
    // Every flight of these data departed and arrived, on the route and day it was scheduled for.
    traffic.set(key, {
      departures: count,
      arrivals: count,
      delays: { count, sum: total(delays), worst: Math.max(...delays) },
    });
  }
  return traffic;
}

function append<T>(groups: Map<string, T[]>, key: string, item: T): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [item]);
  else group.push(item);
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
