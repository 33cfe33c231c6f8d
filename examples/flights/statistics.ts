// What the three stores keep, and how one event changes it: pure functions, run by the key's owner.
//
// Owns: who counts what, so that nothing is counted twice:
//   - an airport counts every event that happens there, with its delay;
//   - a route and a day hear of both events of a flight: each counts as what it is, and the
//     flight's delay is counted once, with the arrival.
// Leaves to others: recompute.ts has its own arithmetic, so that a mistake here shows.

import type { FlightEvent } from "./flights.js";

/** Delays in minutes. The mean is `sum / count`: sums stay exact, means would not. */
export interface Delays {
  readonly count: number;
  readonly sum: number;
  /** The largest; `null` as long as `count` is 0. */
  readonly worst: number | null;
}

/** Statistics of a route or a day. */
export interface Traffic {
  readonly departures: number;
  readonly arrivals: number;
  readonly delays: Delays;
}

/** Statistics of an airport. */
export interface AirportTraffic extends Traffic {
  /** The newest `lastEventsMax` events, oldest first, in the order in which they were submitted. */
  readonly last: readonly LastEvent[];
}

/** One of an airport's last events. */
export interface LastEvent {
  readonly kind: "departure" | "arrival";
  readonly flight: number;
  readonly other: string;
  readonly delay: number;
}

/** How many events an airport remembers. */
export const lastEventsMax = 10;

const nothing: Traffic = { departures: 0, arrivals: 0, delays: { count: 0, sum: 0, worst: null } };

/** An airport's statistics after one more event. */
export function afterAirportEvent(
  current: AirportTraffic = { ...nothing, last: [] },
  event: FlightEvent,
): AirportTraffic {
  const { kind, flight, other, delay } = event;
  return {
    ...countKind(current, kind),
    delays: countDelay(current.delays, delay),
    last: [...current.last, { kind, flight, other, delay }].slice(-lastEventsMax),
  };
}

/** A route's or a day's statistics after one more event. */
export function afterFlightEvent(current: Traffic = nothing, event: FlightEvent): Traffic {
  return {
    ...countKind(current, event.kind),
    // Once per flight: its departure has been or will be counted here too, and brings no delay.
    delays: event.kind === "arrival" ? countDelay(current.delays, event.delay) : current.delays,
  };
}

function countKind(current: Traffic, kind: FlightEvent["kind"]): Omit<Traffic, "delays"> {
  return {
    departures: current.departures + (kind === "departure" ? 1 : 0),
    arrivals: current.arrivals + (kind === "arrival" ? 1 : 0),
  };
}

function countDelay(current: Delays, delay: number): Delays {
  return {
    count: current.count + 1,
    sum: current.sum + delay,
    worst: current.worst === null ? delay : Math.max(current.worst, delay),
  };
}
