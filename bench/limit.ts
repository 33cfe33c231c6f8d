// Limit — the names and words of what nothing can beat; limits.ts measures them.

export const limitKinds = {
  append: { what: "one append + fdatasync, growing file, p50", unit: "ms" },
  filled: { what: "one write + fdatasync, file filled before, p50", unit: "ms" },
  roundTrip: { what: "one postMessage to a thread and back, p50", unit: "ms" },
  batched: { what: "messages to a thread and back, 64 in a postMessage", unit: "/s" },
  encodeAndPut: { what: "encode + put, lmdb-js, 1,000 a transaction, no flush", unit: "/s" },
  settled: { what: "awaits of a promise that is settled", unit: "/s" },
  threads: { what: "start of two empty threads", unit: "ms" },
  node: { what: "start and end of an empty Node process", unit: "ms" },
} as const;

export type LimitName = keyof typeof limitKinds;

/** One limit, as it was measured. */
export interface Limit {
  readonly what: string;
  readonly unit: string;
  readonly value: number;
}
