// Measure — many calls in flight, or one after the other, with a check of the work that was done.

/** What one measurement found. */
export interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** `count` calls, at most `inFlight` of them at a time. Latencies are those of single calls. */
export async function inFlight(
  count: number,
  inFlightMax: number,
  call: (index: number) => Promise<unknown>,
): Promise<Measured> {
  const latencies = new Float64Array(count);
  let next = 0;
  const startedAt = performance.now();
  const one = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const calledAt = performance.now();
      await call(index);
      latencies[index] = performance.now() - calledAt;
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlightMax, count) }, one));
  const seconds = (performance.now() - startedAt) / 1000;
  latencies.sort();
  return {
    perSecond: count / seconds,
    p50Ms: latencies[Math.floor(count * 0.5)] ?? 0,
    p99Ms: latencies[Math.floor(count * 0.99)] ?? 0,
  };
}

/** Fails the benchmark: a run whose work is wrong reports no figure. */
export function verify(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what}: found ${found}, expected ${expected}`);
}
