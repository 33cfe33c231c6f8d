// Images — plays a recording and has images of it checked: which moments, and how a power cut then
// leaves the disk, follows from the seed and the image's number alone.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../testing/index.js";
import type { Finding } from "../workload/judge.js";
import type { CheckerPool } from "../workload/checker-pool.js";
import { cuts, imageOf, writeImage } from "./image.js";
import type { Recording } from "./record.js";
import type { Step } from "./steps.js";

/** One image: of which recording it is follows from who asks. */
export interface ImagePlan {
  readonly number: number;
  readonly seed: number;
}

export interface ImageVerdict {
  readonly number: number;
  /** The moment and the kind of cut, for people. */
  readonly shown: string;
  readonly findings: readonly Finding[];
}

/** The data directory's name in the recorded root. */
const dataFolder = "data";

/** Builds and checks images of one recording; verdicts come in any order. */
export async function checkImages(
  recording: Recording,
  plans: readonly ImagePlan[],
  pool: CheckerPool,
  scratch: string,
  verdict: (verdict: ImageVerdict) => void,
  signal: AbortSignal,
): Promise<void> {
  const rare = rareSteps(recording.steps);
  const moments = plans
    .map((plan) => {
      const random = seededRandom(plan.seed * 65_537 + plan.number);
      return { ...plan, random, at: momentOf(recording.steps, rare, random) };
    })
    .sort((a, b) => a.at - b.at);
  const player = recording.player();
  let played = 0;
  const checks: Promise<void>[] = [];
  for (const { number, random, at } of moments) {
    if (signal.aborted) break;
    for (const step of recording.steps.slice(played, at)) player.play(step);
    played = at;
    await pool.turn();
    const cut = cuts[Math.floor(random() * cuts.length)] ?? "none";
    const image = imageOf(player.disk, cut, random, recording.lockFiles);
    const folder = join(scratch, `image-${number}`);
    mkdirSync(folder);
    writeImage(image, folder);
    const { known, tasks } = { known: structuredClone(player.known), tasks: recording.tasks };
    const shown = `step ${at} of ${recording.steps.length}, ${cut}, ${known.acks} acknowledged`;
    checks.push(
      pool.check({ directory: join(folder, dataFolder), known, tasks }).then((findings) => {
        rmSync(folder, { recursive: true });
        verdict({ number, shown, findings });
      }),
    );
  }
  await Promise.all(checks);
}

/**
 * Half of all images lie near a step that is no plain append, and half of those near one that makes
 * a name or takes it away: most steps are neither.
 */
function momentOf(steps: readonly Step[], rare: readonly number[], random: () => number): number {
  const chance = random();
  if (rare.length === 0 || chance < 0.5) return Math.floor(random() * (steps.length + 1));
  const naming = rare.filter((index) => namingKinds.has(steps[index]?.kind ?? ""));
  const among = chance < 0.75 || naming.length === 0 ? rare : naming;
  const near = (among[Math.floor(random() * among.length)] ?? 0) + Math.floor(random() ** 3 * 60);
  return Math.min(Math.max(near - 2, 0), steps.length);
}

const namingKinds: ReadonlySet<string> = new Set(["make", "remove", "rename"]);

/** Steps that make, rename or remove names, and those on files other than segments. */
function rareSteps(steps: readonly Step[]): number[] {
  const plain = new Set<number>();
  const rare: number[] = [];
  for (const [index, step] of steps.entries()) {
    if (step.kind === "open" && step.path.endsWith(".seg")) plain.add(step.handle);
    else if (step.kind === "line" || step.kind === "end") continue;
    if ("handle" in step && plain.has(step.handle) && step.kind !== "open") continue;
    rare.push(index);
  }
  return rare;
}
