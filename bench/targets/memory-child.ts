// The process of P9: reads and writes for a while, is then offered ten times what it can do, and
// watches its resident size.
//
// "Ten times" by answers: for each update that was answered ten new ones are called, so nine of
// them find the mailbox full and are refused.

import { statSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { PartitaError } from "partita";
import { uniform } from "../chance.js";
import { keyOf, launchCounters, machine, verifySum } from "../counters.js";
import { median } from "../figures.js";
import { during, inFlight } from "../measure.js";

export interface MemoryOrder {
  readonly path: string;
  readonly keys: number;
  readonly ms: number;
  readonly seed: number;
}

const mebibyte = 2 ** 20;
const arenaBytes = 64 * mebibyte;
const mailbox = { messagesMax: 16_384, bytesMax: 8 * mebibyte, whenFull: "reject" } as const;
/** What a caller in flight may hold on the launching thread: promises, closures, a key. */
const callerBytes = 4_096;
const callsInFlight = 2_000;
const overload = 10;
const sampleMs = 100;
/** Part of the time after which nothing is new any more: every key is cached, every arena used. */
const settledAfter = 0.4;

const order: MemoryOrder = JSON.parse(process.argv[2] ?? "");
const signal = new AbortController().signal;
const runtime = await launchCounters(order.path, { arenaBytes, mailbox });
const idle = process.memoryUsage.rss();
const counters = runtime.store("counters");
const next = uniform(order.keys, order.seed);
const directory = { path: order.path, sum: 0 };

await inFlight(order.keys, callsInFlight, (index) => counters.update("add", keyOf(index), 1));
directory.sum = order.keys;

const samples = await sampled(async () => {
  let updated = 0;
  await during({ ms: order.ms, inFlight: callsInFlight, signal }, async (index) => {
    const key = keyOf(next());
    if (index % 2 === 0) return await counters.get(key);
    updated += 1;
    return await counters.update("add", key, 1);
  });
  directory.sum += updated;
});
await verifySum(runtime, directory);

let refused = 0;
let answered = 0;
const crowded = await sampled(async () => await offerTooMuch(order.ms / 4));
directory.sum += answered;
await verifySum(runtime, directory);

const settled = samples.slice(Math.floor(samples.length * settledAfter));
const third = Math.ceil(settled.length / 3);
const bound =
  idle +
  machine.tasks * (2 * arenaBytes + 2 * mailbox.bytesMax + mailbox.messagesMax * callerBytes) +
  mappedBytes(order.path);
await runtime.close();
const inMebibytes = {
  idle,
  before: median(settled.slice(0, third)),
  after: median(settled.slice(-third)),
  peak: Math.max(...samples, ...crowded),
  bound,
};
const figures = Object.entries(inMebibytes).map(([name, bytes]) => [name, bytes / mebibyte]);
console.log(JSON.stringify({ ...Object.fromEntries(figures), refused, answered }));

/** For so long, and until more was refused than accepted, however slow the machine is. */
async function offerTooMuch(ms: number): Promise<void> {
  const endAt = performance.now() + ms;
  let failure: unknown;
  let open = 0;
  let before = -1_000;
  // Those that are open were accepted: what is refused is told at once.
  const isCrowded = () => refused > answered + open || failure !== undefined;
  while (performance.now() < endAt || !isCrowded()) {
    const offered = overload * (answered - before);
    before = answered;
    for (let call = 0; call < offered; call += 1) {
      open += 1;
      counters
        .update("add", keyOf(next()), 1)
        .then(
          () => {
            answered += 1;
          },
          (error: unknown) => {
            if (PartitaError.is(error, "MAILBOX_FULL")) refused += 1;
            else failure = error;
          },
        )
        .finally(() => {
          open -= 1;
        });
    }
    await turn();
  }
  while (open > 0) await turn();
  if (failure !== undefined) throw failure;
}

/** Resident sizes while it works. */
async function sampled(work: () => Promise<void>): Promise<number[]> {
  const sizes: number[] = [];
  const timer = setInterval(() => sizes.push(process.memoryUsage.rss()), sampleMs);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return [...sizes, process.memoryUsage.rss()];
}

/** Files of LMDB, which are mapped: their pages count as resident while the system lets them. */
function mappedBytes(path: string): number {
  const files = readdirSync(path, { recursive: true, encoding: "utf8" });
  const mapped = files.filter((file) => file.endsWith(".mdb"));
  return mapped.reduce((bytes, file) => bytes + statSync(join(path, file)).size, 0);
}
