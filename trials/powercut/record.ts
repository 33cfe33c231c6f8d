// Record — lives of a process that runs the workload, under strace, as steps on a model disk.
//
// Each recording has two lives. The first makes the directory and is killed: after so many
// acknowledgements, or in a system call that makes, names or syncs a file, which is often in the
// middle of its launch. The second begins with what the first has left: with an odd number the
// files as they are, with an even one an image of them as a power cut would have left it. It
// recovers, goes on under load and is closed.
//
// Owns: running, and the files of a recording: with them it can be had again, to look at one image.
// Leaves to others: what the traces say (steps.ts), images (image.ts).

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../testing/index.js";
import { straced } from "../strace/strace.js";
import type { WorkloadSpec } from "../workload/child.js";
import { nextInvocation } from "../workload/known.js";
import { cuts, type ImageFolder, imageOf, writeImage } from "./image.js";
import { Player } from "./player.js";
import { recordedCalls, type Step, stepsOf } from "./steps.js";

/** What happened on a disk, from an image of it on. */
export interface Recording {
  /** A player that stands before the first step. */
  readonly player: () => Player;
  readonly steps: readonly Step[];
  /** Bytes that LMDB's lock files have had. */
  readonly lockFiles: readonly Buffer[];
  readonly tasks: number;
}

/** A recorded process that ended by itself: what it had found was not enough for it. */
export class EndedEarly extends Error {}

export interface RecordOptions {
  /** The recording's own folder; what is there already is read, not recorded again. */
  readonly folder: string;
  readonly number: number;
  readonly seed: number;
  /** The compiled workload child. */
  readonly childFile: string;
  readonly signal: AbortSignal;
}

const arenaBytes = 1_048_576;
const requests = 420;
const invocations = 70;
const limitMs = 180_000;
/** Share of the first lives that are killed in one of these calls. */
const killedInCall = 0.4;
const killingCalls = ["fsync", "mkdir", "rename", "unlink", "fdatasync"] as const;
/** The data directory is made within the root, by the runtime. */
const dataFolder = "data";

/** Records two lives, as one recording or, with a power cut between them, as two. */
export async function record(options: RecordOptions): Promise<readonly Recording[]> {
  const { folder, number, seed } = options;
  const random = seededRandom(seed * 1_009 + number);
  // A thread of one task syncs by itself, one of several tasks lets syncs overlap.
  const tasks = 2 + Math.floor(random() * 2);
  const threads = random() < 0.3 ? 1 : 2;
  const root = join(folder, "root");
  mkdirSync(root, { recursive: true });
  const common = { seed: seed + number, tasks, threads, arenaBytes, requests, invocations };
  const killAfter = 300 + Math.floor(random() * 3_600);
  const call = killingCalls[Math.floor(random() * killingCalls.length)] ?? "fsync";
  const nth = 1 + Math.floor(random() * 9);
  const killIn = random() < killedInCall ? `${call}:signal=KILL:when=${nth}` : undefined;
  const first = new Player(root);
  const firstSpec = { ...common, life: 1, firstInvocation: 1, closeAfter: null, killAfter };
  const firstSteps = await live({ ...options, killIn }, first, root, firstSpec);
  const firstLocks = lockFilesIn(folder, 1);
  const closeAfter = random() < 0.5 ? null : 300 + Math.floor(random() * 3_000);
  const secondSpec = { ...common, life: 2, closeAfter, killAfter: null };
  if (number % 2 === 1) {
    const firstInvocation = nextInvocation(first.known);
    const secondSteps = await live(options, first, root, { ...secondSpec, firstInvocation });
    const steps = [...firstSteps, ...secondSteps];
    const lockFiles = [...firstLocks, ...lockFilesIn(folder, 2)];
    return [{ player: () => new Player(root), steps, lockFiles, tasks }];
  }
  const before = new Player(root);
  const at = Math.floor((0.3 + 0.7 * random()) * firstSteps.length);
  for (const step of firstSteps.slice(0, at)) before.play(step);
  const cut = cuts[Math.floor(random() * cuts.length)] ?? "torn";
  const image: ImageFolder = imageOf(before.disk, cut, random, firstLocks);
  const otherRoot = join(folder, "other-root");
  if (!existsSync(otherRoot)) {
    mkdirSync(otherRoot);
    writeImage(image, otherRoot);
  }
  const begins = (): Player => new Player(otherRoot, image, before.known);
  const firstInvocation = nextInvocation(before.known);
  const steps = await live(options, begins(), otherRoot, { ...secondSpec, firstInvocation });
  return [
    { player: () => new Player(root), steps: firstSteps, lockFiles: firstLocks, tasks },
    { player: begins, steps, lockFiles: lockFilesIn(folder, 2), tasks },
  ];
}

type LifeSpec = Omit<WorkloadSpec, "directory" | "journal">;

/** One life, played to its end. */
async function live(
  { folder, childFile, signal, killIn }: RecordOptions & { readonly killIn?: string | undefined },
  player: Player,
  root: string,
  spec: LifeSpec,
): Promise<Step[]> {
  const trace = join(folder, `life-${spec.life}.trace`);
  const stopFile = join(folder, `life-${spec.life}.stop`);
  const journal = join(folder, `life-${spec.life}.journal`);
  const isRecorded = existsSync(stopFile);
  if (!isRecorded) {
    const whole = { ...spec, directory: join(root, dataFolder), journal };
    // Faults need every call to stop: strace 6.1 kills nobody with the filter.
    const how = killIn === undefined ? ["--seccomp-bpf"] : ["-e", `inject=${killIn}`];
    const options = [...how, "-s", "4194304", "-o", trace, "-e", "signal=none"];
    const calls = `trace=${recordedCalls.join(",")}`;
    const args = ["--enable-source-maps", childFile, JSON.stringify(whole)];
    const all = { options: [...options, "-e", calls], args, signal, limitMs };
    const { status, signal: by, errors } = await straced(all);
    signal.throwIfAborted();
    const isAsAsked = spec.killAfter === null ? status === 0 : by === "SIGKILL" || status === 0;
    if (!isAsAsked) {
      const shown = errors.trim().split("\n").slice(0, 12).join("\n");
      throw new EndedEarly(`life ${spec.life} ended with ${status ?? by}:\n${shown}`);
    }
    keepLockFiles(root, folder, spec.life);
  }
  const steps = stepsOf(readFileSync(trace), { root, journal }, spec.life * 10_000_000);
  for (const step of steps) player.play(step);
  if (isRecorded) {
    // cast: this program has written them.
    const ending = JSON.parse(readFileSync(stopFile, "utf8")) as Step[];
    for (const step of ending) player.play(step);
    return [...steps, ...ending];
  }
  const ending = player.look();
  writeFileSync(stopFile, JSON.stringify(ending));
  return [...steps, ...ending];
}

function keepLockFiles(root: string, folder: string, life: number): void {
  const found = readdirSync(root, { recursive: true, encoding: "utf8" });
  const locks = found.filter((path) => path.endsWith("lock.mdb"));
  for (const [index, path] of locks.entries()) {
    writeFileSync(join(folder, `life-${life}.${index}.lock`), readFileSync(join(root, path)));
  }
}

function lockFilesIn(folder: string, life: number): Buffer[] {
  const names = readdirSync(folder).filter((name) => {
    return name.startsWith(`life-${life}.`) && name.endsWith(".lock");
  });
  return names.map((name) => readFileSync(join(folder, name)));
}
