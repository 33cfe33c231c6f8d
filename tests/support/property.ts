// How every property of the suite runs: one seed for all, one way to run more, one line to replay.
//
// - PARTITA_SEED picks the random choices (default 20261123, also in CI): the suite is repeatable.
// - PARTITA_RUNS multiplies the number of runs of every property: 20 for a long hunt, 0.1 for a
//   peek.
// - PARTITA_PATH goes straight to one counterexample; the message of a failure says how.

import { relative } from "node:path";
import fc from "fast-check";
import { expect } from "vitest";

const seedDefault = 20261123;
const runsDefault = 100;

/** Settings of one property. */
export interface CheckSettings {
  /** How many times to run it, before PARTITA_RUNS multiplies; 100 when it is not given. */
  readonly runs?: number;
}

/** The seed of this run of the suite, for tests that make their random choices themselves. */
export function suiteSeed(): number {
  return readNumber("PARTITA_SEED", seedDefault, Number.isSafeInteger);
}

/** `runs` times what PARTITA_RUNS says, at least 1. */
export function scaledRuns(runs: number): number {
  const factor = readNumber("PARTITA_RUNS", 1, (value) => Number.isFinite(value) && value > 0);
  return Math.max(1, Math.ceil(runs * factor));
}

/**
 * Runs a property, of the synchronous or of the asynchronous kind, with the suite's settings.
 * @throws Error with the shrunk counterexample and the command that replays it, when it fails
 */
export async function check<Ts>(
  property: fc.IRawProperty<Ts>,
  settings: CheckSettings = {},
): Promise<void> {
  const path = process.env["PARTITA_PATH"];
  const state = expect.getState();
  const details = await fc.check(property, {
    seed: suiteSeed(),
    numRuns: scaledRuns(settings.runs ?? runsDefault),
    ...(path === undefined || path === "" ? {} : { path, endOnFailure: true }),
  });
  report(details, replayTarget(state.testPath, state.currentTestName));
}

function report<Ts>(details: fc.RunDetails<Ts>, replayTail: string): void {
  if (!details.failed) return;
  const path =
    details.counterexamplePath === null ? "" : `PARTITA_PATH=${details.counterexamplePath} `;
  const replay = `PARTITA_SEED=${details.seed} ${path}npx vitest run ${replayTail}`;
  throw new Error(`${fc.defaultReportMessage(details)}\n\nReplay it with\n${replay}`, {
    cause: details.errorInstance,
  });
}

/** `tests/x.test.ts -t 'title'`: a path belongs to one property, so the test is named too. */
function replayTarget(testPath: string | undefined, testName: string | undefined): string {
  const file = testPath === undefined ? "<file>" : relative(process.cwd(), testPath);
  const title = testName?.split(" > ").at(-1);
  if (title === undefined) return file;
  const pattern = title.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&").replaceAll("'", ".");
  return `${file} -t '${pattern}'`;
}

function readNumber(name: string, fallback: number, isValid: (value: number) => boolean): number {
  const text = process.env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (!isValid(value)) throw new Error(`${name}=${text} is not a number that can be used here`);
  return value;
}
