// Waiting — very many invocations that wait for a human: what they cost, and how soon a process
// that is started again serves them.

import { spawnSync } from "node:child_process";
import { type LaunchOptions, launch } from "partita";
import { inFlight, verify } from "./measure.js";
import { benchTopology } from "./topology.js";

const answered = 1_000;

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
    console.log(`${label("... resident, all of them waiting")} ${resident()}`);
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
  console.log(`${label("restart until it serves")} ${seconds.padStart(10)} s`);
  const mebibytes = Math.round((process.memoryUsage.rss() - before) / 2 ** 20);
  console.log(`${label("... resident")} ${resident()}, ${mebibytes} MiB more than before`);
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

function resident(): string {
  const mebibytes = Math.round(process.memoryUsage.rss() / 2 ** 20);
  return `${mebibytes.toLocaleString("en-US").padStart(10)} MiB`;
}

function label(what: string): string {
  return what.padEnd(38);
}
