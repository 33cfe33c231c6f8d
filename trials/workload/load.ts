// Load — the clients of the workload: they write until their budget is used up or the runtime ends,
// and keep a journal of what they ask and what they are told (known.ts has the lines).
//
// Owns: who asks what, in which order, decided by a seed. Leaves to others: processes (child.ts).
//
// Invariants:
//   W1. A line is written before its request is sent, and in the same turn in which its answer
//       arrives (K1).
//   W2. An error of a request ends its client; CLOSED and DISK_LOW are quiet ends.

import { PartitaError, type Runtime } from "../../index.js";
import { seededRandom } from "../../testing/index.js";
import { bodyOf } from "./body.js";
import type topology from "./topology.js";

/** The workload, launched. */
export type Workload = Runtime<(typeof topology)["parts"]>;

/** Takes lines; what it has taken outlives the process. */
export type Journal = (line: string) => void;

export interface LoadOptions {
  readonly seed: number;
  /** Requests of each client; `Infinity` for one that is to be killed or stopped. */
  readonly requests: number;
  /** Invocations of each kind; as many as requests when it is left out. */
  readonly invocations?: number;
  /** Number of this process in the life of the directory, from 1. */
  readonly life: number;
  /** The first number for invocations (`nextInvocation`). */
  readonly firstInvocation: number;
  readonly signal?: AbortSignal;
}

export const logCount = 6;
export const registerCount = 48;
export const accountCount = 5;
export const openingCents = 10_000;

const logWindow = 8;
const registerClients = 4;
const moveWindow = 6;
const chainWindow = 3;
const hopsMax = 6;

/** How many hops a chain has: its number decides. */
export function hopsOf(chain: number): number {
  return 1 + (chain % hopsMax);
}

export function accountName(account: number): string {
  return `account-${account}`;
}

/** Says what a launch has found, and opens what is not there yet. */
export async function begin(runtime: Workload, say: Journal): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const name of Array.from({ length: logCount }, (_, index) => `log-${index}`)) {
    const count = (await runtime.store("logs").get(name))?.count ?? 0;
    say(`found log ${name} ${count}`);
    counts.set(name, count);
  }
  const names = Array.from({ length: registerCount }, (_, index) => `register-${index}`);
  const found = await runtime.store("registers").getMany(names);
  for (const [index, name] of names.entries()) say(`found reg ${name} ${found[index]?.n ?? "-"}`);
  for (let account = 0; account < accountCount; account += 1) {
    say(`try open ${account}`);
    await runtime.store("accounts").update("open", accountName(account), openingCents);
    say(`ack open ${account}`);
  }
  return counts;
}

/**
 * Runs all clients to their end. Refused with DISK_LOW, all of them end: what was accepted can wait
 * for room as long as it likes.
 */
export async function load(
  runtime: Workload,
  counts: ReadonlyMap<string, number>,
  say: Journal,
  given: LoadOptions,
): Promise<void> {
  const low = new AbortController();
  const signals = given.signal === undefined ? [low.signal] : [low.signal, given.signal];
  const options = { ...given, signal: AbortSignal.any(signals), low: low.signal };
  const clients: Promise<void>[] = [];
  for (let log = 0; log < logCount; log += 1) {
    const name = `log-${log}`;
    clients.push(appends(runtime, name, (counts.get(name) ?? 0) + 1, say, options));
  }
  for (let client = 0; client < registerClients; client += 1) {
    clients.push(writes(runtime, client, say, options));
  }
  clients.push(invocations(runtime, "move", moveWindow, say, options));
  clients.push(invocations(runtime, "chain", chainWindow, say, options));
  const ends = clients.map(async (client) => {
    const error = await client.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === undefined || error === low.signal.reason) return;
    if (!PartitaError.is(error)) throw error;
    say(`error ${error.code}`);
    if (error.code === "DISK_LOW") low.abort(error);
    else if (error.code !== "CLOSED") throw error;
  });
  const ended = await Promise.allSettled(ends);
  for (const outcome of ended) if (outcome.status === "rejected") throw outcome.reason;
}

async function appends(
  runtime: Workload,
  name: string,
  first: number,
  say: Journal,
  options: LoadOptions,
): Promise<void> {
  const append = async (n: number): Promise<void> => {
    say(`try log ${name} ${n}`);
    await runtime.store("logs").update("append", name, name, n);
    say(`ack log ${name} ${n}`);
  };
  const { requests, signal } = options;
  await windowed(requests, logWindow, signal, (index) => append(first + index));
}

async function writes(
  runtime: Workload,
  client: number,
  say: Journal,
  { seed, life, requests, signal }: LoadOptions,
): Promise<void> {
  const random = seededRandom(seed * 31 + life * 7 + client);
  const registers = runtime.store("registers");
  // Each client has registers of its own, and one request for one of them at a time.
  const own = registerCount / registerClients;
  for (let index = 1; index <= requests && signal?.aborted !== true; index += 1) {
    const name = `register-${client * own + Math.floor(random() * own)}`;
    const n = life * 10_000_000 + client * 1_000_000 + index;
    const present = random() < 0.7;
    say(`try reg ${name} ${n} ${present ? 1 : 0}`);
    if (present) await registers.put(name, { n, body: bodyOf(name, n) });
    else await registers.delete(name);
    say(`ack reg ${name} ${n} ${present ? 1 : 0}`);
  }
}

async function invocations(
  runtime: Workload,
  kind: "move" | "chain",
  window: number,
  say: Journal,
  options: LoadOptions & { readonly low: AbortSignal },
): Promise<void> {
  const { seed, life, requests, invocations: count = requests, firstInvocation, signal } = options;
  const random = seededRandom(seed * 37 + life * 11 + kind.length);
  const below = (count: number): number => Math.floor(random() * count);
  const run = async (number: number): Promise<void> => {
    say(`try ${kind} ${number}`);
    const from = below(accountCount);
    const to = (from + 1 + below(accountCount - 1)) % accountCount;
    const message = { from: accountName(from), to: accountName(to), cents: 1 + below(500) };
    const begun =
      kind === "move"
        ? await runtime.agent("move").initiate({ move: number, ...message })
        : await runtime.agent("chain").initiate({ chain: number, hops: hopsOf(number) });
    say(`ack ${kind} ${number} ${begun.id}`);
    await begun.result({ signal: options.low });
    say(`done ${kind} ${number}`);
  };
  await windowed(count, window, signal, (index) => run(firstInvocation + index));
}

/** Makes calls with at most `window` of them on the way. */
async function windowed(
  count: number,
  window: number,
  signal: AbortSignal | undefined,
  call: (index: number) => Promise<void>,
): Promise<void> {
  const underWay: Promise<void>[] = [];
  for (let index = 0; index < count && signal?.aborted !== true; index += 1) {
    const running = call(index);
    // Awaited below, in its turn; until then a rejection is nobody's news.
    running.catch(() => {});
    underWay.push(running);
    if (underWay.length >= window) await underWay.shift();
  }
  await Promise.all(underWay);
}
