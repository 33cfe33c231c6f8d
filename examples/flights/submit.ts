/**
 * Starts the items in order, with at most `inFlightMax` of them unfinished at any time, and
 * resolves when all are done. It never waits for one item in particular: what orders the events of
 * one airport is the runtime, not this loop.
 * After a failure it starts nothing more, waits for what was started and rejects with that failure.
 */
export async function submitAll<T>(
  items: Iterable<T>,
  start: (item: T) => Promise<void>,
  inFlightMax: number,
): Promise<void> {
  let inFlight = 0;
  let wake = (): void => {};
  const oneSettled = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  const failures: unknown[] = [];
  for (const item of items) {
    inFlight += 1;
    void start(item)
      .catch((error: unknown) => failures.push(error))
      .finally(() => {
        inFlight -= 1;
        wake();
      });
    // Any item may be the next to finish: a slow airport does not hold up the events of the others.
    if (inFlight >= inFlightMax) await oneSettled();
    if (failures.length > 0) break;
  }
  while (inFlight > 0) await oneSettled();
  if (failures.length > 0) throw failures[0];
}
