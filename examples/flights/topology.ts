// Three stores and one agent: what happens to each departure and each arrival.
//
// Guarantees:
//   1. Each event is counted once: at its airport, on its route, on its day. (After a crash: see
//      README.md.)
//   2. One client's events for one airport apply in the order in which it submitted them.
//   3. An event whose result has arrived is on the disk and stays there through a power cut.

import { agent, keyValueStore, node, reply, string, topology, type } from "../../index.js";
import { type FlightEvent, routeOf } from "./flights.js";
import {
  type AirportTraffic,
  afterAirportEvent,
  afterFlightEvent,
  type Traffic,
} from "./statistics.js";

const airports = keyValueStore({
  key: string,
  value: type<AirportTraffic>(),
  updates: {
    // Replies with one number: nobody needs the whole value to travel back for every event.
    record: (current: AirportTraffic | undefined, event: FlightEvent) => {
      const next = afterAirportEvent(current, event);
      return reply(next, next.delays.count);
    },
  },
});

const trafficUpdates = {
  record: (current: Traffic | undefined, event: FlightEvent) =>
    reply(afterFlightEvent(current, event), null),
};
const routes = keyValueStore({ key: string, value: type<Traffic>(), updates: trafficUpdates });
const days = keyValueStore({ key: string, value: type<Traffic>(), updates: trafficUpdates });

/** What a day is told: the event, and its number at its airport. */
interface Counted {
  readonly event: FlightEvent;
  readonly seen: number;
}

const track = agent({
  stores: { airports, routes, days },
  entry: "airport",
  // How many events the airport had seen when this one was recorded there.
  result: type<number>(),
  nodes: {
    airport: node({
      input: type<FlightEvent>(),
      to: ["route", "day"],
      key: (event) => event.airport,
    }),
    route: node({ input: type<FlightEvent>(), key: routeOf }),
    day: node({ input: type<Counted>(), key: ({ event }) => event.day }),
  },
}).implement({
  async airport(ctx, event) {
    // No race, and no change of order: this node is keyed by airport, so it runs on the task that
    // owns the airport, one event at a time, in the order of arrival. The next event for this
    // airport waits until this function has returned. Other airports do not wait.
    const seen = await ctx.stores.airports.update("record", event.airport, event);
    // Both emits leave together with the node's completion, or not at all: a crash cannot lose one.
    ctx.emit("route", event);
    ctx.emit("day", { event, seen });
  },
  async route(ctx, event) {
    // Events of one route come from two airports, on any two tasks, in any order between them. That
    // is no race: sums, counts and maxima do not depend on it, and the owner adds one at a time.
    await ctx.stores.routes.update("record", routeOf(event), event);
  },
  async day(ctx, { event, seen }) {
    // As for routes. Every event of a day meets here, which makes `day` the slowest of the three:
    // it gives the result, so that a client that waits for results never runs far ahead of it.
    await ctx.stores.days.update("record", event.day, event);
    ctx.result(seen);
  },
});

export default topology("flights", import.meta.url, {
  stores: { airports, routes, days },
  agents: { track },
});
