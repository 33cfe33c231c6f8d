// A bug here would look like this: an invocation whose reason of failure is lost, or a failure that
// takes a task down because it cannot be kept.

import { describe, expect, it } from "vitest";
import {
  decodeFailure,
  encodeFailure,
  errorOf,
  failureBytesMax,
  failureDetails,
  failureText,
} from "../../../agents/wire/failure.js";
import { PartitaError } from "../../../base/errors.js";

const where = { node: "debit", nodeInvocationId: "0123456789abcdef", attempt: 0 };

describe("failure — there and back", () => {
  it("keeps node, message, stack, code, details and causes", () => {
    const thrown = new PartitaError("CLOSED", { what: "x" }, { cause: new TypeError("below") });
    const failure = decodeFailure(encodeFailure(where, thrown));
    expect(failure).toMatchObject(where);
    expect(failureDetails(failure)).toEqual({
      node: "debit",
      attempt: 0,
      message: thrown.message,
      stack: thrown.stack,
    });
    const error = errorOf(failure);
    expect(PartitaError.is(error, "CLOSED")).toBe(true);
    expect(error).toMatchObject({ details: { what: "x" }, cause: { message: "below" } });
  });

  it.each([["a text"], [undefined], [null], [7n], [() => 1], [Symbol("s")], [{ deep: [{}] }]])(
    "keeps whatever was thrown: %s",
    (thrown) => {
      const failure = decodeFailure(encodeFailure(where, thrown));
      expect(failureDetails(failure).message).toMatch(/^thrown: |^\{/);
      expect(errorOf(failure)).toBeInstanceOf(Error);
    },
  );

  it("never takes more bytes than a failure may, whatever was thrown", () => {
    let thrown = new Error("x".repeat(1_000_000));
    for (let depth = 0; depth < 10; depth += 1) {
      thrown = new Error("y".repeat(1_000_000), { cause: thrown });
    }
    const bytes = encodeFailure(where, thrown);
    expect(bytes.length).toBeLessThanOrEqual(failureBytesMax);
    expect(decodeFailure(bytes).error.message).toMatch(/^yyyy/);
  });

  it("never throws for details that no value could hold", () => {
    const failures = Array.from({ length: 1_000 }, () => ({
      node: "n",
      attempt: 0,
      message: "m".repeat(16_000),
      stack: "s".repeat(16_000),
    }));
    const details = { agent: "a", invocationId: "i", reason: "r", failures, failuresLost: 0 };
    const bytes = encodeFailure(where, new PartitaError("INVOCATION_FAILED", details));
    expect(bytes.length).toBeLessThanOrEqual(failureBytesMax);
    expect(decodeFailure(bytes).error.code).toBe(null);
  });
});

describe("failure — text", () => {
  it("is <reason> (last failure: <first line of the last error>)", () => {
    const last = decodeFailure(encodeFailure(where, new Error("first line\nsecond line")));
    expect(failureText('Node "debit" failed', last)).toBe(
      'Node "debit" failed (last failure: first line)',
    );
  });

  it("names the kind of an error that says nothing", () => {
    const last = decodeFailure(encodeFailure(where, new RangeError()));
    expect(failureText("r", last)).toBe("r (last failure: RangeError)");
  });

  it("is the reason alone without a failure", () => {
    expect(failureText("Agent completed without result", undefined)).toBe(
      "Agent completed without result",
    );
  });
});
