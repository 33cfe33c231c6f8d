// A bug here would look like this: a wait, a question or an answer that comes back different.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeAnswer,
  decodeWait,
  encodeAnswer,
  encodeWait,
  placeOf,
  waitKey,
  type WaitedFor,
} from "../../../agents/node/wait-rows.js";
import { decodeCarried, encodeCarried } from "../../../agents/wire/carried.js";
import { decodeAgentMessage } from "../../../agents/wire/message.js";
import {
  askedMsOf,
  askerOf,
  formatQuestionId,
  newQuestionId,
  parseQuestionId,
} from "../../../agents/wire/question-id.js";
import {
  decodeQuestionPage,
  decodeStep,
  encodeQuestionPage,
  encodeStep,
  inAttempt,
  readInAttempt,
} from "../../../agents/wire/question-list.js";
import { encodeQuestion, type QuestionMessage } from "../../../agents/wire/question-message.js";
import type { AnsweredBy, Beginning, Wanted } from "../../../agents/wire/wait-fields.js";
import { encodeTaskWait, type TaskWaitMessage } from "../../../agents/wire/wait-message.js";
import { limits } from "../../../base/limits.js";
import { check } from "../../support/property.js";
import { refusalOf } from "../../support/refusal.js";

const bytes = fc.uint8Array({ maxLength: 40 });
const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
const question = fc.uint8Array({ minLength: 22, maxLength: 22 });
const agent = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,20}$/);
const word = fc.nat(2 ** 32 - 1);
const number = fc.nat(Number.MAX_SAFE_INTEGER);
const task = fc.nat(1_023);
const key = fc.option(fc.uint8Array({ minLength: 1, maxLength: 50 }), { nil: undefined });
const place = { arrivalNo: number, index: word };
const call = fc.option(id, { nil: undefined });
const kind = <K extends string>(name: K): fc.Arbitrary<K> => fc.constant(name);

const by: fc.Arbitrary<AnsweredBy> = fc.record({
  invocationId: id,
  answerer: fc.oneof(
    fc.record({ kind: kind("client"), thread: task, token: word }),
    fc.record({ kind: kind("node"), task, ...place }),
  ),
});
const origin = fc.record({ invocationId: id, question });
const beginning: fc.Arbitrary<Beginning> = fc.record({
  key,
  metadata: bytes,
  input: bytes,
  call,
});
const child = { agent, child: id };
const belongs = fc.constantFrom("apart", "own", "named");
const wanted: fc.Arbitrary<Wanted> = fc.oneof(
  fc.record({ kind: kind("answer"), question, isChecked: fc.boolean(), prompt: bytes }),
  fc.record({ kind: kind("pause"), dueMs: number }),
  fc.record({ kind: kind("neighbour"), topology: agent, ...child, isOwn: fc.boolean() }),
  fc.record({
    kind: kind("result"),
    ...child,
    belongs,
    beginning: fc.option(beginning, { nil: undefined }),
  }),
  fc.record({ kind: kind("step"), ...child }),
  fc.record({ kind: kind("receipt"), ...child, question, value: bytes }),
  fc.record({ kind: kind("nothing"), ...child, belongs, beginning }),
  fc.record({ kind: kind("begin"), ...child, belongs, beginning }),
  fc.record({ kind: kind("begun"), topology: agent, ...child, isOwn: fc.boolean() }),
);

const taskWait: fc.Arbitrary<TaskWaitMessage> = fc.oneof(
  fc.record({ kind: kind("wait"), ...place, digest: word, wanted }),
  fc.record({ kind: kind("settle"), ...place, answerNo: word, isTaken: fc.boolean(), bytes }),
  fc.record({ kind: kind("due") }),
  fc.record({ kind: kind("repeat"), places: fc.array(fc.record(place)) }),
  fc.record({ kind: kind("rest"), isResting: fc.boolean(), arrivalNos: fc.array(number) }),
  fc.record({
    kind: kind("deliver"),
    ...place,
    invocationId: id,
    question,
    origin: fc.option(origin, { nil: undefined }),
    by,
    value: bytes,
  }),
  fc.record({ kind: kind("outcome"), ...place, child: id, bytes }),
  fc.record({ kind: kind("childAsked"), ...place, origin, prompt: bytes }),
  fc.record({
    kind: kind("childClosed"),
    ...place,
    origin,
    by: fc.option(by, { nil: undefined }),
  }),
  fc.record({ kind: kind("childStopped"), ...place, child: id }),
);

const caller = fc.record({
  task,
  ...place,
  until: fc.constantFrom("result", "step", "stopped", "begun"),
});
const of = { agent, invocationId: id };
const questionMessage: fc.Arbitrary<QuestionMessage> = fc.oneof(
  fc.record({
    kind: kind("asked"),
    invocationId: id,
    question,
    node: agent,
    task,
    ...place,
    attempt: word,
    origin: fc.option(origin, { nil: undefined }),
    prompt: bytes,
  }),
  fc.record({
    kind: kind("closed"),
    invocationId: id,
    question,
    by: fc.option(by, { nil: undefined }),
  }),
  fc.record({ kind: kind("withdrawn"), invocationId: id, task, ...place }),
  fc.record({ kind: kind("answer"), ...of, question, by, value: bytes }),
  fc.record({ kind: kind("answered"), by, error: bytes }),
  fc.record({ kind: kind("attach"), ...of, caller }),
  fc.record({
    kind: kind("begin"),
    ...of,
    caller: fc.option(caller, { nil: undefined }),
    call,
    carried: bytes,
    key,
    input: bytes,
  }),
  fc.record({ kind: kind("step"), ...of }),
  fc.record({ kind: kind("questions"), ...of, from: word, subscribe: fc.boolean() }),
);

describe("messages of waits — there and back", () => {
  it("every message to the task of a node is the same after it has been bytes", async () => {
    await check(
      fc.property(taskWait, (sent) => {
        expect(decodeAgentMessage(encodeTaskWait(sent))).toEqual(sent);
      }),
    );
  });

  it("every message to a home task is the same after it has been bytes", async () => {
    await check(
      fc.property(questionMessage, (sent) => {
        expect(decodeAgentMessage(encodeQuestion(sent))).toEqual(sent);
      }),
    );
  });

  it("rows, pages and steps are the same after they have been bytes", async () => {
    const waited: fc.Arbitrary<WaitedFor> = fc.oneof(
      fc.record({
        kind: kind("answer"),
        question,
        isChecked: fc.boolean(),
        prompt: fc.option(bytes, { nil: undefined }),
        firstAnswer: word,
        nextAnswer: word,
      }),
      fc.record({ kind: kind("pause"), dueMs: number }),
      fc.record({
        kind: kind("neighbour"),
        topology: agent,
        ...child,
        isOwn: fc.boolean(),
        asked: fc.array(question),
        firstAnswer: word,
        nextAnswer: word,
      }),
      fc.record({
        kind: fc.constantFrom("result", "step", "receipt", "begin"),
        ...child,
        belongs,
        passesOn: fc.boolean(),
      }),
    );
    const row = fc.record({ digest: word, rests: fc.boolean(), wanted: waited });
    await check(
      fc.property(row, (wait) => {
        expect(decodeWait(encodeWait(wait))).toEqual(wait);
      }),
    );
    await check(
      fc.property(fc.record(place), (at) => {
        expect(placeOf(waitKey(at))).toEqual(at);
      }),
    );
    await check(
      fc.property(fc.record({ by, value: bytes }), (answer) => {
        expect(decodeAnswer(encodeAnswer(answer))).toEqual(answer);
      }),
    );
    const listed = fc.record({ question, node: agent, prompt: bytes });
    const page = fc.record({ isKnown: fc.boolean(), next: word, questions: fc.array(listed) });
    await check(
      fc.property(page, (questions) => {
        expect(decodeQuestionPage(encodeQuestionPage(questions))).toEqual(questions);
      }),
    );
    await check(
      fc.property(listed, word, (asked, attempt) => {
        const reply = { kind: "asks", asked } as const;
        expect(decodeStep(encodeStep(reply))).toEqual(reply);
        expect(readInAttempt(inAttempt(attempt, encodeStep(reply)))).toEqual({ attempt, reply });
        const refused = { kind: "refused", error: asked.prompt } as const;
        expect(decodeStep(encodeStep(refused))).toEqual(refused);
      }),
    );
  });
});

describe("question ids", () => {
  const asker = fc.record({
    askedMs: fc.nat(2 ** 48 - 1),
    nodeInvocationId: fc.record({ high: word, low: word }),
    attempt: word,
    ...place,
    passedOn: bytes,
  });

  it("say who asked and when, and come back from their text", async () => {
    await check(
      fc.property(asker, id, (of_, invocationId) => {
        const asked = newQuestionId(of_);
        expect(askedMsOf(asked)).toBe(of_.askedMs);
        expect(askerOf(asked)).toEqual(of_.nodeInvocationId);
        const text = formatQuestionId(invocationId, asked);
        expect(parseQuestionId(invocationId, text)).toEqual(asked);
      }),
    );
  });

  it("of another invocation, or made up, is unknown", async () => {
    await check(
      fc.property(asker, id, id, fc.string(), (of_, one, other, made) => {
        fc.pre(Buffer.compare(one, other) !== 0);
        const text = formatQuestionId(one, newQuestionId(of_));
        refusalOf("QUESTION_UNKNOWN", () => parseQuestionId(other, text));
        refusalOf("QUESTION_UNKNOWN", () => parseQuestionId(one, made));
      }),
    );
  });

  it("differ when anything differs that asks", async () => {
    await check(
      fc.property(asker, asker, (one, other) => {
        const same =
          JSON.stringify([one, [...one.passedOn]]) === JSON.stringify([other, [...other.passedOn]]);
        expect(Buffer.compare(newQuestionId(one), newQuestionId(other)) === 0).toBe(same);
      }),
    );
  });
});

const carriedCaller = fc.record({
  invocationId: id,
  task: fc.nat({ max: 65_535 }),
  topology: fc.constantFrom("", "another"),
  waits: fc.boolean(),
});

describe("carried — metadata and callers", () => {
  it("nothing takes no bytes, and of very many callers the outermost are left out", async () => {
    expect(encodeCarried({ metadata: new Uint8Array(0), callers: [], isCut: false })).toHaveLength(
      0,
    );
    await check(
      fc.property(bytes, fc.array(carriedCaller, { maxLength: 8 }), fc.boolean(), (...of) => {
        const [metadata, callers, isCut] = of;
        const carried = { metadata, callers, isCut };
        expect(decodeCarried(encodeCarried(carried))).toEqual(carried);
      }),
    );
    const many = Array.from({ length: 5_000 }, (_, at) => ({
      invocationId: new Uint8Array(16).fill(at % 251),
      task: at,
      topology: at % 3 === 0 ? "another" : "",
      waits: at % 2 === 0,
    }));
    const metadata = new Uint8Array(100);
    const carried = encodeCarried({ metadata, callers: many, isCut: false });
    const kept = decodeCarried(carried);
    expect(carried.length).toBeLessThanOrEqual(limits.carriedBytesMax + 8);
    expect(carried.length).toBeGreaterThan(limits.carriedBytesMax - 32);
    expect(kept).toEqual({ metadata, callers: many.slice(-kept.callers.length), isCut: true });
  });
});
