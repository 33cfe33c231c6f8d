// Bugs here would look like messages out of order, dropped, or given twice after the buffer has
// grown.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Mailbox } from "../../../runtime/mailbox.js";
import { Ring } from "../../../runtime/ring.js";
import { check } from "../../support/property.js";

describe("ring — order and bound", () => {
  it("gives elements in the order they came, whatever it went through (R1)", async () => {
    const steps = fc.array(
      fc.oneof(
        fc.nat(90),
        fc.nat(90).map((count) => -count),
      ),
    );
    const property = fc.property(steps, (counts) => {
      const ring = new Ring<number>(10_000);
      const model: number[] = [];
      let next = 0;
      for (const count of counts) {
        for (let index = 0; index < count; index += 1) {
          ring.push(next);
          model.push(next);
          next += 1;
        }
        for (let index = 0; index < -count; index += 1) expect(ring.shift()).toBe(model.shift());
        expect(ring.length).toBe(model.length);
        expect(ring.peek()).toBe(model[0]);
        expect(ring.at(model.length - 1)).toBe(model.at(-1));
      }
    });
    await check(property, { runs: 100 });
  });

  it("refuses an element beyond its bound and keeps those it has (R2)", () => {
    const ring = new Ring<string>(2);
    ring.push("a");
    ring.push("b");
    expect(() => ring.push("c")).toThrow("a full ring was pushed");
    expect([ring.shift(), ring.shift(), ring.shift()]).toEqual(["a", "b", undefined]);
  });

  it("knows no element before its first and behind its last", () => {
    const ring = new Ring<string>(2);
    ring.push("a");
    expect([ring.at(-1), ring.at(0), ring.at(1)]).toEqual([undefined, "a", undefined]);
  });

  it("needs room for one element", () => {
    expect(() => new Ring(0)).toThrow("room for one element");
  });
});

describe("mailbox — order and bound", () => {
  const section = (size: number, thread = 0) => ({
    origin: { kind: "lane", thread } as const,
    body: new Uint8Array(size),
    firstSequence: 0,
  });

  it("gives sections in the order they arrived, each once, and counts their bytes (M1, M2)", () => {
    const mailbox = new Mailbox(10);
    const sections = [section(3, 1), section(5, 2), section(7, 1)];
    for (const each of sections) mailbox.push(each);
    expect([mailbox.length, mailbox.bytes]).toEqual([3, 15]);
    expect(mailbox.peek()).toBe(sections[0]);
    expect([mailbox.shift(), mailbox.shift(), mailbox.shift()]).toEqual(sections);
    expect([mailbox.shift(), mailbox.length, mailbox.bytes]).toEqual([undefined, 0, 0]);
  });

  it("treats a sender beyond its window as a broken invariant (M3)", () => {
    const mailbox = new Mailbox(1);
    mailbox.push(section(1));
    expect(() => mailbox.push(section(1))).toThrow("a full ring was pushed");
  });
});
