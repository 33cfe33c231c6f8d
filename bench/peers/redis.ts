// Redis — a server of its own on a free port of the loopback interface, and ioredis: INCR with many
// in flight or awaited one by one, and awaited GET.
//
// Persistence is the append-only file with `appendfsync always`, which syncs before it answers, or
// none at all. Snapshots are off in both.

import { execFileSync } from "node:child_process";
import { Redis } from "ioredis";
import { type Draw, uniform } from "../chance.js";
import { freePort, startServer } from "../child.js";
import { keyOf, manyInFlight, manyKeys } from "../counters.js";
import { CheckFailed, during, verify } from "../measure.js";
import type { Stage } from "../stage.js";
import { PeerMissing, type SubjectSpec } from "../target.js";

export interface RedisOptions {
  readonly label: string;
  readonly appendOnly: boolean;
  readonly inFlight?: number;
  readonly figure?: "perSecond" | "p50Ms";
}

const install = "apt-get install redis-server";
const keysAtOnce = 1_000;

/** Undefined when it is not installed. */
export function redisVersion(): string | undefined {
  try {
    const text = execFileSync("redis-server", ["--version"], { encoding: "utf8" });
    return /v=(\S+)/.exec(text)?.[1] ?? "unknown";
  } catch {
    return undefined;
  }
}

/** INCR of random keys. Many in flight are pipelined by ioredis itself. */
export function redisIncrements(options: RedisOptions): SubjectSpec {
  const { inFlight: inFlightMax = manyInFlight, figure = "perSecond" } = options;
  return {
    ours: false,
    shown: [{ figure, label: options.label }],
    open: async (stage) => {
      const client = await openRedis(stage, options.appendOnly, inFlightMax > 1);
      let added = 0;
      return {
        measure: async ({ ms, index }) => {
          const next: Draw = uniform(manyKeys, stage.seed + index);
          const sampleEvery = inFlightMax === 1 ? 1 : 16;
          const load = { ms, inFlight: inFlightMax, sampleEvery, signal: stage.signal };
          const { count, ...loaded } = await during(load, () => client.redis.incr(keyOf(next())));
          added += count;
          verify("sum of all counters", await sumOf(client.redis), added);
          return loaded;
        },
        close: client.close,
      };
    },
  };
}

/** GET and decode, one after the other, of keys that have a value. */
export function redisGets(label: string): SubjectSpec {
  return {
    ours: false,
    shown: [{ figure: "perSecond", label }],
    open: async (stage) => {
      const { redis, close } = await openRedis(stage, true, false);
      for (let from = 0; from < manyKeys; from += keysAtOnce) {
        const keys = Array.from({ length: keysAtOnce }, (_, index) => keyOf(from + index));
        await redis.mset(keys.flatMap((key) => [key, "1"]));
      }
      return {
        measure: async ({ ms, index }) => {
          const next: Draw = uniform(manyKeys, stage.seed + index);
          let sum = 0;
          const load = { ms, inFlight: 1, signal: stage.signal };
          const { count, ...loaded } = await during(load, async () => {
            sum += Number(await redis.get(keyOf(next())));
          });
          verify("sum of what was read", sum, count);
          return loaded;
        },
        close,
      };
    },
  };
}

async function openRedis(stage: Stage, appendOnly: boolean, pipelining: boolean) {
  if (redisVersion() === undefined) throw new PeerMissing("redis-server", install);
  const port = await freePort();
  const directory = await stage.newDirectory("redis");
  const persistence = appendOnly ? ["yes", "--appendfsync", "always"] : ["no"];
  const server = await startServer(stage, {
    command: "redis-server",
    args: [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", directory],
      ...["--save", "", "--appendonly", ...persistence],
    ],
    port,
  });
  const redis = new Redis({ host: "127.0.0.1", port, enableAutoPipelining: pipelining });
  // What happens to a connection is heard of through the calls that it fails.
  redis.on("error", () => {});
  const close = stage.atEnd(async () => {
    redis.disconnect();
    await server.stop();
  });
  const [, setting] = await redisSetting(redis, "appendonly");
  if (setting !== (appendOnly ? "yes" : "no")) throw new CheckFailed(`appendonly is ${setting}`);
  return { redis, close };
}

async function redisSetting(redis: Redis, name: string): Promise<readonly unknown[]> {
  const answer = await redis.config("GET", name);
  return Array.isArray(answer) ? answer : [];
}

async function sumOf(redis: Redis): Promise<number> {
  let sum = 0;
  for (let from = 0; from < manyKeys; from += keysAtOnce) {
    const keys = Array.from({ length: keysAtOnce }, (_, index) => keyOf(from + index));
    for (const count of await redis.mget(keys)) sum += Number(count ?? 0);
  }
  return sum;
}
