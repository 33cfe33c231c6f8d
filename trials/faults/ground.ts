// Ground — directories that points begin with: a new one, or what a process that was killed under
// load has left; and for each, which calls a run makes on it.
//
// Owns: templates, and the occurrences that points are chosen from. Leaves to others: choosing
// (plan.ts), running (point.ts).

import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { arenaStart } from "../../store/arena.js";
import { readFrame } from "../../store/frame.js";
import { straced } from "../strace/strace.js";
import { type Call, readTrace } from "../strace/trace-reader.js";
import type { WorkloadSpec } from "../workload/child.js";
import { type Known, learn, nextInvocation, nothingKnown } from "../workload/known.js";
import { pathIn } from "./fault-trace.js";

/** What a process is doing when a call happens. */
export const phases = ["launch", "recovery", "load", "swap", "checkpoint", "close"] as const;

export type Phase = (typeof phases)[number];

/** A call of the run that nobody disturbed. */
export interface Occurrence {
  readonly phase: Phase;
  readonly name: string;
  /** Below the data directory. */
  readonly path: string;
  /** Its path is the same in every run: strace can be told to look at it alone. */
  readonly isSteady: boolean;
  /** The first thread that makes its n-th call of the name (on the path, if it is steady). */
  readonly n: number;
}

/** A directory to begin with. */
export interface Ground {
  /** The template; `undefined` for a new directory. */
  readonly template: string | undefined;
  readonly known: Known;
  readonly spec: Omit<WorkloadSpec, "directory" | "journal">;
  readonly occurrences: readonly Occurrence[];
}

/** Calls that points may hit. */
export const faultyCalls = [
  ...["openat", "pwrite64", "writev", "write", "fdatasync", "fsync"],
  ...["ftruncate", "rename", "unlink", "mkdir", "rmdir", "mmap", "pread64"],
] as const;

export interface GroundOptions {
  readonly folder: string;
  readonly childFile: string;
  readonly seed: number;
  readonly signal: AbortSignal;
}

const arenaBytes = 1_048_576;
const tasks = 2;
const limitMs = 120_000;
/** How the process ended that has left a template. */
interface Ending {
  /** Killed after so many acknowledgements… */
  readonly killAfter: number;
  /** …or in this call before. */
  readonly killIn?: { readonly name: string; readonly path: string };
  /** Bytes that are no frame stand behind its log, as after a power cut. */
  readonly isTorn?: true;
}

const endings: readonly Ending[] = [
  { killAfter: 700 },
  { killAfter: 1_500, isTorn: true },
  { killAfter: 2_300 },
  { killAfter: 9_000, killIn: { name: "unlink", path: "t0000/log/0000000000000001.seg" } },
  { killAfter: 9_000, killIn: { name: "writev", path: "t0001/environment/data.mdb" } },
];

/** About the acknowledgements that fill the arenas of both tasks. */
const acksPerArena = 1_900;
const clients = 10;

/** Names that are the same in every run. */
const steadyPath =
  /(?:^|\/)(?:log|environment|new|data\.mdb|lock\.mdb|partita\.json.*|owner\.pid|t\d{4})$/;
const firstSegment = /0000000000000001\.seg$/;
/** Calls that are made on any file: only a path says which are meant. */
const everywhere: ReadonlySet<string> = new Set(["openat", "write", "mmap", "pread64"]);

export const journalName = "journal";
export const dataName = "data";

/** Makes all grounds: a new directory, and one for each of `endings`. */
export async function makeGrounds(options: GroundOptions): Promise<readonly Ground[]> {
  const { seed } = options;
  const common = { seed, tasks, threads: 1, arenaBytes, closeAfter: null, killAfter: null };
  const short = { ...common, requests: 40, invocations: 12 };
  const grounds: Ground[] = [];
  const fresh = { ...short, life: 1, firstInvocation: 1 };
  grounds.push(await groundOf(options, "new", undefined, nothingKnown(), fresh));
  for (const [index, ending] of endings.entries()) {
    const { killAfter } = ending;
    const threads = 1 + (index % 2);
    const folder = join(options.folder, `template-${index}`);
    const template = join(folder, dataName);
    mkdirSync(folder, { recursive: true });
    const first = { ...common, threads, life: 1, firstInvocation: 1, killAfter };
    const long = { ...first, requests: 900, invocations: 60 };
    await run(options, folder, long, killing(ending, template));
    if (ending.isTorn) tear(template);
    const known = knownAfter(nothingKnown(), join(folder, journalName));
    const firstInvocation = nextInvocation(known);
    // Enough for the arenas to be swapped, and their checkpoints to end before the close.
    const missing = acksPerArena * 1.9 - (killAfter % acksPerArena);
    const requests = Math.ceil(missing / clients);
    // A thread that may be started again is no way past a failed write.
    const onThreadExit = index % 2 === 0 ? "stop" : "restart";
    const shape = { threads, requests, onThreadExit } as const;
    const second = { ...short, ...shape, life: 2, firstInvocation };
    grounds.push(await groundOf(options, `again-${index}`, template, known, second));
  }
  return grounds;
}

function killing({ killIn }: Ending, template: string): readonly string[] {
  if (killIn === undefined) return ["--seccomp-bpf", "-o", "/dev/null", "-e", "trace=none"];
  const { name, path } = killIn;
  const only = ["-P", join(template, path), "-e", `trace=${name}`];
  return ["-o", "/dev/null", ...only, "-e", `inject=${name}:signal=KILL:when=1`];
}

/** Writes bytes that are no frame behind the newest segment of the first task. */
function tear(template: string): void {
  const log = join(template, "t0000", "log");
  const newest = readdirSync(log).sort().at(-1) ?? "";
  const bytes = new Uint8Array(readFileSync(join(log, newest)));
  // Not the first zero behind the last byte that is none: a frame may end in zeros.
  let end = arenaStart;
  for (;;) {
    const frame = readFrame(bytes, end, bytes.length);
    if (typeof frame === "string") break;
    end += frame.byteLength;
  }
  const descriptor = openSync(join(log, newest), "r+");
  writeSync(descriptor, Buffer.alloc(64, 0xaa), 0, 64, end);
  closeSync(descriptor);
}

/** What is known when a journal has been read as well. */
export function knownAfter(before: Known, journal: string): Known {
  const known = structuredClone(before);
  for (const line of readFileSync(journal, "utf8").split("\n").slice(0, -1)) learn(known, line);
  return known;
}

async function groundOf(
  options: GroundOptions,
  name: string,
  template: string | undefined,
  known: Known,
  spec: Ground["spec"],
): Promise<Ground> {
  const folder = join(options.folder, name);
  mkdirSync(folder, { recursive: true });
  if (template !== undefined) cpSync(template, join(folder, dataName), { recursive: true });
  const trace = join(folder, "trace");
  const calls = `trace=${faultyCalls.join(",")}`;
  const recording = ["--seccomp-bpf", "-y", "-s", "128", "-o", trace, "-e", calls];
  await run(options, folder, spec, recording);
  const occurrences = occurrencesIn(readFileSync(trace), folder, template === undefined);
  return { template, known, spec, occurrences };
}

async function run(
  { childFile, signal }: GroundOptions,
  folder: string,
  spec: Ground["spec"],
  options: readonly string[],
): Promise<void> {
  const whole = { ...spec, directory: join(folder, dataName), journal: join(folder, journalName) };
  const {
    status,
    signal: by,
    errors,
  } = await straced({
    options: [...options, "-e", "signal=none"],
    args: [childFile, JSON.stringify(whole)],
    environment: { UV_THREADPOOL_SIZE: "1" },
    signal,
    limitMs,
  });
  signal.throwIfAborted();
  if (spec.killAfter === null ? status === 0 : by === "SIGKILL") return;
  throw new Error(`a run without faults ended with ${status ?? by}:\n${errors}`);
}

function occurrencesIn(trace: Buffer, folder: string, isNew: boolean): Occurrence[] {
  const data = join(folder, dataName);
  const counts = new Map<string, number>();
  const taken = new Set<string>();
  const occurrences: Occurrence[] = [];
  let stage: Phase = isNew ? "launch" : "recovery";
  const count = (key: string): number => {
    const n = (counts.get(key) ?? 0) + 1;
    counts.set(key, n);
    return n;
  };
  for (const { phase, call } of readTrace(trace)) {
    if (phase === "ends") continue;
    const { pid, name } = call;
    const overall = count(`${pid} ${name}`);
    const whole = pathIn(call);
    if (whole === join(folder, journalName)) stage = stageAfter(call, stage);
    if (whole === undefined || !whole.startsWith(`${data}/`)) continue;
    const path = whole.slice(data.length + 1);
    const isSteady = steadyPath.test(path) || (isNew && firstSegment.test(path));
    if (!isSteady && everywhere.has(name)) continue;
    const n = isSteady ? count(`${pid} ${name} ${path}`) : overall;
    // Each thread counts for itself: the first to come to a number is the one that is hit.
    const key = isSteady ? `${name} ${path} ${n}` : `${name} ${n}`;
    if (taken.has(key)) continue;
    taken.add(key);
    occurrences.push({ phase: phaseOf(call, path, stage), name, path, isSteady, n });
  }
  return occurrences;
}

function stageAfter(call: Call, stage: Phase): Phase {
  const text = call.args[1] ?? "";
  if (text.startsWith(`"${hexOf("launched")}`)) return "load";
  if (text.startsWith(`"${hexOf("closing")}`)) return "close";
  return stage;
}

function phaseOf(call: Call, path: string, stage: Phase): Phase {
  if (stage !== "load") return stage;
  if (path.includes("/environment")) return "checkpoint";
  if (call.name !== "pwrite64" && call.name !== "fdatasync") return "swap";
  return "load";
}

function hexOf(text: string): string {
  return Array.from(Buffer.from(text), (byte) => `\\x${byte.toString(16)}`).join("");
}
