// Run mutants — each of them has to break a seed; the build that is not changed must break none.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { breakCopy } from "../mutant.js";
import type { TrialOutcome } from "../trial.js";
import { runJobs } from "./jobs.js";
import { type BrokenRule, simMutants } from "./mutants.js";
import type { ChunkResult } from "./worker.js";

export interface MutantsOptions {
  readonly from: number;
  /** Seeds after which a mutant counts as not noticed. */
  readonly seedsMax: number;
  readonly jobs: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  readonly progress: (done: number, total: number, text: string) => void;
}

/** Seeds that the unchanged build has to hold first. */
const baselineSeeds = 100;

export async function runMutants(options: MutantsOptions): Promise<TrialOutcome> {
  const { signal, progress } = options;
  const worker = new URL("./worker.js", import.meta.url);
  const [unbroken] = (await runBuild(worker, options, baselineSeeds)).broken;
  if (unbroken !== undefined) {
    throw new Error(`without a mutant, seed ${unbroken.seed}: ${unbroken.violations[0]}`);
  }
  let killed = 0;
  for (const [index, mutant] of simMutants.entries()) {
    if (signal.aborted) break;
    progress(index, simMutants.length, mutant.name);
    if (await isKilled(mutant, options)) killed += 1;
  }
  const of = simMutants.length;
  return { line: `mutants: killed=${killed} of=${of}`, held: killed === of };
}

async function isKilled(mutant: BrokenRule, options: MutantsOptions): Promise<boolean> {
  const { from, seedsMax, say } = options;
  const folder = mkdtempSync(join(tmpdir(), "partita-mutant-"));
  try {
    const copy = breakCopy(mutant, folder);
    const worker = pathToFileURL(join(copy, "trials/sim/worker.js"));
    const { broken, seeds } = await runBuild(worker, options, seedsMax);
    const [first] = broken;
    if (first === undefined) {
      say(`alive  ${mutant.name}: ${seeds} seeds hold without the rule that ${mutant.rule}`);
      return false;
    }
    const after = first.seed - from + 1;
    say(`killed ${mutant.name} after ${after} seeds: ${first.violations[0]}`);
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs seeds of a build until one is broken. */
function runBuild(
  worker: URL,
  { from, jobs, signal }: MutantsOptions,
  count: number,
): Promise<ChunkResult> {
  return runJobs({
    worker,
    from,
    count,
    jobs,
    twiceEvery: 1_000,
    chunkSeeds: 10,
    signal,
    progress: ({ broken }) => broken.length === 0,
  });
}
