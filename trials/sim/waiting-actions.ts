// Waiting actions — clients that answer what invocations ask, follow what they stream, and call
// those that call each other.

import { type HumanQuestion, type Invocation, PartitaError } from "../../index.js";
import type { Action } from "./actions.js";
import { follow } from "./following.js";
import type { Promised, Run } from "./run.js";
import type { Scenario } from "./scenario.js";
import {
  type Answer,
  type Asked,
  type Inquiry,
  placeOf,
  type Prompt,
  type Story,
  type Tree,
} from "./waiting-topology.js";

/** Begins an invocation under an id, as often as it takes. */
export async function begin<R>(
  run: Run,
  what: string,
  call: (options: { readonly id: string }) => Promise<Invocation<R>>,
): Promise<Invocation<R> | undefined> {
  const options = { id: run.runtime.newId() };
  return (await run.persistently(`begin ${what}`, () => call(options)))?.value;
}

/** Answers whatever it asks, until it has its result; nothing when it has failed. */
async function drive<R>(
  run: Run,
  what: string,
  invocation: Invocation<R>,
): Promise<{ readonly value: R } | undefined> {
  for (;;) {
    const asked = run.now();
    if (run.pick(3) === 0) {
      const open = await run.persistently(`questions of ${what}`, () => invocation.humanInputs());
      const newest = open?.value.at(-1);
      if (newest !== undefined) await answer(run, invocation, newest, asked);
      if (newest !== undefined) continue;
    }
    const step = await run.persistently(`next step of ${what}`, () => invocation.nextStep());
    if (step === undefined) return undefined;
    if (step.value.kind === "result") return { value: step.value.result };
    await answer(run, invocation, step.value.question, asked);
  }
}

/** How an answer came out: taken, the code of a refusal, or unknown. */
async function answered<R>(
  run: Run,
  invocation: Invocation<R>,
  question: HumanQuestion | string,
  value: unknown,
  refusals: readonly string[],
): Promise<string | undefined> {
  const what = `answer ${JSON.stringify(value)}`;
  const outcome = await run.outcome(what, async () => {
    return await invocation.answer(question, value).then(
      () => "taken",
      (error: unknown) => {
        if (PartitaError.is(error) && refusals.includes(error.code)) return error.code;
        throw error;
      },
    );
  });
  return outcome?.value;
}

/** Answers a question that was open when it was looked at after the moment `asked`. */
async function answer<R>(
  run: Run,
  invocation: Invocation<R>,
  question: HumanQuestion,
  asked: number,
): Promise<void> {
  // cast: what the nodes of this topology ask.
  const prompt = question.prompt as Prompt;
  const place = placeOf(prompt);
  if (run.answers.isClosed(question.id, asked)) {
    run.violations.push(`Q4: ${place} was shown again after it was answered`);
  }
  if (prompt.isChecked && run.pick(3) === 0) {
    const refusals = ["SCHEMA_INVALID", "QUESTION_STALE"];
    const said = await answered(run, invocation, question, { token: 5 }, refusals);
    if (said === "taken") run.violations.push(`Q2: ${place} took what does not fit its schema`);
  }
  const token = run.name("answer");
  run.answers.give(token, place);
  const given: Answer = { token };
  const said = await answered(run, invocation, question, given, ["QUESTION_STALE"]);
  if (said === "QUESTION_STALE") run.answers.refused(token);
  if (said !== "taken") return;
  run.answers.taken(token, question.id, run.now());
  if (run.pick(3) > 0) return;
  const again = run.name("answer");
  run.answers.give(again, place);
  const late = await answered(run, invocation, question.id, { token: again }, ["QUESTION_STALE"]);
  if (late === "taken") run.violations.push(`Q1: ${place} was answered twice`);
  if (late !== undefined) run.answers.refused(again);
}

function treeOf(run: Run, depth: number): Tree {
  const count = depth === 0 ? 0 : run.pick(3);
  return {
    children: Array.from({ length: count }, () => treeOf(run, depth - 1)),
    throwsBelow: run.throwsBelow(6, 3),
    asks: run.pick(4) === 0,
    inTurn: run.pick(3) === 0,
  };
}

function namesOf(id: string, { children }: Tree): string[] {
  const below = children.flatMap((child, index) => namesOf(`${id}/${index}`, child));
  return [`${id} began`, `${id} ended`, ...below];
}

/** Invocations that call each other, some of which ask. */
export const family: Action = async (run, _client, { callDepthMax }) => {
  const id = run.name("f");
  const tree = treeOf(run, callDepthMax);
  const names = namesOf(id, tree);
  const promised: Promised = { names, acknowledged: false };
  run.promised.push(promised);
  const agent = run.runtime.agent("families");
  const begun = await begin(run, `family ${id}`, (options) =>
    agent.initiate({ id, tree }, options),
  );
  const result = begun === undefined ? undefined : await drive(run, `family ${id}`, begun);
  if (result === undefined) return;
  promised.acknowledged = true;
  const { value: count } = result;
  if (count * 2 !== names.length) run.violations.push(`S2: ${id} is ${count}: ${names.length}`);
};

export function inquiryOf(run: Run, scenario: Scenario, id: string, isLeft: boolean): Inquiry {
  const asks = Array.from({ length: 1 + run.pick(3) }, (_, ask) => ({
    isChecked: run.pick(2) === 0,
    throwsBelow: isLeft ? 0 : run.throwsBelow(5, 2),
    once: run.pick(3) === 0,
    pauseMs: Math.max(0, run.pick(9) - 5),
    desk: isLeft ? `${id} desk ${ask}` : run.key("desk", scenario.keys),
  }));
  return { id, asks, forwards: run.pick(3) };
}

function beginInquiry(
  run: Run,
  inquiry: Inquiry,
): Promise<Invocation<readonly Asked[]> | undefined> {
  const agent = run.runtime.agent(inquiry.forwards > 0 ? "offices" : "inquiries");
  return begin(run, inquiry.id, (options) => agent.initiate(inquiry, options));
}

/** Questions side by side, answered by one or two. */
export const inquiry: Action = async (run, _client, scenario) => {
  const id = run.name("q");
  const given = inquiryOf(run, scenario, id, false);
  const agent = given.forwards > 0 ? "offices" : "inquiries";
  const begun = await beginInquiry(run, given);
  if (begun === undefined) return;
  const { id: invocationId } = begun;
  const drivers = Array.from({ length: 1 + run.pick(2) }, () => drive(run, id, begun));
  for (const result of await Promise.all(drivers)) {
    if (result === undefined) continue;
    run.asked.push({
      id,
      count: given.asks.length,
      asked: result.value,
      top: { agent, invocationId },
    });
  }
};

/** Questions that nobody answers, cancelled at last: nothing of it waits any more. */
export const abandon: Action = async (run, _client, scenario) => {
  const id = run.name("z");
  const given = inquiryOf(run, scenario, id, true);
  const begun = await beginInquiry(run, given);
  if (begun === undefined) return;
  for (let look = run.pick(6); look > 0; look -= 1) {
    await run.outcome(`look at ${id}`, () => begun.humanInputs());
  }
  const cancelled = await run.persistently(`cancel ${id}`, () => begun.cancel());
  if (cancelled === undefined) return;
  const agent = given.forwards > 0 ? "offices" : "inquiries";
  run.abandoned.push({ id, top: { agent, invocationId: begun.id } });
};

function storyOf(run: Run, id: string): Story {
  const parts = Array.from({ length: 1 + run.pick(3) }, () => ({
    key: run.key("k", 4),
    chunks: run.pick(5),
    throwsBelow: run.throwsBelow(5, 2),
    pauseMs: Math.max(0, run.pick(9) - 5),
  }));
  return { id, parts };
}

/** What is streamed is followed while it comes, and again when all of it is there. */
export const story: Action = async (run) => {
  const agent = run.pick(3) === 0 ? "relays" : "stories";
  const id = run.name("s");
  const given = storyOf(run, id);
  const names = given.parts.flatMap(({ chunks }, part) =>
    chunks > 1 ? [`${id} part ${part}`] : [],
  );
  const promised: Promised = { names, acknowledged: false };
  run.promised.push(promised);
  const client = run.runtime.agent(agent);
  const begun = await begin(run, id, (options) => client.initiate(given, options));
  if (begun === undefined) return;
  const told = { agent, invocationId: begun.id, story: given } as const;
  const followers = Array.from({ length: run.pick(3) }, () => {
    return follow(run, told, run.pick(2) === 0 ? "all" : "first", false);
  });
  const [result] = await Promise.all([drive(run, id, begun), ...followers]);
  if (result === undefined) return;
  promised.acknowledged = true;
  const total = given.parts.reduce((sum, { chunks }) => sum + chunks, 0);
  if (result.value !== total) run.violations.push(`S2: ${id} is ${result.value} of ${total}`);
  run.told.push(told);
  await follow(run, told, "all", true);
};
