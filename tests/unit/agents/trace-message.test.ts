import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeAgentMessage } from "../../../agents/wire/message.js";
import { decodeTrace, encodeTrace, operationTypes } from "../../../agents/wire/node-trace.js";
import {
  decodeTracePage,
  encodeTraceMessage,
  encodeTracePage,
} from "../../../agents/wire/trace-message.js";
import { check } from "../../support/property.js";

const bytes = fc.uint8Array({ maxLength: 40 });
const word = fc.nat(2 ** 32 - 1);
const nodeInvocationId = fc.record({ high: word, low: word });

const message = fc.record({
  kind: fc.constant("trace" as const),
  agent: fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/),
  invocationId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  nodes: fc.array(fc.record({ id: nodeInvocationId, gathered: nodeInvocationId })),
});

const page = fc.record({
  nodes: fc.array(
    fc.record({
      record: bytes,
      origin: bytes,
      failed: fc.array(bytes),
      inputCount: fc.maxSafeNat(),
      inputs: fc.array(bytes),
    }),
  ),
  root: nodeInvocationId,
  failed: fc.record({ failures: fc.array(bytes), failuresLost: word }),
});

/** From the start of a run on. */
const epochMs = 1_700_000_000_000;
const times = fc.tuple(fc.nat(1_000_000), fc.nat(1_000_000)).map(([after, durationMs]) => {
  return { startedMs: epochMs + after, finishedMs: epochMs + after + durationMs };
});
const operation = fc
  .tuple(fc.constantFrom(...operationTypes), times, bytes)
  .map(([type, time, info]) => ({ type, ...time, info }));

describe("traces — there and back", () => {
  it("messages and pages are the same after they have been bytes", async () => {
    await check(
      fc.property(message, page, (sent, told) => {
        expect(decodeAgentMessage(encodeTraceMessage(sent))).toEqual(sent);
        expect(decodeTracePage(encodeTracePage(told))).toEqual(told);
      }),
    );
  });

  it("what a run did is the same after it has been bytes", async () => {
    await check(
      fc.property(fc.array(operation), word, fc.nat(1_000), (operations, lost, durationMs) => {
        const trace = {
          startedMs: epochMs,
          finishedMs: epochMs + durationMs,
          operations,
          operationsLost: lost,
        };
        expect(decodeTrace(encodeTrace(trace))).toEqual(trace);
      }),
    );
  });

  it("no bytes are no trace", () => {
    expect(decodeTrace(new Uint8Array(0))).toBe(undefined);
  });
});
