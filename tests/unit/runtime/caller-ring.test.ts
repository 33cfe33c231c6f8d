// Bugs here would look like a reply given to another caller, or judged as another operation's.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CallerRing } from "../../../runtime/caller-ring.js";
import { operation } from "../../../runtime/lane-encoding.js";
import type { Judge, Settle } from "../../../runtime/settle.js";
import { check } from "../../support/property.js";

interface Pushed {
  readonly keyHash: number;
  readonly bytes: number;
  readonly judge: Judge<number>;
  readonly settle: Settle;
}

function caller(number: number): Pushed {
  const keyHash = 4_000_000_000 + number;
  return { keyHash, bytes: 70_000 + number, judge: () => number, settle: () => {} };
}

function push(ring: CallerRing, { keyHash, bytes, judge, settle }: Pushed): void {
  ring.push(operation.update, keyHash, bytes, judge, settle);
}

describe("caller ring — order and bound", () => {
  it("gives callers in the order they came, with what is theirs, through growth (K1)", async () => {
    const steps = fc.array(fc.integer({ min: -90, max: 90 }));
    const property = fc.property(steps, (counts) => {
      const ring = new CallerRing(10_000);
      const model: Pushed[] = [];
      let next = 0;
      for (const count of counts) {
        for (let index = 0; index < count; index += 1) {
          const one = caller(next);
          push(ring, one);
          model.push(one);
          next += 1;
        }
        for (let index = 0; index < -count && model.length > 0; index += 1) {
          const { keyHash, bytes, judge } = ring;
          const settle = ring.shift();
          expect({ keyHash, bytes, judge, settle }).toEqual(model.shift());
        }
        expect(ring.length).toBe(model.length);
        expect(ring.operation).toBe(model.length === 0 ? 0 : operation.update);
      }
    });
    await check(property, { runs: 100 });
  });

  it("refuses a caller beyond its bound and keeps those it has (K3)", () => {
    const ring = new CallerRing(1);
    const first = caller(1);
    push(ring, first);
    expect(() => push(ring, caller(2))).toThrow("a full ring was pushed");
    expect(ring.shift()).toBe(first.settle);
  });

  it("holds nothing of a caller who has left (K2)", () => {
    const ring = new CallerRing(64);
    // Once around: the oldest slot is the first one again.
    for (let number = 0; number < 64; number += 1) push(ring, caller(number));
    while (ring.length > 0) ring.shift();
    expect(() => ring.judge).toThrow("every caller has a judge");
  });

  it("has nobody to give when it is empty", () => {
    const ring = new CallerRing(4);
    push(ring, caller(1));
    ring.shift();
    expect(() => ring.shift()).toThrow("an empty ring");
  });
});
