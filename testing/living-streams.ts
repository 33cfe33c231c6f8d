// Living streams — the streams of living clients: each iteration belongs to the life in which it
// begins, and ends with it.

import type { ChunkStream, StreamEvent } from "../agents/client/stream.js";
import type { Serving, Simulation } from "./simulation.js";

/** Streams of whatever serves when they are iterated. Rejects with TASK_EXITED when that dies. */
export function livingStream(
  simulation: Simulation,
  streamIn: (serving: Serving) => ChunkStream,
): ChunkStream {
  const open = new Set<ChunkStream>();
  let isClosed = false;
  async function* events(): AsyncGenerator<StreamEvent, void> {
    if (isClosed) return;
    const serving = await simulation.serving();
    const stream = streamIn(serving);
    open.add(stream);
    const iterator = stream[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await Promise.race([iterator.next(), serving.death]);
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      open.delete(stream);
      stream.close();
    }
  }
  return {
    [Symbol.asyncIterator]: events,
    async forEach(listener) {
      for await (const event of events()) await listener(event);
    },
    close() {
      isClosed = true;
      for (const stream of open) stream.close();
    },
  };
}
