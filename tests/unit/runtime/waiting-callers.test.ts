// Bugs here would look like callers that overtake each other, a lane that refuses callers for whom
// there is room, or one that takes more of them than the memory it may use.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import { noBytes, operation } from "../../../runtime/lane-encoding.js";
import { type WaitingCaller, WaitingCallers } from "../../../runtime/waiting-callers.js";
import { check } from "../../support/property.js";

const { laneWaitingMax, laneWaitingBytesMax } = limits;

/** A caller is known by its hash; what it says of its bytes is what counts. */
function caller(name: number, bytes: number): WaitingCaller {
  return {
    operation: operation.put,
    keyHash: name,
    bytes,
    judge: () => undefined,
    settle: () => {},
    table: 16,
    key: noBytes,
    argument: noBytes,
    stamp: undefined,
  };
}

describe("waiting callers — order", () => {
  it("gives out the one that has waited longest, and nobody when nobody waits", () => {
    const waiting = new WaitingCallers();
    expect(waiting.shift()).toBeUndefined();
    for (const name of [1, 2, 3]) waiting.push(caller(name, 10));
    expect([waiting.shift()?.keyHash, waiting.shift()?.keyHash]).toEqual([1, 2]);
    waiting.push(caller(4, 10));
    expect([waiting.shift()?.keyHash, waiting.shift()?.keyHash, waiting.length]).toEqual([3, 4, 0]);
    expect(waiting.shift()).toBeUndefined();
  });
});

describe("waiting callers — bounds (L5)", () => {
  it("has room for so many callers together, and no more", () => {
    const waiting = new WaitingCallers();
    expect(waiting.hasRoom(laneWaitingMax, 0)).toBe(true);
    expect(waiting.hasRoom(laneWaitingMax + 1, 0)).toBe(false);
    waiting.push(caller(1, 0));
    expect(waiting.hasRoom(laneWaitingMax - 1, 0)).toBe(true);
    expect(waiting.hasRoom(laneWaitingMax, 0)).toBe(false);
    waiting.shift();
    expect(waiting.hasRoom(laneWaitingMax, 0)).toBe(true);
  });

  it("has room for so many bytes together, of those that wait and those that would", () => {
    const waiting = new WaitingCallers();
    expect(waiting.hasRoom(1, laneWaitingBytesMax)).toBe(true);
    expect(waiting.hasRoom(1, laneWaitingBytesMax + 1)).toBe(false);
    waiting.push(caller(1, 100));
    waiting.push(caller(2, 1));
    expect(waiting.hasRoom(1, laneWaitingBytesMax - 101)).toBe(true);
    expect(waiting.hasRoom(1, laneWaitingBytesMax - 100)).toBe(false);
    waiting.shift();
    expect(waiting.hasRoom(1, laneWaitingBytesMax - 1)).toBe(true);
    expect(waiting.hasRoom(1, laneWaitingBytesMax)).toBe(false);
  });

  it("gives back the room of whoever leaves, in any order of coming and leaving", async () => {
    const step = fc.oneof(
      fc.record({ comes: fc.constant(true), bytes: fc.nat(1_000_000) }),
      fc.record({ comes: fc.constant(false), bytes: fc.nat(1_000_000) }),
    );
    const property = fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const waiting = new WaitingCallers();
      const model: { readonly name: number; readonly bytes: number }[] = [];
      for (const [name, { comes, bytes }] of steps.entries()) {
        if (comes) {
          waiting.push(caller(name, bytes));
          model.push({ name, bytes });
        } else expect(waiting.shift()?.keyHash).toBe(model.shift()?.name);
        const held = model.reduce((sum, each) => sum + each.bytes, 0);
        expect(waiting.length).toBe(model.length);
        expect(waiting.hasRoom(1, laneWaitingBytesMax - held)).toBe(true);
        expect(waiting.hasRoom(1, laneWaitingBytesMax - held + 1)).toBe(false);
        expect(waiting.hasRoom(laneWaitingMax - model.length, 0)).toBe(true);
        expect(waiting.hasRoom(laneWaitingMax - model.length + 1, 0)).toBe(false);
      }
    });
    await check(property, { runs: 100 });
  });
});
