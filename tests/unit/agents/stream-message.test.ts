import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeAgentMessage } from "../../../agents/wire/message.js";
import {
  decodeFollowReply,
  decodeStreamsReply,
  encodeFollowReply,
  encodeStream,
  encodeStreamsReply,
  type StreamMessage,
  type StreamState,
} from "../../../agents/wire/stream-message.js";
import { check } from "../../support/property.js";

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/);
const bytes = fc.uint8Array({ maxLength: 40 });
const word = fc.nat(2 ** 32 - 1);
const nodeInvocationId = fc.record({ high: word, low: word });
const subject = {
  agent: name,
  invocationId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  node: name,
};

const message: fc.Arbitrary<StreamMessage> = fc.oneof(
  fc.record({
    kind: fc.constant("chunks" as const),
    ...subject,
    nodeInvocationId,
    attempt: word,
    run: fc.record({ boot: word, no: word }),
    first: word,
    chunks: fc.array(bytes),
  }),
  fc.record({
    kind: fc.constant("follow" as const),
    ...subject,
    nodeInvocationId,
    generation: word,
    from: word,
  }),
  fc.record({ kind: fc.constant("streams" as const), ...subject, from: word, limit: word }),
);

const states: readonly StreamState[] = [
  "more",
  "open",
  "completed",
  "failed",
  "ended",
  "unknown",
  "other",
];
const state = fc.constantFrom(...states);

describe("stream messages — there and back", () => {
  it("every message is the same after it has been bytes", async () => {
    await check(
      fc.property(message, (sent) => {
        expect(decodeAgentMessage(encodeStream(sent))).toEqual(sent);
      }),
    );
  });

  it("every reply is the same after it has been bytes", async () => {
    const follow = fc.record({ state, generation: word, from: word, chunks: fc.array(bytes) });
    const streams = fc.record({ state, ids: fc.array(nodeInvocationId) });
    await check(
      fc.property(follow, streams, (one, other) => {
        expect(decodeFollowReply(encodeFollowReply(one))).toEqual(one);
        expect(decodeStreamsReply(encodeStreamsReply(other))).toEqual(other);
      }),
    );
  });
});
