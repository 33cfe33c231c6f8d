// Measure — many calls in flight, or one after the other, with a check of the work that was done.
//
// Invariants:
//   M1. What is counted was called within the time and has been answered; the clock stops with the
//       last answer.
//   M2. Latencies are those of single calls; of a load, one call in `sampleEvery` is timed, so that
//       looking at the clock does not become the work.
//   M3. When one call fails no more are made, and the failure is told once all others are answered:
//       then nothing is in flight any more, and what was called can be closed.

import { quantile } from "./figures.js";

/** What one measurement found. */
export interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A load that runs for a time. */
export interface Load {
  readonly ms: number;
  readonly inFlight: number;
  /** Default 16. */
  readonly sampleEvery?: number;
  /** Ends it at once, by rejecting with `signal.reason`. */
  readonly signal: AbortSignal;
}

/** What a load has done. */
export interface Loaded extends Measured {
  readonly count: number;
  /** Answers within the slowest whole second; all of them when it took less than two. */
  readonly slowestPerSecond: number;
}

/** The work is wrong: no figure of it counts. */
export class CheckFailed extends Error {}

/** `count` calls, at most `inFlight` of them at a time. Latencies are those of single calls. */
export async function inFlight(
  count: number,
  inFlightMax: number,
  call: (index: number) => Promise<unknown>,
): Promise<Measured> {
  const latencies = new Float64Array(count);
  let next = 0;
  const startedAt = performance.now();
  await callers(Math.min(inFlightMax, count), async (goesOn) => {
    for (let index = next++; index < count && goesOn(); index = next++) {
      const calledAt = performance.now();
      await call(index);
      latencies[index] = performance.now() - calledAt;
    }
  });
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    perSecond: count / seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}

/** Calls for `ms`, always so many of them in flight; `call` gets their number, from 0. */
export async function during(
  load: Load,
  call: (index: number) => Promise<unknown>,
): Promise<Loaded> {
  const { sampleEvery = 16, signal } = load;
  const latencies: number[] = [];
  const seconds: number[] = [];
  let count = 0;
  const startedAt = performance.now();
  const endAt = startedAt + load.ms;
  await callers(load.inFlight, async (goesOn) => {
    while (goesOn()) {
      const index = count;
      if (index % sampleEvery !== 0) {
        count += 1;
        await call(index);
        continue;
      }
      const calledAt = performance.now();
      if (calledAt >= endAt) return;
      signal.throwIfAborted();
      count += 1;
      await call(index);
      const answeredAt = performance.now();
      latencies.push(answeredAt - calledAt);
      const second = Math.floor((answeredAt - startedAt) / 1000);
      seconds[second] = (seconds[second] ?? 0) + sampleEvery;
    }
  });
  const taken = (performance.now() - startedAt) / 1000;
  const perSecond = count / taken;
  return { count, slowestPerSecond: slowest(seconds, perSecond), ...of(latencies, perSecond) };
}

/** The same for calls that are done when they return: a library in the caller's own thread. */
export function duringSync(ms: number, call: (index: number) => void): Loaded {
  const latencies: number[] = [];
  const sampleEvery = 16;
  const startedAt = performance.now();
  const endAt = startedAt + ms;
  let count = 0;
  for (; ; count += 1) {
    if (count % sampleEvery !== 0) {
      call(count);
      continue;
    }
    const calledAt = performance.now();
    if (calledAt >= endAt) break;
    call(count);
    latencies.push(performance.now() - calledAt);
  }
  const perSecond = (count * 1000) / (performance.now() - startedAt);
  return { count, slowestPerSecond: perSecond, ...of(latencies, perSecond) };
}

/** Fails the benchmark: a run whose work is wrong reports no figure. */
export function verify(what: string, found: number, expected: number): void {
  if (found !== expected) {
    throw new CheckFailed(`${what}: found ${found}, expected ${expected}`);
  }
}

/** So many of them side by side; see M3. */
async function callers(
  count: number,
  one: (goesOn: () => boolean) => Promise<void>,
): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  const goesOn = () => failure === undefined;
  const guarded = async (): Promise<void> => {
    try {
      await one(goesOn);
    } catch (error) {
      failure ??= { error };
    }
  };
  await Promise.all(Array.from({ length: count }, guarded));
  if (failure !== undefined) throw failure.error;
}

function of(latencies: readonly number[], perSecond: number): Measured {
  const sorted = Float64Array.from(latencies);
  return { perSecond, p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
}

/** The first second has the ramp and the last is cut short: neither counts. */
function slowest(seconds: readonly number[], perSecond: number): number {
  const whole = Array.from(seconds, (answers) => answers ?? 0).slice(1, -1);
  return whole.length === 0 ? perSecond : Math.min(...whole);
}
