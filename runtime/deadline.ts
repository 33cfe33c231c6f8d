// Deadline — an abort signal that the clock of a System sets off.

import { setMaxListeners } from "node:events";
import type { System } from "./system.js";

export interface Deadline {
  readonly signal: AbortSignal;
  /** Takes the timer back, once nobody waits any more. */
  cancel(): void;
}

/** A signal that aborts `delayMs` from now, with a reason of its own. */
export function deadlineAfter(system: System, delayMs: number): Deadline {
  const abort = new AbortController();
  // A close waits with it for each thread: Node would warn of a leak from the eleventh on.
  setMaxListeners(0, abort.signal);
  const timer = system.after(delayMs, () => abort.abort(new Error(`${delayMs} ms are over`)));
  return { signal: abort.signal, cancel: () => timer.cancel() };
}

/** Rejects with the signal's reason when it aborts, never resolves. */
export function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}
