// P1 — routed, durable, acknowledged updates of a named function, many in flight.

import { machine, updates } from "../counters.js";
import { lmdbUpdates } from "../peers/lmdb.js";
import { piscinaJobs } from "../peers/piscina.js";
import { redisIncrements } from "../peers/redis.js";
import { atLeast, ratio, type Target } from "../target.js";

export const p1: Target = {
  id: "P1",
  title: "Durable updates, 50,000 keys, 2 tasks, 20,000 in flight",
  unit: "updates/s",
  subjects: {
    partita: updates({ label: "Partita", launch: machine }),
    redis: redisIncrements({ label: "Redis, AOF always", appendOnly: true }),
    "redis-memory": redisIncrements({ label: "Redis, not durable", appendOnly: false }),
    lmdb: lmdbUpdates("lmdb-js alone, own thread, 1,000 a commit"),
    piscina: piscinaJobs("Piscina, empty job, 500 in flight"),
  },
  comparisons: [
    ratio("P1", "updates / Redis AOF always", ["partita", "redis"], "perSecond", atLeast(3)),
    ratio("P1-memory", "updates / Redis not durable", ["partita", "redis-memory"], "perSecond"),
    ratio("P1-lmdb", "updates / lmdb-js in its own thread", ["partita", "lmdb"], "perSecond"),
    ratio("P1-piscina", "updates / empty jobs of Piscina", ["partita", "piscina"], "perSecond"),
  ],
  limits: ["batched", "encodeAndPut", "append"],
  ms: { full: 2_500, quick: 250 },
};
