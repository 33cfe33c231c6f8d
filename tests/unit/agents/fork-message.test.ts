import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeKin,
  encodeForkMessage,
  encodeKin,
  type ForkFamilyMessage,
} from "../../../agents/wire/fork-message.js";
import { decodeAgentMessage } from "../../../agents/wire/message.js";
import { check } from "../../support/property.js";

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/);
const bytes = fc.uint8Array({ maxLength: 40 });
const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
const word = fc.nat(2 ** 32 - 1);

const message: fc.Arbitrary<ForkFamilyMessage> = fc.oneof(
  fc.record({
    kind: fc.constant("fork" as const),
    agent: name,
    parent: id,
    invocationId: id,
    changes: fc.array(
      fc.record({
        id: fc.record({ high: word, low: word }),
        node: name,
        key: fc.option(fc.uint8Array({ minLength: 1, maxLength: 1_976 }), { nil: undefined }),
        message: bytes,
      }),
    ),
  }),
  fc.record({ kind: fc.constant("forkStep" as const), invocationId: id }),
  fc.record({ kind: fc.constant("kin" as const), agent: name, invocationId: id }),
);

const kin = fc.record({
  parent: fc.option(id, { nil: undefined }),
  forks: fc.array(id),
});

describe("fork messages — there and back", () => {
  it("messages and replies are the same after they have been bytes", async () => {
    await check(
      fc.property(message, kin, (sent, told) => {
        expect(decodeAgentMessage(encodeForkMessage(sent))).toEqual(sent);
        expect(decodeKin(encodeKin(told))).toEqual(told);
      }),
    );
  });
});
