// A bug here would look like this: a message that comes back different, or reads beyond its bytes.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeNodeRecord, encodeAck, recordBytesOf } from "../../../agents/wire/ack.js";
import {
  type AttemptMessage,
  decodeFence,
  encodeAttempt,
  encodeFence,
  type Fence,
} from "../../../agents/wire/attempt-message.js";
import {
  type AgentMessage,
  decodeAgentMessage,
  decodeRun,
  encodeAwait,
  encodeCollect,
  encodeForget,
  encodeInitiate,
  encodeRun,
} from "../../../agents/wire/message.js";
import {
  type AwaitReply,
  decodeNotice,
  decodeReply,
  decodeStanding,
  encodeNotice,
  encodeReply,
  encodeStanding,
  type Outcome,
} from "../../../agents/wire/outcome.js";
import {
  decodeLetterPage,
  encodeLetterPage,
  encodePoison,
} from "../../../agents/wire/poison-message.js";
import { encodeMetadataMessage } from "../../../agents/wire/metadata-message.js";
import type { QuestionMessage } from "../../../agents/wire/question-message.js";
import type { StreamMessage } from "../../../agents/wire/stream-message.js";
import { encodeWaitsFor, type WaitsForMessage } from "../../../agents/wire/chain-message.js";
import { encodeStall, type StallMessage } from "../../../agents/wire/stall-message.js";
import type { TaskWaitMessage } from "../../../agents/wire/wait-message.js";
import type { ForkFamilyMessage } from "../../../agents/wire/fork-message.js";
import type { TraceMessage } from "../../../agents/wire/trace-message.js";
import { decodeMessage, encodeMessage } from "../../../agents/wire/wire-field.js";
import { check } from "../../support/property.js";

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/);
const bytes = fc.uint8Array({ maxLength: 40 });
const key = fc.option(fc.uint8Array({ minLength: 1, maxLength: 1_976 }), { nil: undefined });
const invocationId = fc.uint8Array({ minLength: 16, maxLength: 16 });
const word = fc.nat(2 ** 32 - 1);
const nodeInvocationId = fc.record({ high: word, low: word });
const end = fc.oneof(
  fc.constant({ kind: "plain" as const }),
  fc.record({ kind: fc.constant("result" as const), value: bytes }),
  fc.record({ kind: fc.constant("failure" as const), error: bytes, final: fc.boolean() }),
  fc.constant({ kind: "unfinished" as const }),
);
const nodeRecord = {
  node: name,
  scope: nodeInvocationId,
  attempt: word,
  task: fc.nat(0xfffe),
  end,
  emits: fc.array(
    fc.record({
      id: nodeInvocationId,
      node: name,
      task: fc.option(fc.nat(0xfffe), { nil: undefined }),
      key,
      message: bytes,
    }),
  ),
  gather: fc.oneof(name, fc.constant("")),
  carry: bytes,
  trace: bytes,
};

const recorded = fc.array(fc.record({ task: fc.nat(0xffff), indexes: fc.array(word) }));

const attemptMessage: fc.Arbitrary<AttemptMessage> = fc.oneof(
  fc.record({
    kind: fc.constant("failed" as const),
    invocationId,
    nodeInvocationId,
    arrivalNo: fc.maxSafeNat(),
    attempt: word,
    final: fc.boolean(),
    trace: bytes,
    error: bytes,
  }),
  fc.record({
    kind: fc.constant("fence" as const),
    invocationId,
    attempt: word,
    stop: fc.constantFrom(undefined, "cancelled" as const, "retried" as const),
    pauseMs: word,
  }),
  fc.record({
    kind: fc.constantFrom("giveUp" as const, "drop" as const),
    arrivalNo: fc.maxSafeNat(),
    nodeInvocationId,
  }),
  fc.record({ kind: fc.constant("lift" as const), invocationId, attempt: word }),
  fc.record({
    kind: fc.constant("cancel" as const),
    agent: name,
    invocationId,
    by: fc.option(fc.record({ task: fc.nat(1_023), arrivalNo: fc.maxSafeNat() }), {
      nil: undefined,
    }),
  }),
  fc.constant({ kind: "update" as const }),
);

/** Those of streams, traces, forks and waits have tests of their own. */
type PlainMessage = Exclude<
  AgentMessage,
  StreamMessage | TraceMessage | TaskWaitMessage | QuestionMessage | ForkFamilyMessage
>;

const subject = {
  invocationId,
  nodeInvocationId,
  parent: nodeInvocationId,
  attempt: word,
  sent: word,
};

const stallMessage: fc.Arbitrary<StallMessage> = fc.oneof(
  fc.record({ kind: fc.constant("look" as const), ids: fc.array(invocationId) }),
  fc.record({ kind: fc.constant("probe" as const), ...subject, task: fc.nat(0xfffe) }),
  fc.record({ kind: fc.constant("gone" as const), ...subject }),
  fc.record({ kind: fc.constant("missing" as const), ...subject }),
);

const waitsFor: fc.Arbitrary<WaitsForMessage> = fc.record({
  kind: fc.constant("waitsFor" as const),
  caller: invocationId,
  child: invocationId,
});

const message: fc.Arbitrary<PlainMessage> = fc.oneof(
  waitsFor,
  fc.record({
    kind: fc.constant("initiate" as const),
    agent: name,
    invocationId,
    subscribe: fc.boolean(),
    carried: bytes,
    key,
    input: bytes,
  }),
  fc.record({
    kind: fc.constant("run" as const),
    agent: name,
    invocationId,
    node: name,
    nodeInvocationId,
    scope: nodeInvocationId,
    attempt: word,
    carried: bytes,
    key,
    message: bytes,
  }),
  fc.record({
    kind: fc.constant("ack" as const),
    invocationId,
    nodeInvocationId,
    ...nodeRecord,
  }),
  fc.record({
    kind: fc.constant("await" as const),
    agent: name,
    invocationId,
    subscribe: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("metadata" as const),
    agent: name,
    invocationId,
    changes: bytes,
  }),
  fc.record({
    kind: fc.constant("forget" as const),
    done: fc.array(
      fc.record({
        prefix: fc.uint8Array({ minLength: 24, maxLength: 24 }),
        indexes: fc.array(word),
      }),
    ),
  }),
  fc.constant({ kind: "collect" as const }),
  attemptMessage,
  stallMessage,
  fc.record({ kind: fc.constant("mark" as const), arrivalNos: fc.array(fc.maxSafeNat()) }),
  fc.record({ kind: fc.constant("bury" as const), arrivalNo: fc.maxSafeNat(), recorded }),
  fc.record({ kind: fc.constant("replay" as const), letterNo: fc.maxSafeNat() }),
  fc.record({
    kind: fc.constant("revive" as const),
    letterNo: fc.maxSafeNat(),
    invocationId,
    nodeInvocationId,
    scope: nodeInvocationId,
  }),
  fc.record({ kind: fc.constant("revived" as const), letterNo: fc.maxSafeNat(), attempt: word }),
  fc.record({ kind: fc.constant("discard" as const), letterNo: fc.maxSafeNat() }),
  fc.record({
    kind: fc.constant("letters" as const),
    from: fc.maxSafeNat(),
    limit: word,
    agent: fc.oneof(name, fc.constant("")),
  }),
);

const letter = fc.record({
  letterNo: fc.maxSafeNat(),
  run: bytes,
  info: fc.record({
    agent: name,
    replaying: fc.boolean(),
    attempts: word,
    at: fc.maxSafeNat(),
    reason: fc.string({ unit: "grapheme" }),
    recorded,
    failures: fc.array(bytes),
    failuresLost: word,
  }),
});

const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ kind: fc.constant("result" as const), value: bytes }),
  fc.record({
    kind: fc.constant("failed" as const),
    reason: fc.string({ unit: "grapheme" }),
    failuresThen: word,
    failures: fc.array(bytes),
    failuresLost: word,
  }),
  fc.constant({ kind: "cancelled" as const }),
);

const fence: fc.Arbitrary<Fence> = fc.record({
  attempt: word,
  stop: fc.constantFrom(undefined, "cancelled" as const, "retried" as const),
  dueMs: fc.maxSafeNat(),
});

const reply: fc.Arbitrary<AwaitReply> = fc.oneof(
  fc.constant({ kind: "unknown" as const }),
  fc.constant({ kind: "pending" as const }),
  fc.record({ kind: fc.constant("ended" as const), outcome }),
);

function encode(sent: PlainMessage): Uint8Array {
  switch (sent.kind) {
    case "collect":
      return encodeCollect(sent);
    case "forget":
      return encodeForget(sent);
    case "initiate":
      return encodeInitiate(sent);
    case "run":
      return encodeRun(sent);
    case "ack":
      return encodeAck(sent);
    case "await":
      return encodeAwait(sent);
    case "failed":
    case "fence":
    case "giveUp":
    case "drop":
    case "lift":
    case "cancel":
    case "update":
      return encodeAttempt(sent);
    case "look":
    case "probe":
    case "gone":
    case "missing":
      return encodeStall(sent);
    case "waitsFor":
      return encodeWaitsFor(sent);
    case "metadata":
      return encodeMetadataMessage(sent);
    default:
      return encodePoison(sent);
  }
}

describe("messages — there and back", () => {
  it("every message is the same after it has been bytes", async () => {
    await check(
      fc.property(message, (sent) => {
        expect(decodeAgentMessage(encode(sent))).toEqual(sent);
      }),
    );
  });

  it("every reply and notice is the same after it has been bytes", async () => {
    await check(
      fc.property(reply, outcome, invocationId, nodeInvocationId, (sent, ended, id, node) => {
        expect(decodeReply(encodeReply(sent))).toEqual(sent);
        const notice = { kind: "outcome" as const, invocationId: id, outcome: ended };
        expect(decodeNotice(encodeNotice(notice))).toEqual(notice);
        const streamed = { kind: "streamed" as const, invocationId: id, nodeInvocationId: node };
        expect(decodeNotice(encodeNotice(streamed))).toEqual(streamed);
        const replayed = { kind: "replayed" as const, letterNo: id[0] ?? 0 };
        expect(decodeNotice(encodeNotice(replayed))).toEqual(replayed);
        const stopped = { kind: "stopped" as const, invocationId: id };
        expect(decodeNotice(encodeNotice(stopped))).toEqual(stopped);
      }),
    );
  });

  it("every fence and standing is the same after it has been bytes", async () => {
    const standings = fc.constantFrom("unknown" as const, "stopping" as const, "stopped" as const);
    await check(
      fc.property(fence, standings, (kept, standing) => {
        expect(decodeFence(encodeFence(kept))).toEqual(kept);
        expect(decodeStanding(encodeStanding(standing))).toBe(standing);
      }),
    );
  });

  it("an ack ends with the record of its node invocation, as it is kept", async () => {
    const acks = fc.record({
      kind: fc.constant("ack" as const),
      invocationId,
      nodeInvocationId,
      ...nodeRecord,
    });
    await check(
      fc.property(acks, (sent) => {
        const { kind: _kind, invocationId: _id, nodeInvocationId: _node, ...kept } = sent;
        expect(decodeNodeRecord(recordBytesOf(encodeAck(sent)))).toEqual(kept);
      }),
    );
  });

  it("every page of dead letters is the same after it has been bytes", async () => {
    await check(
      fc.property(fc.array(letter), fc.maxSafeNat(), (letters, next) => {
        expect(decodeLetterPage(encodeLetterPage({ letters, next }))).toEqual({ letters, next });
      }),
    );
  });

  it("undefined and null are messages, and stay apart", () => {
    expect(decodeMessage(encodeMessage(undefined, "x"))).toBe(undefined);
    expect(decodeMessage(encodeMessage(null, "x"))).toBe(null);
    expect(encodeMessage(undefined, "x").length).toBe(0);
    expect(encodeMessage("", "x").length).toBeGreaterThan(0);
  });
});

describe("messages — bytes that are none", () => {
  it("is a broken invariant, not an error that a caller could handle", () => {
    expect(() => decodeAgentMessage(Uint8Array.of(99))).toThrow(/message kind 99/);
    expect(() => decodeReply(Uint8Array.of(9))).toThrow(/reply 9/);
    expect(() => decodeNotice(Uint8Array.of(9))).toThrow(/notice 9/);
    expect(() => decodeReply(Uint8Array.of(2, 9))).toThrow(/outcome 9/);
    const ack = encodeAck({
      kind: "ack",
      invocationId: new Uint8Array(16),
      nodeInvocationId: { high: 0, low: 0 },
      node: "n",
      scope: { high: 0, low: 0 },
      attempt: 0,
      task: 0,
      end: { kind: "plain" },
      emits: [],
      gather: "",
      carry: new Uint8Array(0),
      trace: new Uint8Array(0),
    });
    expect(() => decodeRun(ack)).toThrow(/holds a message "ack"/);
    expect(() => decodeAgentMessage(ack.subarray(0, ack.length - 1))).toThrow(/leaves the/);
    ack[ack.length - 5] = 7;
    expect(() => decodeAgentMessage(ack)).toThrow(/node end 7/);
  });
});
