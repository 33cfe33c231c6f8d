import { describe, expect, it } from "vitest";
import { PartitaError } from "../../../base/errors.js";
import { assert, assertNever, InvariantViolation } from "../../../base/invariant.js";

describe("invariant — assertions", () => {
  it("throws an InvariantViolation with the message when the condition is false", () => {
    expect(() => assert(1 > 2, "one is not above two")).toThrow(InvariantViolation);
    expect(() => assert(1 > 2, "one is not above two")).toThrow("one is not above two");
  });

  it("builds a lazy message only when it fails", () => {
    let built = 0;
    const message = (): string => `built ${++built}`;
    assert(true, message);
    expect(built).toBe(0);
    expect(() => assert(false, message)).toThrow("built 1");
  });

  it("narrows the type of what it asserts", () => {
    const value: string | undefined = ["a"][0];
    assert(value !== undefined, "there is a value");
    expect(value.length).toBe(1);
  });

  it("names the value that no case was written for", () => {
    // cast: what a switch without a case would see
    expect(() => assertNever("late" as never, "event")).toThrow("unexpected event: late");
  });

  it("is no PartitaError: nobody should handle it", () => {
    const violation = new InvariantViolation("broken");
    expect(PartitaError.is(violation)).toBe(false);
    expect(violation.name).toBe("InvariantViolation");
    expect(violation.stack).toContain("InvariantViolation: broken");
  });
});
