// Surveys — whoever answers what surveys ask, and follows what their checks stream.

import { PartitaError } from "../../../index.js";
import { type CheckChunk, checkChunks, checksOf, chunkBody } from "../surveys.js";
import { insist, type Report, type Tortured } from "./client.js";

/** What has to do with surveys needs. */
export interface Survey {
  readonly runtime: Tortured;
  readonly report: Report;
  readonly id: string;
  readonly of: number;
}

/** Says what is there, and returns the keys. */
export async function findAnswers(runtime: Tortured, report: Report): Promise<string[]> {
  const keys: string[] = [];
  for await (const [key, tokens] of runtime.store("answers").entries()) {
    keys.push(key);
    report.say(`found answers ${key} ${tokens.join(" ")}`);
  }
  return keys;
}

/** Answers a survey until it has its result; false when nothing more can be called. */
export async function answer({ runtime, report, id, of }: Survey): Promise<boolean> {
  const survey = runtime.agent("survey").get(id);
  return await insist(async () => {
    for (;;) {
      const step = await survey.nextStep();
      if (step.kind === "result") {
        if (step.result !== of) report.bad("lost", `survey ${id} is ${step.result}, not ${of}`);
        return;
      }
      const token = runtime.newId();
      try {
        await survey.answer(step.question, token);
        report.say(`ack answers taken ${id} ${token}`);
      } catch (error) {
        if (!PartitaError.is(error, "QUESTION_STALE")) throw error;
        report.say(`ack answers refused ${id} ${token}`);
      }
    }
  });
}

/**
 * Answers all surveys that wait for a human, and returns what begun each survey that has rows:
 * checks have run by themselves.
 */
export async function answerAll(
  runtime: Tortured,
  report: Report,
): Promise<ReadonlyMap<string, string>> {
  const surveys = new Map<string, { readonly of: number; readonly call: string }>();
  for await (const [key, { of, call }] of runtime.store("effects").entries()) {
    if (call.startsWith("survey:")) surveys.set(key.slice(0, key.indexOf(" ")), { of, call });
  }
  const answering = Array.from(surveys, ([id, { of }]) => answer({ runtime, report, id, of }));
  await Promise.all(answering);
  return new Map(Array.from(surveys, ([id, { call }]) => [id, call]));
}

/** Follows all that the checks of a survey stream, to the end; what it sees must be as they do. */
export async function follow({ runtime, report, id, of }: Survey, call: string): Promise<void> {
  const lists = new Map<string, number>();
  const attempts = new Map<string, number>();
  const steps = new Set<number>();
  const what = `survey ${id}`;
  for await (const event of runtime.agent("survey").get(id).streamAll("check")) {
    const { kind, nodeInvocationId } = event;
    const next = lists.get(nodeInvocationId) ?? 0;
    if (kind === "reset") lists.set(nodeInvocationId, 0);
    else if (kind === "completed") {
      if (next < checkChunks) report.bad("lost", `${what}: a check ended with ${next} chunks`);
    } else {
      // cast: what checks stream.
      const { step, index, attempt, body } = event.value as CheckChunk;
      if (event.index !== next || index > next) {
        report.bad("lost", `${what}: chunk ${index} came for ${next}`);
      } else if (index < next) report.bad("duplicated", `${what}: chunk ${index} came for ${next}`);
      if (Buffer.compare(chunkBody(call, step, index), body) !== 0) {
        report.bad("torn", `${what}: chunk ${index} of ${step} is not whole`);
      }
      if (index === 0) attempts.set(nodeInvocationId, attempt);
      else if (attempts.get(nodeInvocationId) !== attempt) {
        report.bad("torn", `${what}: chunks of two attempts of ${step} are one list`);
      }
      steps.add(step);
      lists.set(nodeInvocationId, next + 1);
    }
  }
  const checks = checksOf(of);
  if (steps.size !== checks || lists.size !== checks) {
    report.bad("lost", `${what}: ${steps.size} of ${checks} checks have streamed`);
  }
}
