// P2 — awaited reads, one by one, from a thread that owns nothing, while nothing else runs.

import { gets } from "../counters.js";
import { lmdbGets } from "../peers/lmdb.js";
import { redisGets } from "../peers/redis.js";
import { atLeast, ratio, type Target } from "../target.js";

export const p2: Target = {
  id: "P2",
  title: "Awaited gets, one by one, from a thread that owns nothing",
  unit: "gets/s",
  subjects: {
    partita: gets("Partita"),
    redis: redisGets("Redis"),
    lmdb: lmdbGets("lmdb-js alone, not awaited"),
  },
  comparisons: [
    ratio("P2", "gets / awaited GET of Redis", ["partita", "redis"], "perSecond", atLeast(60)),
    ratio("P2-lmdb", "gets / reads of lmdb-js", ["partita", "lmdb"], "perSecond", atLeast(0.7)),
  ],
  limits: ["settled"],
  ms: { full: 1_000, quick: 150 },
};
