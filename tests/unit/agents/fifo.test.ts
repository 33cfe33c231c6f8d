import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fifo } from "../../../agents/fifo.js";
import { check } from "../../support/property.js";

describe("fifo", () => {
  it("gives back in the order it was given, over any pushes and shifts", async () => {
    const steps = fc.array(fc.integer({ min: -3_000, max: 3_000 }), { maxLength: 30 });
    await check(
      fc.property(steps, (moves) => {
        const fifo = new Fifo<number>();
        const model: number[] = [];
        let next = 0;
        for (const move of moves) {
          for (let n = 0; n < Math.abs(move); n += 1) {
            if (move > 0) {
              fifo.push(next);
              model.push(next);
              next += 1;
            } else if (fifo.shift() !== model.shift()) return false;
          }
          if (fifo.length !== model.length) return false;
        }
        return true;
      }),
    );
  });

  it("is empty at first", () => {
    const fifo = new Fifo<string>();
    expect(fifo.shift()).toBe(undefined);
    expect(fifo.length).toBe(0);
  });
});
