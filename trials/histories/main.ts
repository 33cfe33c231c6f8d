// `npm run histories`: what concurrent clients saw, over restarts, is linearizable key by key.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { huntMutants } from "../mutant-hunt.js";
import { runTrial, type TrialRun } from "../trial.js";
import { mutants } from "./mutants.js";
import { Stage } from "./stage.js";

const child = fileURLToPath(new URL("./child.js", import.meta.url));

/** Histories before a mutant counts as alive. */
const mutantHistories = 60;

await runTrial(
  {
    name: "histories",
    summary:
      "Concurrent clients on the launching thread and in nodes on task threads, while the " +
      "runtime is closed and opened, loses threads and is killed; each history is checked.",
    options: {
      count: { help: "histories, of about 1,000 reads and writes each", default: 200 },
      jobs: { help: "directories side by side, which share the histories", default: 1 },
      mutants: { help: "break rules of the runtime instead, one at a time", default: false },
    },
  },
  async (run) => {
    if (run.values.mutants === 1) {
      return await huntMutants(run, mutants, (dist) => firstViolation(run, dist));
    }
    const stages = await perform(run);
    const turns = new Map<string, number>();
    for (const stage of stages) {
      for (const [turn, count] of stage.turns) turns.set(turn, (turns.get(turn) ?? 0) + count);
    }
    const shown = Array.from(turns, ([turn, count]) => `${turn}=${count}`).join(" ");
    run.say(`histories: turns ${shown}, unknown outcomes ${sum(stages, ({ unknown }) => unknown)}`);
    const operations = sum(stages, (stage) => stage.operations);
    const violations = sum(stages, (stage) => stage.violations);
    return {
      line: `histories: count=${run.values.count} ops=${operations} violations=${violations}`,
      held: violations === 0,
    };
  },
);

/** What shows that the runtime in `dist` is broken. */
async function firstViolation(
  { values, signal }: TrialRun<"count" | "jobs" | "mutants">,
  dist: string,
): Promise<string | undefined> {
  let first: string | undefined;
  const stage = new Stage({
    file: join(dist, "trials/histories/child.js"),
    seed: values.seed,
    signal,
    gazes: 0.7,
    say: (line) => {
      first ??= line.slice(0, line.indexOf(" (--seed"));
    },
  });
  try {
    for (let count = 0; count < mutantHistories && first === undefined; count += 1) {
      if (!signal.aborted) await stage.perform();
    }
  } catch (error) {
    // The process could not go on.
    first ??= String(error).split("\n")[0];
  } finally {
    await stage.dispose();
    rmSync(stage.directory, { recursive: true, force: true });
  }
  return first;
}

async function perform(run: TrialRun<"count" | "jobs" | "mutants">): Promise<Stage[]> {
  const { values, signal, progress, say } = run;
  const { count, jobs, seed } = values;
  let begun = 0;
  let done = 0;
  const stages = Array.from({ length: Math.min(jobs, count) }, (_, job) => {
    return new Stage({ file: child, seed: seed + job * 1_000_003, signal, say });
  });
  await Promise.all(
    stages.map(async (stage) => {
      try {
        while (begun < count && !signal.aborted && stage.violations === 0) {
          begun += 1;
          await stage.perform();
          done += 1;
          progress(done, count, `ops=${sum(stages, ({ operations }) => operations)}`);
        }
      } finally {
        await stage.dispose();
      }
    }),
  );
  return stages;
}

function sum<T>(list: readonly T[], of: (one: T) => number): number {
  return list.reduce((total, one) => total + of(one), 0);
}
