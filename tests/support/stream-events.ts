// What followers of a stream were told, in short.

import type { ChunkStream, StreamEvent } from "../../agents/client/stream.js";

/** One follower of a stream in the background. */
export interface Followed {
  readonly events: readonly StreamEvent[];
  /** `0:a`, `reset`, `completed`; what a stream of one node invocation tells. */
  readonly shown: readonly string[];
  /** Values of the chunks that stand: those behind the last reset. */
  readonly values: readonly unknown[];
  /** Settles when the stream has ended. */
  readonly ended: Promise<void>;
}

/** Begins to follow a stream. */
export function followed(stream: ChunkStream): Followed {
  const events: StreamEvent[] = [];
  const ended = stream.forEach((event) => void events.push(event));
  // Whoever looks at `ended` later sees how it ended.
  ended.catch(() => {});
  return {
    events,
    ended,
    get shown() {
      return events.map(shown);
    },
    get values() {
      return valuesOf(events);
    },
  };
}

/** The chunks that stand, of a stream of one node invocation. */
export function valuesOf(events: readonly StreamEvent[]): readonly unknown[] {
  const last = events.findLastIndex((event) => event.kind === "reset");
  return events.slice(last + 1).flatMap((event) => (event.kind === "chunk" ? [event.value] : []));
}

function shown(event: StreamEvent): string {
  return event.kind === "chunk" ? `${event.index}:${String(event.value)}` : event.kind;
}
