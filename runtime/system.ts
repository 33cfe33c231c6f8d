// System — the only door through which time, chance, the event loop and the end of the process
// enter.
//
// Everything below runtime/ that decides anything takes a System as a parameter, so a simulator can
// replay it; this file also has the production one.
//
// Invariants:
//   Y1. `soon` callbacks run before any `later` callback that is not already running.
//   Y2. `stop` does not return: nothing is acknowledged after a failed write or sync.

import { writeSync } from "node:fs";

/** A pending timer. Cancelling twice, or after it has fired, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface System {
  /** Milliseconds since the epoch; may jump. */
  now(): number;
  /** Milliseconds since some start; never jumps. */
  elapsed(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Runs `action` when the running callback is done: a flush. */
  soon(action: () => void): void;
  /** Runs `action` in a later turn of the event loop, after what has arrived: a drain. */
  later(action: () => void): void;
  /** Runs `action` once, `delayMs` from now. `background`: the process may end before that. */
  after(delayMs: number, action: () => void, background?: boolean): Timer;
  /** Ends the whole process at once with a diagnosis. */
  stop(diagnosis: string): never;
}

/** The machine's own clock, chance and event loop. */
export const realSystem: System = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  random: () => Math.random(),
  soon: (action) => queueMicrotask(action),
  later: (action) => {
    setImmediate(action);
  },
  after: (delayMs, action, background = false) => {
    const timer = setTimeout(action, delayMs);
    if (background) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  stop: (diagnosis) => {
    // Straight to the descriptor: a stream would need an event loop that must not turn again.
    writeSync(2, `partita: stopped: ${diagnosis}\n`);
    // From a task thread `process.exit` would end the thread alone, and a handler could delay an
    // abort.
    process.kill(process.pid, "SIGKILL");
    throw new Error(diagnosis);
  },
};
