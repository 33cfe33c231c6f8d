// Handshake — whether what tasks know of each other fits together, judged before any begins.
//
// Each task says what it has applied of others and what it has sent to others; for each pair the
// two must agree. A pure function over what `HostedThread.streams` says.
// Owns: the verdict. Leaves to others: collecting (cluster.ts), going on (outbox.ts).
//
// Invariants:
//   N1. A destination has applied no number that its source has not given: new messages would get
//       numbers that the destination takes for duplicates, and be lost without a word.
//   N2. A destination has applied all that it has acknowledged as durable: the source has deleted
//       it.
//   N3. N1 is mended where a power cut explains it, and only there: the source's stop was not
//       orderly, in a mode of durability that can lose what it has not synced (`lossy`).

import { PartitaError } from "../base/errors.js";

/** What one task knows of the others. Data: it crosses threads. */
export interface TaskStreams {
  readonly task: number;
  /** `Boot.lossy`. */
  readonly lossy: boolean;
  /** By source: the newest number applied. */
  readonly marks: readonly (readonly [source: number, applied: number])[];
  readonly streams: readonly SentStream[];
}

export interface SentStream {
  readonly destination: number;
  /** Number of the next message. */
  readonly next: number;
  /** Newest number that the destination has said to be durable there. */
  readonly acknowledged: number;
}

/** A source goes on at `next`, behind what a power cut took from it. */
export interface Continuation {
  readonly source: number;
  readonly destination: number;
  readonly next: number;
}

const unsent = { next: 1, acknowledged: 0 };

/**
 * Judges every ordered pair of tasks; returns what must be mended before they begin.
 * @throws PartitaError STREAM_DIVERGED, of the first pair that does not fit
 */
export function judgeStreams(tasks: readonly TaskStreams[]): readonly Continuation[] {
  const sources = new Map(
    tasks.map(({ task, lossy, streams }) => {
      return [task, { lossy, sent: new Map(streams.map((sent) => [sent.destination, sent])) }];
    }),
  );
  const continuations: Continuation[] = [];
  for (const { task: destination, marks } of tasks) {
    const applied = new Map(marks);
    // Also sources that have no stream to this task, or are no tasks.
    for (const source of new Set([...sources.keys(), ...applied.keys()])) {
      const known = sources.get(source);
      const { next, acknowledged } = known?.sent.get(destination) ?? unsent;
      const mark = applied.get(source) ?? 0;
      if (acknowledged <= mark && mark < next) continue;
      if (mark < acknowledged || known?.lossy !== true) {
        const numbers = { applied: mark, acknowledged, next };
        throw new PartitaError("STREAM_DIVERGED", { source, destination, ...numbers });
      }
      continuations.push({ source, destination, next: mark + 1 });
    }
  }
  return continuations;
}
