// P3 — durable updates, each awaited before the next.

import { updates } from "../counters.js";
import { appendAndSync } from "../peers/disk.js";
import { redisIncrements } from "../peers/redis.js";
import { EchoThread, roundTrips } from "../peers/thread.js";
import { atMost, ratio, type SubjectSpec, type Target } from "../target.js";

/** What nothing can beat: one append with its flush, and one thread that is asked and answers. */
const floor: SubjectSpec = {
  ours: false,
  shown: [{ figure: "p50Ms", label: "append + fdatasync + thread round trip" }],
  open: async (stage) => {
    const thread = await EchoThread.open(stage);
    return {
      measure: async ({ ms }) => {
        const append = await appendAndSync(stage, ms / 2);
        const trip = await roundTrips(stage, thread, ms / 2);
        const p50Ms = append.p50Ms + trip.p50Ms;
        return { p50Ms, appendP50Ms: append.p50Ms, roundTripP50Ms: trip.p50Ms };
      },
      close: thread.close,
    };
  },
};

export const p3: Target = {
  id: "P3",
  title: "Awaited durable update, one by one, p50",
  unit: "ms",
  subjects: {
    partita: updates({ label: "Partita", inFlight: 1, figure: "p50Ms" }),
    floor,
    redis: redisIncrements({
      label: "Redis, AOF always",
      appendOnly: true,
      inFlight: 1,
      figure: "p50Ms",
    }),
  },
  comparisons: [
    ratio("P3", "p50 / (append + sync + round trip)", ["partita", "floor"], "p50Ms", atMost(1.25)),
    ratio("P3-redis", "p50 / awaited INCR, AOF always", ["partita", "redis"], "p50Ms", atMost(1)),
  ],
  limits: ["append", "filled", "roundTrip"],
  ms: { full: 2_000, quick: 250 },
};
