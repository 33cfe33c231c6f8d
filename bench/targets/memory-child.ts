// The process of P9: reads and writes for a while, is then offered ten times what it can do, and
// watches its resident size.
//
// Invariants:
//   M1. The first size that counts is of a process in which nothing is new any more: every arena of
//       every task was full before, so every task has written two checkpoints.
//   M2. "Ten times" by answers: for each update that was answered ten new ones are called, so nine
//       of them find the mailbox full and are refused.
//   M3. Callers that are refused hear of it before `callsInFlight` others call. Who makes more
//       calls than that without letting go of the thread holds what the language makes for each of
//       them, which no limit of ours is about.
//   M4. `bound` is the sum in docs/MEMORY.md, without what it says of garbage; `peak` is all that
//       the system has ever seen of this process.

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
  readonly arenaBytes: number;
  readonly ms: number;
  readonly seed: number;
}

const mebibyte = 2 ** 20;
const mailbox = { messagesMax: 16_384, bytesMax: 8 * mebibyte, whenFull: "reject" } as const;
/** What a caller in flight may hold on the launching thread: promises, closures, a key. */
const callerBytes = 4_096;
const callsInFlight = 2_000;
const overload = 10;
const sampleMs = 100;
const warmUpMs = 1_000;
/** Rows that a task keeps decoded, its own and those of stores. */
const cacheBytes = 80 * mebibyte;
/** What a task thread has just made and V8 has not looked at yet. */
const youngBytes = 24 * mebibyte;
/** A checkpoint that is written, of each task at most: its thread, the order of its keys, pages. */
const checkpointBytes = 64 * mebibyte;

const order: MemoryOrder = JSON.parse(process.argv[2] ?? "");
const signal = new AbortController().signal;
const { arenaBytes } = order;
const runtime = await launchCounters(order.path, { arenaBytes, mailbox });
const idle = process.memoryUsage.rss();
const counters = runtime.store("counters");
const next = uniform(order.keys, order.seed);
const directory = { path: order.path, sum: 0 };

await inFlight(order.keys, callsInFlight, (index) => counters.update("add", keyOf(index), 1));
directory.sum = order.keys;

while (!(await everyArenaWasFull())) await readAndWrite(warmUpMs);
const samples = await sampled(async () => await readAndWrite(order.ms));
await verifySum(runtime, directory);

let refused = 0;
let answered = 0;
await offerTooMuch(order.ms / 4);
directory.sum += answered;
await verifySum(runtime, directory);

const third = Math.ceil(samples.length / 3);
const laneBytes = 2 * mailbox.bytesMax + mailbox.messagesMax * callerBytes;
const taskBytes = 2 * (arenaBytes + indexBytes(arenaBytes)) + cacheBytes + checkpointBytes;
const bound =
  idle +
  machine.tasks * (taskBytes + laneBytes) +
  machine.threads * youngBytes +
  mappedBytes(order.path);
await runtime.close();
const inMebibytes = {
  idle,
  before: median(samples.slice(0, third)),
  after: median(samples.slice(-third)),
  // As the system has it, of all that this process has done: no timer sees a loop from inside.
  peak: process.resourceUsage().maxRSS * 1_024,
  bound,
};
const figures = Object.entries(inMebibytes).map(([name, bytes]) => [name, bytes / mebibyte]);
console.log(JSON.stringify({ ...Object.fromEntries(figures), refused, answered }));

/** One update for each get. */
async function readAndWrite(ms: number): Promise<void> {
  let updated = 0;
  await during({ ms, inFlight: callsInFlight, signal }, async (index) => {
    const key = keyOf(next());
    if (index % 2 === 0) return await counters.get(key);
    updated += 1;
    return await counters.update("add", key, 1);
  });
  directory.sum += updated;
}

/** M1. */
async function everyArenaWasFull(): Promise<boolean> {
  const { tasks } = await runtime.stats();
  return tasks.every(({ storage }) => storage.checkpoints >= 2);
}

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
    for (let call = 1; call <= offered; call += 1) {
      open += 1;
      counters.update("add", keyOf(next()), 1).then(
        () => {
          open -= 1;
          answered += 1;
        },
        (error: unknown) => {
          open -= 1;
          if (PartitaError.is(error, "MAILBOX_FULL")) refused += 1;
          else failure = error;
        },
      );
      // M3. The thread goes on with this loop before anything arrives: it is as crowded as before.
      if (call % callsInFlight === 0) await Promise.resolve();
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

/** What makes the records of an arena findable: room for one of 64 bytes in every second slot. */
function indexBytes(ofArena: number): number {
  return 8 * 2 ** Math.ceil(Math.log2(ofArena / 64) + 0.5);
}

/** Files of LMDB, which are mapped: their pages count as resident while the system lets them. */
function mappedBytes(path: string): number {
  const files = readdirSync(path, { recursive: true, encoding: "utf8" });
  const mapped = files.filter((file) => file.endsWith(".mdb"));
  return mapped.reduce((bytes, file) => bytes + statSync(join(path, file)).size, 0);
}
