// Point — one fault in one run: the process goes on, or stops and says why; what it had
// acknowledged is there afterwards.
//
// Owns: running and judging. Leaves to others: the choice (plan.ts), looking at the directory
// (../workload/checker.ts).

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type StracedEnd, straced } from "../strace/strace.js";
import type { CheckerPool } from "../workload/checker-pool.js";
import { acknowledgedBehind, type Fired, firedIn } from "./fault-trace.js";
import { dataName, journalName, knownAfter } from "./ground.js";
import { injection, type Point } from "./plan.js";

/** What came of a point. */
export interface PointVerdict {
  /** Where it hit; `undefined` when it did not, and is no point. */
  readonly fired: Fired | undefined;
  readonly outcome: string;
  readonly problems: readonly string[];
}

export interface PointOptions {
  /** An empty folder for the point. */
  readonly folder: string;
  readonly childFile: string;
  readonly pool: CheckerPool;
  readonly signal: AbortSignal;
}

const limitMs = 60_000;

export async function tryPoint(point: Point, options: PointOptions): Promise<PointVerdict> {
  const { folder, childFile, signal } = options;
  const { ground, occurrence, fault } = point;
  mkdirSync(folder, { recursive: true });
  const data = join(folder, dataName);
  const journal = join(folder, journalName);
  const trace = join(folder, "trace");
  if (ground.template !== undefined) cpSync(ground.template, data, { recursive: true });
  const isKill = fault === "kill";
  const calls = [occurrence.name, ...(occurrence.name === "write" ? [] : ["write"])];
  const strace = [...(isKill ? [] : ["--seccomp-bpf"]), "-y", "-s", "128", "-o", trace];
  if (occurrence.isSteady) {
    strace.push("-P", join(data, occurrence.path));
    if (occurrence.name !== "write") strace.push("-P", journal);
  }
  strace.push("-e", `trace=${calls.join(",")}`, "-e", "signal=none");
  strace.push("-e", `inject=${injection(point)}`);
  const end = await straced({
    options: strace,
    args: [childFile, JSON.stringify({ ...ground.spec, directory: data, journal })],
    environment: { UV_THREADPOOL_SIZE: "1" },
    signal,
    limitMs,
    // Every sync takes its time then: what matters is that it goes on.
    ...(fault === "slow" ? { journal } : {}),
  });
  signal.throwIfAborted();
  const bytes = readFileSync(trace);
  const fired = firedIn(bytes, occurrence.name, isKill);
  const isHit = fired?.path === data || fired?.path.startsWith(`${data}/`) === true;
  if (fired === undefined || !isHit || (isKill && end.signal !== "SIGKILL")) {
    rmSync(folder, { recursive: true, force: true });
    return { fired: undefined, outcome: "it did not happen", problems: [] };
  }
  const problems = judgeEnd(end, journal, point, fired);
  for (const request of acknowledgedBehind(bytes, journal, ground.spec.tasks)) {
    problems.push(`${request} was asked for after the fault and acknowledged`);
  }
  if (existsSync(data)) {
    const known = existsSync(journal) ? knownAfter(ground.known, journal) : ground.known;
    const { tasks } = ground.spec;
    await options.pool.turn();
    const findings = await options.pool.check({ directory: data, known, tasks });
    problems.push(...findings.map(({ wrong, what }) => `${wrong}: ${what}`));
  }
  if (problems.length === 0) rmSync(folder, { recursive: true, force: true });
  return { fired, outcome: shownEnd(end), problems };
}

/** Whether the process has gone on as if nothing were, or stopped and said why. */
function judgeEnd(
  { status, signal, errors }: StracedEnd,
  journal: string,
  { fault }: Point,
  fired: Fired,
): string[] {
  const lines = existsSync(journal) ? readFileSync(journal, "utf8") : "";
  const hasClosed = lines.endsWith("closed\n");
  if (fault === "kill") return [];
  if (signal === "SIGKILL" && errors === "") {
    return [`it stopped without a word, or not at all within ${limitMs} ms`];
  }
  if (status === 0 && hasClosed) {
    const isSync = fired.name === "fsync" || fired.name === "fdatasync";
    return isSync && fault !== "slow" ? ["it has passed over a failed sync"] : [];
  }
  if (fault === "slow") return [`a slow device has ended it with ${status ?? signal}: ${errors}`];
  if (status === 0) return ["it has ended without being closed, as if all were well"];
  // A signal that nobody sent is loud by itself: LMDB crashes where it cannot map its files.
  if (signal !== null && signal !== "SIGKILL") return [];
  return errors.trim() === "" ? [`it ended with ${status ?? signal} and said nothing`] : [];
}

function shownEnd({ status, signal, errors }: StracedEnd): string {
  if (status === 0) return "went on";
  const line = errors.split("\n").find((text) => /error|stopped|partita/i.test(text)) ?? "";
  return `${status ?? signal} ${line.slice(0, 160)}`.trim();
}
