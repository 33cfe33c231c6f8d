// Waiting — very many invocations that wait for a human: what they cost, and how soon a process
// that is started again serves them.

import { spawnSync } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { type LaunchOptions, launch } from "partita";
import { inFlight, verify } from "./measure.js";
import { benchTopology } from "./topology.js";

const answered = 1_000;

/** 300 MB, in MiB. */
const residentTargetMebibytes = 286;
const servesTargetSeconds = 2;
/** V8 gives memory back when a thread has had little to do for a while. */
const quietSecondsMax = 120;

/** Begins so many, closes, and has another process find them. */
export async function measureWaiting(count: number, options: LaunchOptions): Promise<void> {
  const ids: string[] = [];
  {
    await using runtime = await launch(benchTopology, options);
    const approve = runtime.agent("approve");
    const begun = await inFlight(count, 2_000, async (index) => {
      const { id } = await approve.initiate(`order ${index}`);
      if (index % (count / answered) === 0) ids.push(id);
    });
    const askedAt = performance.now();
    await runtime.drain();
    const seconds = ((performance.now() - askedAt) / 1000).toFixed(1);
    const perSecond = Math.round(begun.perSecond).toLocaleString("en-US");
    console.log(`${label("invocations that come to wait")} ${perSecond.padStart(10)} /s`);
    console.log(`${label("... the last of them asked after")} ${seconds.padStart(10)} s`);
    console.log(`${label("... resident at the end of that load")} ${resident()}`);
    const quietSeconds = await quiet();
    const then = `${resident()} (target ${residentTargetMebibytes})`;
    console.log(`${label(`... ${quietSeconds} s later, all of them waiting`)} ${then}`);
  }
  const child = spawnSync(
    process.execPath,
    [...process.execArgv, process.argv[1] ?? "", "--again", options.directory, ids.join(",")],
    { stdio: ["ignore", "inherit", "inherit"] },
  );
  verify("exit of the second process", child.status ?? -1, 0);
}

/** The second process: serves what the first has left, and answers some of it. */
export async function measureAgain(options: LaunchOptions, ids: readonly string[]): Promise<void> {
  const before = process.memoryUsage.rss();
  const startedAt = performance.now();
  await using runtime = await launch(benchTopology, options);
  const approve = runtime.agent("approve");
  const [first = ""] = ids;
  const questions = await approve.get(first).humanInputs();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(2);
  verify("questions of the first", questions.length, 1);
  const target = `(target ${servesTargetSeconds})`;
  console.log(`${label("restart until it serves")} ${seconds.padStart(10)} s   ${target}`);
  const more = Math.round((process.memoryUsage.rss() - before) / 2 ** 20);
  const atOnce = `${resident()} (target ${residentTargetMebibytes}), ${more} MiB more than before`;
  console.log(`${label("... resident")} ${atOnce}`);
  const each = await inFlight(ids.length, 200, async (index) => {
    const invocation = approve.get(ids[index] ?? "");
    const step = await invocation.nextStep();
    if (step.kind !== "question") throw new Error("it has a result already");
    await invocation.answer(step.question, index);
    verify("result", await invocation.result(), index);
  });
  const perSecond = Math.round(each.perSecond).toLocaleString("en-US");
  const p50 = `p50 ${each.p50Ms.toFixed(1)} ms`;
  console.log(`${label("... answered and finished")} ${perSecond.padStart(10)} /s   ${p50}`);
  console.log(`${label("... resident")} ${resident()}`);
}

/** Waits until the process has given back what it took for work; returns how long that was. */
async function quiet(): Promise<number> {
  let seconds = 0;
  for (; seconds < quietSecondsMax && mebibytesNow() >= residentTargetMebibytes; seconds += 1) {
    await pause(1_000);
  }
  return seconds;
}

function mebibytesNow(): number {
  return Math.round(process.memoryUsage.rss() / 2 ** 20);
}

function resident(): string {
  return `${mebibytesNow().toLocaleString("en-US").padStart(10)} MiB`;
}

function label(what: string): string {
  return what.padEnd(38);
}
