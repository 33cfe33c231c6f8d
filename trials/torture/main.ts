// `npm run torture`: a process that is killed again and again on one directory keeps its promises.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { huntMutants } from "../mutant-hunt.js";
import { runTrial, type TrialRun } from "../trial.js";
import { mutants } from "./mutants.js";
import { violations } from "./orders.js";
import { Torment } from "./torment.js";

const child = fileURLToPath(new URL("./child.js", import.meta.url));

/** Cycles before a mutant counts as alive. */
const mutantCycles = 60;

await runTrial(
  {
    name: "torture",
    summary:
      "Kills a process that runs stores and agents under load, at random instants, again and " +
      "again on one directory, and compares what it finds with what was acknowledged.",
    options: {
      cycles: { help: "how often it is killed", default: 100 },
      jobs: { help: "directories side by side, which share the cycles", default: 1 },
      mutants: { help: "break rules of the runtime instead, one at a time", default: false },
    },
  },
  async (run) => {
    if (run.values.mutants === 1) {
      return await huntMutants(run, mutants, (dist) => firstViolation(run, dist));
    }
    const torments = await torture(run);
    const hits = new Map<string, number>();
    for (const torment of torments) {
      for (const [what, count] of torment.hits) hits.set(what, (hits.get(what) ?? 0) + count);
    }
    run.say(`torture: hit ${Array.from(hits, ([what, count]) => `${what}=${count}`).join(" ")}`);
    const known = torments.map(({ expectations }) => expectations);
    const acked = sum(known.map((one) => one.acked));
    const counts = violations.map((violation) => {
      return `${violation}=${sum(known.map(({ counts: of }) => of[violation]))}`;
    });
    return {
      line: `torture: cycles=${run.values.cycles} acked=${acked} ${counts.join(" ")}`,
      held: torments.every(({ expectations }) => !expectations.violated),
    };
  },
);

/** What shows that the runtime in `dist` is broken. */
async function firstViolation(
  { values, signal }: TrialRun<"cycles" | "jobs" | "mutants">,
  dist: string,
): Promise<string | undefined> {
  let first: string | undefined;
  const file = join(dist, "trials/torture/child.js");
  const torment = new Torment({
    file,
    seed: values.seed,
    signal,
    recoveryMsMax: 30_000,
    say: (line) => {
      first ??= line.slice(0, line.indexOf(" (--seed"));
    },
  });
  try {
    for (let cycle = 0; cycle < mutantCycles && first === undefined; cycle += 1) {
      if (!signal.aborted) await torment.cycle();
    }
  } finally {
    rmSync(torment.directory, { recursive: true, force: true });
  }
  return first;
}

async function torture({
  values,
  signal,
  progress,
  say,
}: TrialRun<"cycles" | "jobs" | "mutants">): Promise<Torment[]> {
  const { cycles, jobs, seed } = values;
  let begun = 0;
  let done = 0;
  const torments = Array.from({ length: Math.min(jobs, cycles) }, (_, job) => {
    return new Torment({ file: child, seed: seed + job * 1_000_003, signal, say });
  });
  const torment = async (one: Torment): Promise<void> => {
    try {
      while (begun < cycles && !signal.aborted && !one.expectations.violated) {
        begun += 1;
        await one.cycle();
        done += 1;
        const acked = sum(torments.map(({ expectations }) => expectations.acked));
        progress(done, cycles, `acked=${acked}`);
      }
      if (!signal.aborted && !one.expectations.violated) await one.finish();
    } finally {
      one.dispose();
    }
  };
  await Promise.all(torments.map(torment));
  return torments;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
