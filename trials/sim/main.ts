// `npm run sim`: seeds of a deterministic simulation, each with random clients, agents and faults,
// judged by what Partita guarantees; `--mutants` shows that the judgement bites.

import { availableParallelism } from "node:os";
import { runTrial, type TrialOutcome, type TrialRun } from "../trial.js";
import { runJobs } from "./jobs.js";
import { runMutants } from "./run-mutants.js";
import { runSeed } from "./seed.js";

const options = {
  seeds: { help: "seeds to run, from --seed on", default: 20_000 },
  jobs: { help: "threads that run seeds; 0 takes the machine's cores", default: 0, min: 0 },
  mutants: { help: "break the rules one by one, and see each noticed", default: false },
  verbose: { help: "tell every step of every seed: for one seed", default: false },
} as const;

/** Broken seeds of which a run tells. */
const saidMax = 10;

type Options = keyof typeof options;

await runTrial(
  {
    name: "sim",
    summary:
      "Runs Partita in a simulated process, one seed after the other: random clients and agents, " +
      "random deaths of threads and of the process, and a judgement of everything that was seen.",
    options,
  },
  async (run) => {
    if (run.values.mutants === 1) return await breakRules(run);
    return run.values.verbose === 1 ? await tellSeeds(run) : await runSeeds(run);
  },
);

function jobsOf({ values }: TrialRun<Options>): number {
  return values.jobs === 0 ? availableParallelism() : values.jobs;
}

async function breakRules(run: TrialRun<Options>): Promise<TrialOutcome> {
  return await runMutants({
    from: run.values.seed,
    seedsMax: run.values.seeds,
    jobs: jobsOf(run),
    signal: run.signal,
    say: (line) => run.say(line),
    progress: (done, total, text) => run.progress(done, total, text),
  });
}

async function runSeeds(run: TrialRun<Options>): Promise<TrialOutcome> {
  const { seeds, seed } = run.values;
  const said = new Set<number>();
  const total = await runJobs({
    worker: new URL("./worker.js", import.meta.url),
    from: seed,
    count: seeds,
    jobs: jobsOf(run),
    twiceEvery: 100,
    chunkSeeds: 50,
    signal: run.signal,
    progress: ({ seeds: done, broken, steps, crashes }) => {
      for (const { seed: found, violations } of broken.slice(0, saidMax)) {
        if (said.size >= saidMax || said.has(found)) continue;
        said.add(found);
        for (const violation of violations.slice(0, 5)) run.say(`seed ${found}: ${violation}`);
        run.say(`  replay: npm run sim -- --verbose --seeds 1 --seed ${found}`);
      }
      run.progress(done, seeds, `${steps} steps, ${crashes} crashes, ${broken.length} violations`);
      return true;
    },
  });
  return outcomeOf(total.seeds, total.steps, total.crashes, total.broken.length);
}

/** One seed after the other on this thread, with everything that happens. */
async function tellSeeds(run: TrialRun<Options>): Promise<TrialOutcome> {
  const { seeds, seed } = run.values;
  let [done, steps, crashes, broken] = [0, 0, 0, 0];
  for (; done < seeds && !run.signal.aborted; done += 1) {
    const outcome = await runSeed(seed + done, (line) => run.say(line));
    steps += outcome.steps;
    crashes += outcome.crashes;
    if (outcome.violations.length > 0) broken += 1;
    run.say(`seed ${outcome.seed}: ${outcome.steps} steps, trace ${outcome.hash}`);
    for (const violation of outcome.violations) run.say(`seed ${outcome.seed}: ${violation}`);
  }
  return outcomeOf(done, steps, crashes, broken);
}

function outcomeOf(seeds: number, steps: number, crashes: number, broken: number): TrialOutcome {
  return {
    line: `sim: seeds=${seeds} steps=${steps} crashes=${crashes} violations=${broken}`,
    held: broken === 0,
  };
}
