// Bugs here would look like two calls under one id, or one call under two.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import {
  callId,
  callIdMs,
  formatCallId,
  newCallId,
  parseCallId,
} from "../../../runtime/call-id.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { check } from "../../support/property.js";

const nowMs = 1_764_000_000_000;
const source = { now: () => nowMs, random: seededRandom(5) };

describe("call ids — what they are", () => {
  it("are UUIDs of version 7 that carry the time at which they were made", () => {
    const id = newCallId(source);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(callIdMs(parseCallId("a test", id, nowMs))).toBe(nowMs);
  });

  it("differ from call to call within a millisecond", () => {
    const made = Array.from({ length: 2_000 }, () => newCallId(source));
    expect(new Set(made).size).toBe(made.length);
  });

  it("come back as they were from their bytes, and sort by their time", async () => {
    const at = fc.integer({ min: 0, max: nowMs });
    const property = fc.property(fc.string({ minLength: 1 }), at, at, (name, one, other) => {
      const first = parseCallId("a test", callId(name, one), nowMs);
      const second = parseCallId("a test", callId(name, other), nowMs);
      expect(formatCallId(first)).toBe(callId(name, one));
      if (one !== other) {
        expect(Math.sign(Buffer.compare(first, second))).toBe(Math.sign(one - other));
      }
    });
    await check(property);
  });
});

describe("call ids — of calls with a name", () => {
  it("are the same for the same name and time, and for nothing else", () => {
    const at = new Date(nowMs);
    expect(callId("order-7", at)).toBe(callId("order-7", nowMs));
    expect(callId("order-7", nowMs)).not.toBe(callId("order-8", nowMs));
    expect(callId("order-7", nowMs)).not.toBe(callId("order-7", nowMs + 1));
  });

  it.each([
    ["", nowMs],
    [7, nowMs],
    ["order", Number.NaN],
    ["order", -1],
    ["order", 0.5],
    ["order", new Date(Number.NaN)],
  ])("refuse the name %j at %s", (name, at) => {
    // cast: what a JavaScript caller could pass
    expect(() => callId(name as string, at)).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  });
});

describe("call ids — texts that are none", () => {
  it.each([
    ["order-7"],
    [""],
    [7],
    [undefined],
    ["0190b3c5-3a2e-4f4e-8b1e-3f0c1e2d4a5b"],
    ["0190B3C5-3A2E-7F4E-8B1E-3F0C1E2D4A5B"],
    ["0190b3c5-3a2e-7f4e-cb1e-3f0c1e2d4a5b"],
  ])("%j is refused with what would be valid", (text) => {
    expect(() => parseCallId("put", text, nowMs)).toThrow(
      expect.objectContaining({
        code: "ID_INVALID",
        details: expect.objectContaining({ where: "put" }),
      }),
    );
  });

  it("a time beyond what clocks differ by is refused: such an id would stay for ever", () => {
    const ahead = callId("x", nowMs + limits.callAheadMsMax);
    expect(formatCallId(parseCallId("put", ahead, nowMs))).toBe(ahead);
    expect(() => parseCallId("put", callId("x", nowMs + limits.callAheadMsMax + 1), nowMs)).toThrow(
      expect.objectContaining({ code: "ID_INVALID" }),
    );
  });
});
