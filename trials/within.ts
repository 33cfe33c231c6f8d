/** What the promise gives; `undefined` when the time is over first, or the signal aborts. */
export async function within<T>(
  durationMs: number,
  signal: AbortSignal,
  promise: Promise<T>,
): Promise<T | undefined> {
  let settle = (): void => {};
  const over = new Promise<undefined>((resolve) => {
    settle = () => resolve(undefined);
  });
  const timer = setTimeout(settle, signal.aborted ? 0 : durationMs);
  signal.addEventListener("abort", settle);
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", settle);
  }
}

/** Resolves when the time is over, or the signal aborts. */
export async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  await within(durationMs, signal, new Promise<never>(() => {}));
}
