// Bugs here would look like a fault in a sender's row that nobody names, or that is named wrongly.
import { describe, expect, it } from "vitest";
import { assertPerKeyOrder, checkPerKeyOrder, type OrderedEvent } from "../../../testing/index.js";

/** `"1 2 3"`: what one sender sent to one key, as it was applied. */
function events(numbers: string, sender = "s", key = "k"): OrderedEvent[] {
  return numbers.split(" ").map((number) => ({ sender, key, number: Number(number) }));
}

function messages(found: readonly OrderedEvent[], options = {}): readonly string[] {
  return checkPerKeyOrder(found, options).violations.map(
    ({ rule, message }) => `${rule}: ${message}`,
  );
}

const of = (number: number) => `number ${number} of "s" for key "k"`;

describe("per-key order — rows without a fault", () => {
  it("are rows of each sender and key, in whatever way they are mixed", () => {
    const [one, other, third] = [events("1 2 3"), events("1 2 3", "t"), events("1 2", "s", "l")];
    const mixed = one.flatMap((event, i) => [event, other[i] ?? event, ...third.slice(i, i + 1)]);
    expect(checkPerKeyOrder(mixed)).toEqual({
      outcome: "holds",
      violations: [],
      violationCount: 0,
      checked: 8,
    });
  });

  it("may go on from an earlier history", () => {
    const after = (sender: string) => (sender === "s" ? 7 : 0);
    expect(messages(events("8 9"), { after })).toEqual([]);
    expect(messages(events("9"), { after })).toEqual([
      `gap: ${of(9)} was applied, but number 8 never was`,
    ]);
  });
});

describe("per-key order — faults", () => {
  it.each([
    ["1 2 2 3", [`duplicate: ${of(2)} was applied again`]],
    ["1 1", [`duplicate: ${of(1)} was applied again`]],
    ["1 3", [`gap: ${of(3)} was applied, but number 2 never was`]],
    ["4", [`gap: ${of(4)} was applied, but numbers 1 to 3 never was`]],
    ["1 3 2 4", [`reordered: ${of(2)} was applied after number 3`]],
    [
      "1 5 3 3",
      [
        `reordered: ${of(3)} was applied after number 5`,
        `duplicate: ${of(3)} was applied again`,
        `gap: ${of(5)} was applied, but number 2 never was`,
        `gap: ${of(5)} was applied, but number 4 never was`,
      ],
    ],
  ])("are named: %s", (numbers, expected) => {
    expect(messages(events(numbers))).toEqual(expected);
  });

  it("include what was acknowledged and never came", () => {
    const acknowledged = events("1 2 3");
    expect(messages(events("1 2"), { acknowledged })).toEqual([
      `lost: ${of(3)} was acknowledged and never applied`,
    ]);
    expect(messages(events("1 2 3 4"), { acknowledged })).toEqual([]);
    expect(messages([], { acknowledged: events("1") })).toHaveLength(1);
    expect(messages(events("1 3"), { acknowledged: events("2") })).toHaveLength(2);
  });

  it("throw when that is asked for", () => {
    expect(() => assertPerKeyOrder(events("1 2"))).not.toThrow();
    expect(() => assertPerKeyOrder(events("1 1"))).toThrow(
      `not in order: 1 violation in 2\n  duplicate: ${of(1)} was applied again`,
    );
  });

  it("are not searched for in numbers that are none", () => {
    expect(() => checkPerKeyOrder(events("0"))).toThrow(/events\[0\]\.number/);
    expect(() => checkPerKeyOrder([], { acknowledged: events("1.5") })).toThrow(
      /acknowledged\[0\]\.number/,
    );
  });
});
