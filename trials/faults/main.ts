// Faults — system calls that fail, in a real process on a real directory: killed in one, EIO and
// ENOSPC from one or from all that follow, slow syncs, a full disk; while it is launched, recovers,
// writes, swaps arenas, writes checkpoints and is closed.
//
// Owns: the count. Leaves to others: which fault where (plan.ts), one fault (point, full-disk).
//
// Invariants:
//   O1. A point counts only when its fault has happened, on a file of the directory: otherwise
//       another one in its place is tried.

import { mkdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { requireStrace } from "../strace/strace.js";
import { runTrial, type TrialOutcome, type TrialRun } from "../trial.js";
import { CheckerPool } from "../workload/checker-pool.js";
import { requireMounts, tryFullDisk } from "./full-disk.js";
import { type Ground, makeGrounds } from "./ground.js";
import { pointOf } from "./plan.js";
import { type PointVerdict, tryPoint } from "./point.js";

type Option = "points" | "jobs" | "only" | "verbose";

/** Every so many points the disk is full. */
const fullDiskEvery = 20;
const attemptsMax = 40;

await runTrial<Option>(
  {
    name: "faults",
    summary: "Lets system calls of a running topology fail, and looks at what it does then.",
    options: {
      points: { help: "faults to put in", default: 200 },
      jobs: { help: "processes at a time", default: availableParallelism() },
      only: { help: "this point alone; 0 for all", default: 0, min: 0 },
      verbose: { help: "say of each point where it hit and what came of it", default: false },
    },
  },
  faults,
);

async function faults(run: TrialRun<Option>): Promise<TrialOutcome> {
  requireStrace();
  requireMounts();
  const { points, jobs, only, seed } = run.values;
  const folder = resolve(".partita", "faults", `seed-${seed}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const pool = new CheckerPool(compiled("../workload/checker.js"), jobs);
  const childFile = compiled("../workload/child.js");
  const { signal } = run;
  let next = only === 0 ? 1 : only;
  const last = only === 0 ? points : only;
  let done = 0;
  let bad = 0;
  try {
    const grounds = await makeGrounds({ folder, childFile, seed, signal });
    const work = async (): Promise<void> => {
      while (next <= last && !signal.aborted) {
        const number = next;
        next += 1;
        const options = { folder: join(folder, `point-${number}`), childFile, pool, signal };
        const { shown, problems } = await hit(grounds, seed, number, options);
        done += 1;
        if (problems.length > 0) bad += 1;
        if (problems.length > 0) run.say(`point ${number}: --seed ${seed} --only ${number}`);
        if (problems.length > 0 || run.values.verbose === 1) run.say(`point ${number}: ${shown}`);
        for (const problem of problems.slice(0, 6)) run.say(`  ${problem}`);
        run.progress(done, points, `bad=${bad}`);
      }
    };
    await Promise.all(Array.from({ length: jobs }, work));
  } finally {
    pool.close();
    if (bad === 0) rmSync(folder, { recursive: true, force: true });
  }
  return { line: `faults: points=${done} bad=${bad}`, held: bad === 0 && done > 0 };
}

interface Hit {
  readonly shown: string;
  readonly problems: PointVerdict["problems"];
}

/** One point that has happened. */
async function hit(
  grounds: readonly Ground[],
  seed: number,
  number: number,
  options: Parameters<typeof tryPoint>[1],
): Promise<Hit> {
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    if (number % fullDiskEvery === 0) {
      const ground = grounds[(number / fullDiskEvery + attempt) % grounds.length];
      if (ground === undefined) break;
      const { fired, outcome, problems } = await tryFullDisk(
        ground,
        seed,
        number + attempt,
        options,
      );
      if (fired !== undefined)
        return { shown: `${fired.name} ${fired.path}: ${outcome}`, problems };
      continue;
    }
    const point = pointOf(grounds, seed, number, attempt);
    const { fired, outcome, problems } = await tryPoint(point, options);
    if (fired === undefined) continue;
    const { phase, path } = point.occurrence;
    const shown = `${point.fault} in ${fired.name} of ${path} (${phase}): ${outcome}`;
    return { shown, problems };
  }
  throw new Error(`point ${number} has not happened in ${attemptsMax} attempts`);
}

function compiled(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}
