// Seed — one seed from its scenario to its verdict.
//
//   clients work, faults come ──► heal: all comes to rest ──► final reads, over one more stop
//   ──► verdict
//
// Owns: this order, and the bounds of steps. Leaves to others: what clients do (actions.ts), what
// must be true (judge.ts, streams.ts).

import { seededRandom } from "../../testing/index.js";
import { beginSimulation, runtimeOf } from "../../testing/simulate.js";
import type { Simulation } from "../../testing/simulation.js";
import { chooseAction } from "./actions.js";
import { judge, readAll, replayLetters } from "./judge.js";
import { Run } from "./run.js";
import { type Scenario, scenarioOf } from "./scenario.js";
import { enter } from "./stage.js";
import { brokenStreams } from "./streams.js";
import { finishLeftOver } from "./left-over.js";
import { answerForgotten } from "./waiting-judge.js";
import { simTopology, type SimParts } from "./topology.js";

export interface SeedOutcome {
  readonly seed: number;
  readonly steps: number;
  readonly crashes: number;
  readonly hash: string;
  readonly violations: readonly string[];
}

/** Steps until everything must be at rest: some hundred times what a run takes. */
const stepsMax = 20_000;

/** Runs a seed; `trace` is told what happens, in words. */
export async function runSeed(seed: number, trace?: (line: string) => void): Promise<SeedOutcome> {
  // Failures keep the stacks of what nodes throw, and a stack is as long as the way that led here:
  // records would have other sizes with another caller, and a seed another course.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return await runAlone(seed, trace);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

async function runAlone(
  seed: number,
  trace: ((line: string) => void) | undefined,
): Promise<SeedOutcome> {
  const random = seededRandom(seed ^ 0x5eed);
  const scenario = scenarioOf(seed, random);
  trace?.(`seed ${seed}: ${JSON.stringify(scenario)}`);
  const { options } = scenario;
  const simulation = beginSimulation(
    simTopology,
    trace === undefined ? options : { ...options, trace },
  );
  const prefix = scenario.isLossy ? "after " : "";
  const run = new Run(runtimeOf<SimParts>(simulation), random, scenario.awakeMax, prefix);
  run.trace = trace;
  enter(run);
  const limit = simulation.limit(stepsMax);
  try {
    const played = scenario.isLossy ? playLossy(simulation, run, scenario) : undefined;
    await Promise.race([limit, played ?? play(simulation, run, scenario)]);
  } catch (error) {
    run.violations.push(`L1: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    simulation.halt();
    limit.catch(() => {});
    enter(undefined);
  }
  for (const diagnosis of simulation.stops) run.violations.push(`S9: stopped: ${diagnosis}`);
  for (const violation of run.violations) trace?.(violation);
  const { steps, crashes, traceHash } = simulation;
  return { seed, steps, crashes, hash: traceHash, violations: run.violations };
}

async function play(simulation: Simulation, run: Run, scenario: Scenario): Promise<void> {
  await simulation.serving();
  await unlessIdle(simulation, run, playClients(run, scenario));
  await unlessIdle(simulation, run, simulation.heal());
  await unlessIdle(simulation, run, replayLetters(run));
  await unlessIdle(simulation, run, simulation.heal());
  await unlessIdle(simulation, run, readAll(run));
  if (run.pick(2) === 0) {
    // What was seen is there in the next life.
    await unlessIdle(simulation, run, simulation.crash());
    await unlessIdle(simulation, run, simulation.heal());
    await unlessIdle(simulation, run, readAll(run));
  }
  await judgeAll(simulation, run, scenario);
}

/** Power cuts in a weak mode: afterwards all is as sound as ever, for what comes afterwards. */
async function playLossy(simulation: Simulation, run: Run, scenario: Scenario): Promise<void> {
  await simulation.serving();
  const before = new Run(run.runtime, run.random, run.awakeMax, "before ");
  enter(before);
  void playClients(before, scenario);
  await simulation.advance(1 + run.pick(15));
  before.isOver = true;
  await unlessIdle(simulation, run, simulation.crash());
  await unlessIdle(simulation, run, simulation.heal());
  await unlessIdle(simulation, run, finishLeftOver(simulation, run, scenario.options.tasks ?? 0));
  enter(run);
  await unlessIdle(simulation, run, playClients(run, scenario));
  await unlessIdle(simulation, run, simulation.heal());
  await unlessIdle(simulation, run, readAll(run));
  await judgeAll(simulation, run, scenario);
}

async function judgeAll(simulation: Simulation, run: Run, scenario: Scenario): Promise<void> {
  await unlessIdle(simulation, run, judge(run));
  const storages = scenario.options.tasks ?? 0;
  const found = Array.from({ length: storages }, (_, task) => simulation.site.opened(task)?.inner);
  const epoch = simulation.site.record?.epoch ?? 0;
  run.violations.push(
    ...brokenStreams(
      found.filter((storage) => storage !== undefined),
      epoch,
    ),
  );
}

async function playClients(run: Run, scenario: Scenario): Promise<void> {
  const clients = Array.from({ length: scenario.clients }, (_, index) => {
    return playClient(run, `client${index}`, scenario);
  });
  await Promise.all(clients);
}

async function playClient(run: Run, name: string, scenario: Scenario): Promise<void> {
  const client = { name, calls: 0 };
  const underWay: Promise<void>[] = [];
  for (let index = 0; index < scenario.actionsEach; index += 1) {
    const action = chooseAction(run)(run, client, scenario);
    underWay.push(action);
    // Some calls are awaited, some go on beside the next ones.
    if (run.pick(2) === 0) await action;
  }
  await Promise.all(underWay);
}

/** Fails when nothing can happen any more and `work` is not done: then it never will be. */
async function unlessIdle<T>(simulation: Simulation, run: Run, work: Promise<T>): Promise<T> {
  const done = work.then((value) => ({ value }));
  for (;;) {
    const stuck = simulation.idle().then(async () => {
      // What was settled last may have finished the work.
      for (let turn = 0; turn < 20; turn += 1) await undefined;
    });
    const outcome = await Promise.race([done, stuck]);
    if (outcome !== undefined) return outcome.value;
    if (await answerForgotten(run)) continue;
    const waiting = [...run.waiting].join("; ");
    throw new Error(`nothing can happen any more, and these wait: ${waiting}`);
  }
}
