// Series — so many images of one `dist`: recordings one after the other, images of each.
//
// Owns: which image is of which recording; a recording is made while the one before is looked at.
// Leaves to others: what follows from a verdict (main.ts, mutants.ts).

import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CheckerPool } from "../workload/checker-pool.js";
import { checkImages, type ImageVerdict } from "./images.js";
import { EndedEarly, type Recording, record } from "./record.js";

export interface Series {
  /** The compiled sources that are recorded and that open images. */
  readonly dist: string;
  /** Where recordings are kept; absolute. */
  readonly folder: string;
  readonly seed: number;
  readonly images: number;
  readonly jobs: number;
  /** An image to look at alone; 0 for all. */
  readonly only: number;
  readonly signal: AbortSignal;
  verdict(verdict: ImageVerdict): void;
}

const imagesPerRecording = 250;

/** Resolves when all images were judged, or the signal has aborted. */
export async function runSeries(series: Series): Promise<void> {
  const { dist, seed, images, jobs, only, signal, verdict } = series;
  const scratch = mkdtempSync(join(memoryFolder(), "partita-powercut-"));
  const pool = new CheckerPool(join(dist, "trials", "workload", "checker.js"), jobs);
  let first = 1;
  try {
    for await (const recording of recordingsOf(series)) {
      const last = Math.min(images, first + imagesPerRecording - 1);
      const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
      if (recording instanceof EndedEarly) {
        const findings = [{ wrong: "lost", what: recording.message }] as const;
        verdict({ number: first, shown: "while it was recorded", findings });
        first += 1;
        if (first > images || signal.aborted) break;
        continue;
      }
      const chosen = only === 0 ? numbers : numbers.filter((number) => number === only);
      const plans = chosen.map((number) => ({ number, seed }));
      await checkImages(recording, plans, pool, scratch, verdict, signal);
      first = last + 1;
      if (first > images || signal.aborted) break;
    }
  } finally {
    pool.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Recordings without end. */
async function* recordingsOf(series: Series): AsyncGenerator<Recording | EndedEarly> {
  const { dist, folder: base, seed, signal } = series;
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  const childFile = join(dist, "trials", "workload", "child.js");
  const begin = (number: number): Promise<readonly (Recording | EndedEarly)[]> => {
    const folder = join(base, `recording-${number}`);
    mkdirSync(folder, { recursive: true });
    const made = record({ folder, number, seed, childFile, signal: either }).catch((error) => {
      if (error instanceof EndedEarly) return [error];
      throw error;
    });
    made.catch(() => {});
    return made;
  };
  let next = begin(1);
  try {
    for (let number = 2; ; number += 1) {
      const current = await next;
      next = begin(number);
      yield* current;
    }
  } finally {
    ending.abort(new Error("enough"));
    await next.catch(() => {});
  }
}

/** A folder in memory where there is one: an image lives for a moment. */
function memoryFolder(): string {
  const folder = "/dev/shm";
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? folder : tmpdir();
}
