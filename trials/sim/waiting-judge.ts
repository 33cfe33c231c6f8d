// Waiting judge — what must be true, at rest, of what has waited and of what was streamed.
//
//   Q1 to Q4   answers (answer-book.ts), and the results that were made of them
//   T1 to T4   chunks (followed.ts): all of them are there for whoever comes now
//   C1         what was cancelled has stopped, with all that it had called, and asks nobody; nor
//              does what has its result

import { PartitaError } from "../../index.js";
import { follow } from "./following.js";
import { type Begun, type Run, rootOf } from "./run.js";

const agents = [
  "families",
  "cousins",
  "inquiries",
  "offices",
  "stories",
  "relays",
  "clerks",
  "knots",
  "loops",
];

/** Whether a letter is of such an agent, and not one that was refused for ever. */
export function isForgotten(agent: string, reason: string): boolean {
  return agents.includes(agent) && !reason.includes("would wait for key");
}

export async function judgeWaiting(run: Run): Promise<void> {
  await judgeAnswers(run);
  for (const { id, top } of run.abandoned) {
    if (run.isGivenUp(id)) continue;
    await judgeSilent(run, id, top);
    for (const begun of [top, ...(run.begun.get(id) ?? [])]) await judgeStopped(run, id, begun);
  }
  for (const id of run.left) {
    if (run.isGivenUp(id)) continue;
    const inquiries = (run.begun.get(id) ?? []).filter(({ agent }) => agent === "inquiries");
    for (const begun of inquiries) await judgeStopped(run, id, begun);
  }
  for (const told of run.told) {
    if (!run.isGivenUp(told.story.id)) await follow(run, told, "all", true);
  }
}

/** What has ended asks nobody. */
async function judgeSilent(run: Run, id: string, { agent, invocationId }: Begun): Promise<void> {
  const open = await run.runtime.agent(agent).get(invocationId).humanInputs();
  if (open.length > 0) run.violations.push(`C1: ${id} still asks ${open.length} questions`);
}

async function judgeAnswers(run: Run): Promise<void> {
  const taken = new Map<string, readonly string[]>();
  for await (const [place, tokens] of run.runtime.store("answers").entries()) {
    const isOwn = place.startsWith(run.prefix) && !run.isGivenUp(place);
    if (isOwn) taken.set(place, tokens);
  }
  const problems = run.answers.problems(taken, (place) => !run.isGivenUp(place));
  run.violations.push(...problems);
  for (const { id, count, asked, top } of run.asked) {
    if (run.isGivenUp(id)) continue;
    await judgeSilent(run, id, top);
    if (asked.length !== count) run.violations.push(`S2: ${id} got ${asked.length} of ${count}`);
    for (const { place, token } of asked) {
      const [found] = taken.get(place) ?? [];
      const isSound = rootOf(place) === id && found === token;
      if (!isSound) run.violations.push(`Q1: ${id} resulted in ${token} of ${place}`);
    }
  }
}

async function judgeStopped(run: Run, id: string, { agent, invocationId }: Begun): Promise<void> {
  const invocation = run.runtime.agent(agent).get(invocationId);
  const what = `C1: ${invocationId} of ${agent} for ${id}`;
  if (!(await invocation.isComplete())) {
    run.violations.push(`${what} goes on`);
    return;
  }
  await invocation.result().then(
    () => run.violations.push(`${what} has a result`),
    (error: unknown) => {
      if (PartitaError.is(error, "INVOCATION_CANCELLED")) return;
      run.violations.push(`${what} was not cancelled: ${String(error)}`);
    },
  );
}

/**
 * Answers questions that nobody can see who waits: those of invocations that have failed, since
 * they were there at too many deaths, and were called again. They may hold what others wait for.
 * Returns whether there were any.
 */
export async function answerForgotten(run: Run): Promise<boolean> {
  for await (const { agent, invocationId, message, reason } of run.runtime.deadLetters.list()) {
    if (isForgotten(agent, reason)) run.giveUp(invocationId, message);
  }
  let wereAny = false;
  for (const [id, begun] of run.begun) {
    if (!run.isGivenUp(id)) continue;
    for (const { agent, invocationId } of begun) {
      const invocation = run.runtime.agent(agent).get(invocationId);
      for (const question of await invocation.humanInputs()) {
        await invocation.answer(question, { token: run.name("late") });
        wereAny = true;
      }
    }
  }
  return wereAny;
}
