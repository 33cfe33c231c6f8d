// Power cut — what is on the device when the power fails, at any moment, must be enough.
//
// A real process on a real directory is recorded with strace; a model of the file system (disk.ts)
// says what the device has for certain at each moment and what may or may not be there. Images of
// it are opened by real launches in processes of their own, and judged by the journal up to that
// moment.
//
// Owns: the counts and the last line. Leaves to others: recording (record.ts), images (images.ts).

import { rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { requireStrace } from "../strace/strace.js";
import { runTrial, type TrialOutcome, type TrialRun } from "../trial.js";
import type { Wrong } from "../workload/judge.js";
import type { ImageVerdict } from "./images.js";
import { killerOf, mutants } from "./mutants.js";
import { runSeries } from "./series.js";

type Option = "images" | "jobs" | "only" | "mutants";

/** The three counts of the last line. */
const countOf: Readonly<Record<Wrong, "lost" | "torn" | "future">> = {
  lost: "lost",
  torn: "torn",
  reordered: "torn",
  future: "future",
  duplicated: "future",
};

/** Images before a mutant counts as alive. */
const imagesPerMutant = 2_000;
const findingsShown = 5;

await runTrial<Option>(
  {
    name: "powercut",
    summary: "Opens images of what a power cut may leave of a directory that is being written to.",
    options: {
      images: { help: "images to open", default: 2_000 },
      jobs: { help: "images opened at a time", default: availableParallelism() },
      only: {
        help: "this image alone, from the recordings that a violation has left; 0 for all",
        default: 0,
        min: 0,
      },
      mutants: { help: "break rules on purpose, and see each noticed", default: false },
    },
  },
  (run) => {
    requireStrace();
    return run.values.mutants === 1 ? breakRules(run) : cutPower(run);
  },
);

async function cutPower(run: TrialRun<Option>): Promise<TrialOutcome> {
  const { images, jobs, only, seed } = run.values;
  const folder = resolve(".partita", "powercut", `seed-${seed}`);
  if (only === 0) rmSync(folder, { recursive: true, force: true });
  const counts = { lost: 0, torn: 0, future: 0 };
  let done = 0;
  const verdict = ({ number, shown, findings }: ImageVerdict): void => {
    done += 1;
    for (const kind of new Set(findings.map(({ wrong }) => countOf[wrong]))) counts[kind] += 1;
    run.progress(done, images, `lost=${counts.lost} torn=${counts.torn} future=${counts.future}`);
    if (findings.length === 0) return;
    run.say(`image ${number} (${shown}): replay with --seed ${seed} --only ${number}`);
    for (const { wrong, what } of findings.slice(0, findingsShown)) run.say(`  ${wrong}: ${what}`);
  };
  const dist = compiled();
  await runSeries({ dist, folder, seed, images, jobs, only, signal: run.signal, verdict });
  const { lost, torn, future } = counts;
  const held = lost + torn + future === 0;
  if (held) rmSync(folder, { recursive: true, force: true });
  return { line: `powercut: images=${done} lost=${lost} torn=${torn} future=${future}`, held };
}

async function breakRules(run: TrialRun<Option>): Promise<TrialOutcome> {
  const { jobs, seed } = run.values;
  const folder = resolve(".partita", "powercut", `mutants-${seed}`);
  let killed = 0;
  for (const [index, mutant] of mutants.entries()) {
    if (run.signal.aborted) break;
    run.progress(index, mutants.length, mutant.name);
    const { signal } = run;
    const killer = await killerOf(mutant, { folder, seed, images: imagesPerMutant, jobs, signal });
    if (killer !== undefined) killed += 1;
    run.say(`${mutant.name}\n  ${killer ?? "was not noticed"}`);
  }
  const line = `mutants: killed=${killed} of=${mutants.length}`;
  return { line, held: killed === mutants.length };
}

/** The compiled sources that this command belongs to. */
function compiled(): string {
  return fileURLToPath(new URL("../../", import.meta.url));
}
