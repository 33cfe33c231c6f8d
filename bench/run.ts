// Run — one run of the benchmark: opens the stage, measures what was asked for, tells, writes.
//
// Owns: the order, the interruption and the exit status. Leaves to others: measuring (rounds.ts),
// judging (judge.ts), what is written and drawn (document.ts, chart.ts).

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { chartsOf } from "./chart.js";
import { type BenchDocument, documentOf, type Finished, finish } from "./document.js";
import type { LimitName } from "./limit.js";
import { measureLimits } from "./limits.js";
import { machineOf, versionsOf } from "./machine.js";
import type { BenchOptions } from "./options.js";
import { headLines, lastLine, roundLine, tableLines } from "./report.js";
import { measureTarget } from "./rounds.js";
import { Stage } from "./stage.js";
import type { Target } from "./target.js";

/** Beyond the time of its load: opening, adding up, a busy machine. */
const patienceMs = { full: 300_000, quick: 60_000 } as const;

/** Measures the targets and curves and returns the exit status. */
export async function runBenchmark(
  options: BenchOptions,
  targets: readonly Target[],
  signal: AbortSignal,
): Promise<number> {
  const { quick, seed } = options;
  const stage = await Stage.open({ quick, seed, signal, say: (line) => console.log(line) });
  try {
    const document = await measureAll(stage, options, targets);
    if (options.json !== undefined) await writeJson(options.json, document);
    if (options.charts !== undefined) await drawCharts(options.charts, document);
    const verdicts = Object.values(document.targets).flatMap(({ verdict }) => verdict ?? []);
    const groups = [...Object.values(document.targets), ...Object.values(document.curves)];
    console.log(`\n${lastLine(verdicts)}`);
    return groups.some(({ bars }) => bars.some((bar) => "failed" in bar)) ? 1 : 0;
  } catch (error) {
    if (!signal.aborted) throw error;
    console.error("bench: interrupted");
    return 130;
  } finally {
    await stage.end();
  }
}

/** Draws the charts of results that were written before. */
export async function drawFrom(file: string, directory: string): Promise<void> {
  const document: BenchDocument = JSON.parse(await readFile(file, "utf8"));
  await drawCharts(directory, document);
}

async function measureAll(
  stage: Stage,
  options: BenchOptions,
  targets: readonly Target[],
): Promise<BenchDocument> {
  const machine = await machineOf(stage.directory);
  const versions = versionsOf();
  const { seed, quick, rounds } = options;
  const date = new Date().toISOString();
  console.log(`bench: seed=${seed} rounds=${rounds}${quick ? " quick: no figure counts" : ""}`);
  for (const line of headLines(machine, versions)) console.log(line);
  const names = new Set<LimitName>(targets.flatMap(({ limits }) => limits));
  const limits = await measureLimits(stage, names);
  const finished: Finished[] = [];
  for (const target of targets) {
    console.log("");
    const measurements = await measureTarget(stage, target, {
      rounds,
      patienceMs: quick ? patienceMs.quick : patienceMs.full,
      onRound: (index, count, figures) => {
        console.log(roundLine(target, index, count, figures));
      },
    });
    const done = finish(measurements);
    for (const line of tableLines(done, limits)) console.log(line);
    finished.push(done);
  }
  return documentOf({ date, machine, versions, seed, quick, rounds }, limits, finished);
}

async function writeJson(file: string, document: BenchDocument): Promise<void> {
  await writeFile(file, `${JSON.stringify(document, null, 2)}\n`);
  console.log(`\nresults: ${file}`);
}

async function drawCharts(directory: string, document: BenchDocument): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, svg] of chartsOf(document)) {
    await writeFile(join(directory, `${name}.svg`), svg);
  }
  console.log(`\ncharts: ${directory}`);
}
