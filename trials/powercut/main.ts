// Power cut — what is on the device when the power fails, at any moment, must be enough.
//
// A real process on a real directory is recorded with strace; a model of the file system (disk.ts)
// says what the device has for certain at each moment and what may or may not be there. Images of
// it are opened by real launches in processes of their own, and judged by the journal up to that
// moment.
//
// Owns: the plan and the count. Leaves to others: recording (record.ts), images (images.ts).

import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { requireStrace } from "../strace/strace.js";
import { runTrial, type TrialOutcome, type TrialRun } from "../trial.js";
import type { Wrong } from "../workload/judge.js";
import { CheckerPool } from "./checker-pool.js";
import { checkImages, type ImageVerdict } from "./images.js";
import { record, type Recording } from "./record.js";

type Option = "images" | "jobs" | "only";

const imagesPerRecording = 500;

/** The three counts of the last line. */
const countOf: Readonly<Record<Wrong, "lost" | "torn" | "future">> = {
  lost: "lost",
  torn: "torn",
  reordered: "torn",
  future: "future",
  duplicated: "future",
};

await runTrial<Option>(
  {
    name: "powercut",
    summary: "Opens images of what a power cut may leave of a directory that is being written to.",
    options: {
      images: { help: "images to open", default: 2_000 },
      jobs: { help: "images opened at a time", default: availableParallelism() },
      only: {
        help: "this image alone, from the recordings that a violation has left",
        default: 0,
        min: 0,
      },
    },
  },
  powercut,
);

async function powercut(run: TrialRun<Option>): Promise<TrialOutcome> {
  requireStrace();
  const { images, jobs, only, seed } = run.values;
  const base = join(".partita", "powercut", `seed-${seed}`);
  if (only === 0) rmSync(base, { recursive: true, force: true });
  const scratch = mkdtempSync(join(memoryFolder(), "partita-powercut-"));
  const pool = new CheckerPool(compiled("checker.js"), jobs);
  const counts = { lost: 0, torn: 0, future: 0 };
  let done = 0;
  const verdict = ({ number, shown, findings }: ImageVerdict): void => {
    done += 1;
    run.progress(done, images, `lost=${counts.lost} torn=${counts.torn} future=${counts.future}`);
    for (const kind of new Set(findings.map(({ wrong }) => countOf[wrong]))) counts[kind] += 1;
    if (findings.length === 0) return;
    run.say(`image ${number} (${shown}): replay with --seed ${seed} --only ${number}`);
    for (const { wrong, what } of findings.slice(0, 10)) run.say(`  ${wrong}: ${what}`);
  };
  try {
    const recordings = recordingsOf(run, base);
    for (let first = 1; first <= images && !run.signal.aborted; ) {
      const { value } = await recordings.next();
      if (value === undefined) break;
      const last = Math.min(images, first + imagesPerRecording - 1);
      const plans = Array.from({ length: last - first + 1 }, (_, index) => {
        return { number: first + index, seed };
      });
      const chosen = only === 0 ? plans : plans.filter(({ number }) => number === only);
      await checkImages(value, chosen, pool, scratch, verdict, run.signal);
      first = last + 1;
    }
  } finally {
    pool.close();
    rmSync(scratch, { recursive: true, force: true });
  }
  const held = counts.lost + counts.torn + counts.future === 0;
  if (held) rmSync(base, { recursive: true, force: true });
  const { lost, torn, future } = counts;
  return { line: `powercut: images=${done} lost=${lost} torn=${torn} future=${future}`, held };
}

/** Recordings without end, one made while the one before is looked at. */
async function* recordingsOf(run: TrialRun<Option>, base: string): AsyncGenerator<Recording> {
  const begin = (number: number): Promise<readonly Recording[]> => {
    const folder = join(process.cwd(), base, `recording-${number}`);
    mkdirSync(folder, { recursive: true });
    const childFile = compiled("../workload/child.js");
    const made = record({ folder, number, seed: run.values.seed, childFile, signal: run.signal });
    made.catch(() => {});
    return made;
  };
  let next = begin(1);
  for (let number = 2; ; number += 1) {
    const current = await next;
    next = begin(number);
    yield* current;
  }
}

function compiled(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

/** A folder in memory where there is one: an image lives for a moment. */
function memoryFolder(): string {
  const folder = "/dev/shm";
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? folder : tmpdir();
}
