// The wire form of errors: bounded, plain, and never in the way of the failure that it reports.

import { describe, expect, it } from "vitest";
import { fromWire, toWire } from "../../../base/error-wire.js";
import { PartitaError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { decodeValue, encodeValue } from "../../../store/value.js";

function hop(error: unknown): Error {
  // cast: it is the wire form that was encoded
  return fromWire(decodeValue(encodeValue(toWire(error))) as ReturnType<typeof toWire>);
}

describe("error wire — PartitaErrors", () => {
  it("keeps code, details, message, stack and the chain of causes", () => {
    const root = new RangeError("too far");
    const middle = new PartitaError("UPDATE_THREW", { store: "s", update: "u" }, { cause: root });
    const error = new PartitaError("CLOSED", { what: "runtime" }, { cause: middle });
    const arrived = hop(error);
    expect(PartitaError.is(arrived, "CLOSED")).toBe(true);
    expect(arrived).toEqual(error);
    expect(arrived.stack).toBe(error.stack);
    expect(PartitaError.is(arrived.cause, "UPDATE_THREW")).toBe(true);
    const last = (arrived.cause as Error).cause; // cast: it was just recognised
    expect(last).toBeInstanceOf(Error);
    expect(last).toMatchObject({ name: "RangeError", message: "too far", stack: root.stack });
    expect(PartitaError.is(last)).toBe(false);
  });

  it("keeps a message in other words", () => {
    const error = new PartitaError("CLOSED", { what: "x" }, { message: "gone" });
    expect(hop(error).message).toBe("gone");
  });

  it("prints as it did before", () => {
    const error = new PartitaError("CLOSED", { what: "runtime" });
    expect(Object.keys(hop(error))).toEqual(Object.keys(error));
    expect(String(hop(error))).toBe(String(error));
  });
});

describe("error wire — what else is thrown", () => {
  it("makes a plain Error of anything, and keeps its words", () => {
    expect(hop(new TypeError("no"))).toMatchObject({ name: "TypeError", message: "no" });
    expect(hop("boom")).toMatchObject({ name: "NonError", message: 'thrown: "boom"' });
    expect(hop(undefined).message).toBe("thrown: undefined");
    expect(hop({ reason: 7 }).message).toBe("{ reason: 7 }");
    expect(hop(Object.assign(new Error("x"), { code: "CLOSED" }))).not.toHaveProperty("code");
  });

  it("survives getters, proxies and causes that throw or go round in a circle", () => {
    const angry = new Proxy(new Error("x"), {
      get() {
        throw new Error("do not look");
      },
      has() {
        throw new Error("do not ask");
      },
    });
    expect(hop(angry)).toBeInstanceOf(Error);
    const circle: Error & { cause?: unknown } = new Error("round");
    circle.cause = circle;
    let depth = 0;
    for (let at: unknown = hop(circle); at instanceof Error; at = at.cause) depth += 1;
    expect(depth).toBe(limits.errorCauseDepthMax);
  });

  it("bounds texts and lists, and replaces lone surrogates", () => {
    const wire = toWire(new Error(`\ud800${"x".repeat(1_000_000)}`));
    expect(Buffer.byteLength(wire.message)).toBeLessThanOrEqual(limits.errorTextBytesMax);
    expect(wire.message.startsWith("\ufffdxxx")).toBe(true);
    expect(wire.message).toContain("(cut: the text took");
    const known = new Array(5_000).fill("name");
    const many = toWire(new PartitaError("STORE_UNKNOWN", { store: "s", known }));
    const { known: kept } = many.details as { known: string[] }; // cast: as given
    expect(kept.length).toBe(limits.errorListMax);
    expect(() => encodeValue(many)).not.toThrow();
  });

  it("turns details that are no data into text", () => {
    const details = { what: "x", extra: () => 1, self: {} };
    details.self = details;
    const wire = toWire(new PartitaError("CLOSED", details));
    expect(wire.details).toMatchObject({ what: "x", extra: "the function extra" });
    expect(() => encodeValue(wire)).not.toThrow();
  });
});
