// Bugs here would look like a sentence about two calls that do not contradict each other, or like
// silence about two that do.
import { describe, expect, it } from "vitest";
import { checkLinearizable, type VersionedOperation } from "../../../testing/index.js";

type Note = VersionedOperation;

const never = Number.POSITIVE_INFINITY;

function write(
  version: number | undefined,
  invoked: number,
  returned: number,
  value?: string,
): Note {
  return { kind: "write", key: "k", version, invoked, returned, value: value ?? `w${version}` };
}

function read(version: number, invoked: number, returned: number, value?: string): Note {
  const mark = value ?? (version === 0 ? undefined : `w${version}`);
  return { kind: "read", key: "k", version, invoked, returned, value: mark };
}

const writes = [write(1, 10, 20), write(2, 30, 40), write(3, 50, 60)];

function rules(history: readonly Note[], options = {}): readonly string[] {
  return checkLinearizable(history, options).violations.map(({ rule }) => rule);
}

describe("versioned history — what contradicts nothing", () => {
  it("lets reads see the newest or a concurrent write", () => {
    expect(rules([...writes, read(0, 1, 15), read(1, 12, 29), read(3, 55, 56)])).toEqual([]);
  });

  it("takes operations that meet at one instant for concurrent ones", () => {
    expect(rules([...writes, read(0, 5, 10), read(1, 20, 20), read(1, 40, 40)])).toEqual([]);
  });

  it("compares keys with nothing but themselves", () => {
    const other = writes.map((note) => ({ ...note, key: "other", invoked: 0, returned: 5 }));
    expect(rules([...writes, ...other])).toEqual([]);
    expect(checkLinearizable([...writes, ...other]).checked).toBe(6);
  });

  it("starts where the history starts", () => {
    const initial = new Map([["k", 2]]);
    expect(rules([read(2, 41, 45, "before"), write(3, 50, 60)], { initial })).toEqual([]);
    expect(rules([read(1, 41, 45)], { initial })).toEqual(["before start"]);
    expect(rules([write(2, 41, 45)], { initial })).toEqual(["before start"]);
    expect(rules([write(4, 41, 45)], { initial })).toEqual(["lost write"]);
  });

  it("takes gaps for nothing when versions only rise", () => {
    const sparse = [write(7, 10, 20), write(90, 30, 40), read(90, 50, 60)];
    expect(rules(sparse, { versions: "increasing" })).toEqual([]);
    expect(rules(sparse)).toEqual(["lost write", "lost write"]);
    expect(rules([...sparse, read(7, 50, 60)], { versions: "increasing" })).toEqual(["stale"]);
  });
});

describe("versioned history — what contradicts itself", () => {
  it.each([
    ["a lost write", ["two writes"], [write(1, 10, 20), write(1, 30, 40, "x")]],
    ["a write that vanished", ["lost write"], [write(1, 10, 20), write(3, 30, 40)]],
    ["a stale read", ["stale"], [...writes, read(1, 41, 45)]],
    ["a read of nothing after a write", ["stale"], [...writes, read(0, 21, 25)]],
    ["a read of the future", ["future"], [...writes, read(2, 21, 25)]],
    ["two reads that go back in time", ["stale"], [...writes, read(2, 32, 33), read(1, 34, 35)]],
    ["writes against their order", ["stale"], [write(2, 10, 20), write(1, 30, 40)]],
    ["a value of another write", ["other value"], [...writes, read(2, 41, 45, "w1")]],
    [
      "two values of one version",
      ["other value"],
      [...writes, read(2, 41, 45, "w2"), read(2, 41, 45, "w1")],
    ],
    ["a version that nobody wrote", ["unwritten"], [...writes, read(4, 61, 65)]],
  ])("finds %s", (_what, expected, history) => {
    expect(rules(history)).toEqual(expected);
  });

  it("says in a sentence who saw what, and hands over the operations", () => {
    const stale = { ...read(1, 41, 45), client: "ada", call: 3 };
    const { outcome, violations, violationCount } = checkLinearizable([...writes, stale]);

    expect(outcome).toBe("violated");
    expect(violationCount).toBe(1);
    expect(violations[0]?.message).toBe(
      'ada/3 read version 1 of key "k" ("w1") [41, 45] after this had returned: ' +
        'somebody wrote version 2 of key "k" ("w2") [30, 40]',
    );
    expect(violations[0]?.operations).toEqual([stale, writes[1]]);
    expect(violations[0]?.operations[0]).toBe(stale);
  });

  it("keeps as many violations as asked, and counts the others", () => {
    const keys = Array.from({ length: 9 }, (_, i) => ({ ...read(4, 1, 2), key: `k${i}` }));
    const { violations, violationCount } = checkLinearizable(keys, {
      violationsMax: 2,
      versions: "increasing",
    });

    expect(violations).toHaveLength(2);
    expect(violationCount).toBe(9);
  });
});

describe("versioned history — a client's own operations", () => {
  const own = (note: Note, call: number): Note => ({ ...note, client: "c", call });

  it("must show what it wrote before, awaited or not", () => {
    const overlapping = [write(1, 10, 20), own(write(2, 30, 60), 1), own(read(1, 31, 40), 2)];
    expect(rules(overlapping)).toEqual(["own operations"]);
    expect(rules(overlapping.map(({ call: _, ...note }) => note))).toEqual([]);
  });

  it("are taken in the order of their numbers, whatever the order of the list", () => {
    const [first, second] = [own(write(1, 10, 60), 1), own(write(2, 11, 60), 2)];
    expect(rules([second, first])).toEqual([]);
    const swapped = [own(write(2, 10, 60), 1), own(write(1, 11, 60), 2)];
    expect(rules(swapped)).toEqual(["own operations"]);
  });
});

describe("versioned history — unknown outcomes", () => {
  it("leaves out what nobody has seen", () => {
    expect(rules([...writes, write(undefined, 35, never, "lost")])).toEqual([]);
    expect(rules([...writes, write(4, 35, never, "lost")])).toEqual([]);
    expect(rules([...writes, { ...read(1, 70, never), version: undefined }])).toEqual([]);
  });

  it("finds the version of a write by the value that was read", () => {
    const unknown = write(undefined, 62, never, "x");
    expect(rules([...writes, unknown, read(4, 70, 75, "x")])).toEqual([]);
    // It had not been invoked yet when it was read.
    expect(rules([...writes, unknown, read(4, 61, 61, "x")])).toEqual(["future"]);
    // Once it has been read it stays.
    expect(rules([...writes, unknown, read(4, 70, 75, "x"), read(3, 76, 77)])).toEqual(["stale"]);
  });

  it("notices when one write was applied twice", () => {
    const unknown = write(undefined, 5, never, "x");
    const twice = [write(1, 1, 4), unknown, read(2, 10, 11, "x"), read(3, 20, 21, "x")];
    expect(rules(twice)).toEqual(["unwritten"]);
    const known = [write(1, 1, 4), write(3, 5, 9), read(2, 6, 7, "w1")];
    expect(rules(known)).toEqual(["unwritten"]);
  });

  it("lets it stand for a version that nobody has read, if it was invoked in time", () => {
    const gap = [write(1, 10, 20), write(3, 30, 40)];
    expect(rules([...gap, write(undefined, 40, never, "x")])).toEqual([]);
    expect(rules([...gap, write(undefined, 41, never, "x")])).toEqual(["lost write"]);
    // Version 3 was over late, but version 4 says that it had happened by 40.
    const early = [write(1, 10, 20), write(3, 30, 90), write(4, 30, 40)];
    expect(rules([...early, write(undefined, 40, never, "x")])).toEqual([]);
    expect(rules([...early, write(undefined, 41, never, "x")])).toEqual(["lost write"]);
    const wide = [write(1, 10, 20), write(4, 30, 40), write(undefined, 5, never, "x")];
    expect(rules(wide)).toEqual(["lost write"]);
    expect(rules([...wide, write(undefined, 6, never, "y")])).toEqual([]);
  });

  it("lets a write that was not read be written again under the same version", () => {
    const again = [write(1, 10, 20), write(2, 30, never, "lost"), write(2, 50, 60, "again")];
    expect(rules([...again, read(2, 61, 62, "again")])).toEqual([]);
    expect(rules([...again, read(2, 61, 62, "lost")])).toEqual(["other value"]);
  });
});

describe("versioned history — unknown outcomes that were read", () => {
  const unknown = write(undefined, 50, never, "x");

  it("count with the time at which they were invoked", () => {
    const first = [write(2, 10, 40), read(1, 30, 61, "x"), unknown];
    expect(rules(first)).toEqual(["stale"]);
    expect(rules([write(2, 10, 50), read(1, 30, 61, "x"), unknown])).toEqual([]);
  });

  it("are found by the first of the reads that returned", () => {
    const reads = [read(1, 60, 70, "x"), read(1, 30, 45, "x")];
    expect(rules([unknown, ...reads])).toEqual(["future"]);
    expect(rules([unknown, ...reads.toReversed()])).toEqual(["future"]);
  });

  it("have the version that they name, if they name one", () => {
    const named = { ...unknown, version: 1 };
    expect(rules([named, read(1, 60, 70, "x")])).toEqual([]);
    expect(rules([write(1, 1, 2), named, read(2, 60, 70, "x")])).toEqual(["unwritten"]);
  });

  it("stand for one version each, also when they have one value", () => {
    const twins = [unknown, unknown, read(1, 60, 70, "x"), write(3, 80, 90)];
    expect(rules(twins)).toEqual([]);
    expect(rules(twins.slice(1))).toEqual(["lost write"]);
    expect(rules([...twins, write(5, 91, 92)])).toEqual(["lost write"]);
  });
});

describe("versioned history — what is no history", () => {
  it.each([
    ["returned", { ...write(1, 10, 20), returned: 9 }],
    ["returned", { ...write(1, 10, 20), returned: Number.NaN }],
    ["invoked", { ...write(1, 10, 20), invoked: Number.NaN }],
    ["invoked", { ...write(1, 10, 20), invoked: never, returned: never }],
    ["version", write(0, 10, 20)],
    ["version", read(1.5, 10, 20)],
    ["version", read(-1, 10, 20)],
  ])("is refused, naming the operation and its %s", (field, wrong) => {
    const details = { where: "checkLinearizable", option: `history[1].${field}` };
    expect(() => checkLinearizable([write(1, 1, 2), wrong])).toThrow(
      expect.objectContaining({
        code: "OPTION_INVALID",
        details: expect.objectContaining(details),
      }),
    );
  });
});
