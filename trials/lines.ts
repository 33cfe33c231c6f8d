// Lines — what a tortured process tells its parent, from any of its threads.

import { writeSync } from "node:fs";

const pauseMs = 1;
const never = new Int32Array(new SharedArrayBuffer(4));

/** Writes to the parent; all of it has left when this returns, whatever happens next. */
export function tell(text: string): void {
  const bytes = Buffer.from(text);
  for (let sent = 0; sent < bytes.length; ) {
    try {
      sent += writeSync(1, bytes, sent);
    } catch (error) {
      // The parent reads as fast as it can; a thread that has nothing else to do waits for it.
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      Atomics.wait(never, 0, 0, pauseMs);
    }
  }
}
