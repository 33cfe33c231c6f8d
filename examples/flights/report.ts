// What the main job prints on standard output: two tables, the throughput, the conclusion.

import type { Statistics } from "./recompute.js";
import type { Delays, Traffic } from "./statistics.js";
import type { Verification } from "./verify.js";

/** The ten airports with the most events, and the ten routes with the worst mean delay. */
export function tables({ airports, routes }: Statistics): string {
  const busiest = [...airports].sort(
    ([a, left], [b, right]) => eventCount(right) - eventCount(left) || compareText(a, b),
  );
  const flown = [...routes].filter(([, route]) => route.arrivals >= routeFlightsMin);
  const worst = flown.sort(
    ([a, left], [b, right]) => mean(right.delays) - mean(left.delays) || compareText(a, b),
  );
  return [
    "The ten busiest airports",
    table(
      ["airport", "departures", "arrivals", "mean delay", "worst delay"],
      busiest.slice(0, 10).map(([airport, { departures, arrivals, delays }]) => {
        return [airport, String(departures), String(arrivals), ...delayCells(delays)];
      }),
    ),
    "",
    worst.length === 0
      ? `No route has ${routeFlightsMin} flights or more`
      : `The ten worst of ${worst.length} routes with at least ${routeFlightsMin} flights\n${table(
          ["route", "flights", "mean delay", "worst delay"],
          worst.slice(0, 10).map(([route, { arrivals, delays }]) => {
            return [route, String(arrivals), ...delayCells(delays)];
          }),
        )}`,
  ].join("\n");
}

/** `40000 invocations in 4.2 s: 9524 per second`. */
export function throughput(invocations: number, seconds: number): string {
  const perSecond = Math.round(invocations / seconds);
  return `${invocations} invocations in ${seconds.toFixed(1)} s: ${perSecond} per second`;
}

/** One line when all is equal; otherwise the first differences, and how many more there are. */
export function comparison(what: string, { differences, differenceCount }: Verification): string {
  if (differenceCount === 0) return `${what}: every airport, route and day is as recomputed`;
  const more = differenceCount - differences.length;
  return [
    `${what}: ${differenceCount} differences from the recomputation`,
    ...differences.map((line) => `  ${line}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ].join("\n");
}

/** The last line of the program. */
export function conclusion(flights: number, counted: Statistics, ok: boolean): string {
  const { airports, routes } = counted;
  const counts = `${flights} events, ${airports.size} airports, ${routes.size} routes`;
  return `flights: ${counts}, verified against recomputation: ${ok ? "OK" : "FAILED"}`;
}

/** A route with fewer flights has no mean worth comparing. */
const routeFlightsMin = 10;

function eventCount({ departures, arrivals }: Traffic): number {
  return departures + arrivals;
}

function mean({ count, sum }: Delays): number {
  return count === 0 ? 0 : sum / count;
}

function delayCells(delays: Delays): readonly string[] {
  return [`${mean(delays).toFixed(1)} min`, `${delays.worst ?? 0} min`];
}

/** The first column is text, the others are numbers and stand to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) => {
      const cells = line.map((cell, i) => {
        const width = widths[i] ?? 0;
        return i === 0 ? cell.padEnd(width) : cell.padStart(width);
      });
      return `  ${cells.join("  ")}`;
    })
    .join("\n");
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
