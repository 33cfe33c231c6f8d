// Torture — what is told of a process is compared as it must be: made-up losses, duplicates,
// reorderings and tears are noticed, each as what it is, and nothing else is.

import { describe, expect, it } from "vitest";
import { isWhole, makeBody, mark } from "../../../trials/torture/body.js";
import { chooseFate } from "../../../trials/torture/fate.js";
import { accountNames, isDelete, registerNames, windows } from "../../../trials/torture/orders.js";
import { Expectations } from "../../../trials/torture/record/expectations.js";
import type { Account, LedgerEntry } from "../../../trials/torture/topology.js";
import { seededRandom } from "../../../testing/seeded-random.js";

class Told {
  nowMs = 1_000;
  readonly said: string[] = [];
  readonly expectations = new Expectations(
    (line) => this.said.push(line),
    () => this.nowMs,
  );

  acks(...lines: readonly string[]): this {
    for (const line of lines) this.expectations.hear("ack", line);
    return this;
  }

  finds(...lines: readonly string[]): this {
    for (const line of lines) this.expectations.hear("found", line);
    return this;
  }

  /** Everything that was said of the comparison. */
  judged(): readonly string[] {
    this.expectations.judge();
    return this.said.splice(0);
  }
}

const deletesOf = (name: string): readonly number[] =>
  Array.from({ length: 60 }, (_, index) => index + 1).filter((n) => isDelete(mark(name, n)));

/** A register whose first delete comes late, and stands alone. */
const key =
  registerNames.find((name) => {
    const [first = 0, second = 60] = deletesOf(name);
    return first > 20 && second > first + windows.registers + 2;
  }) ?? "";
const [gone = 0] = deletesOf(key);

describe("torture — registers", () => {
  it("takes the newest acknowledged write, and whatever a window holds behind it", () => {
    const { registers: window } = windows;
    for (const n of [5, 6, 5 + window]) {
      const told = new Told().acks(`registers ${key} 5`).finds(`registers ${key} ${n} 0 1`);
      expect(told.judged()).toEqual([]);
    }
  });

  it("takes what a delete within the window has left", () => {
    const told = new Told().acks(`registers ${key} ${Math.max(1, gone - 1)}`);
    expect(told.judged()).toEqual([]);
  });

  it.each([
    ["an older write", [`registers ${key} 5`], [`registers ${key} 4 0 1`], /^lost: .*5 was ack/],
    ["nothing", [`registers ${key} ${gone + 1}`], [], /^lost: .*nothing is there/],
    ["a write of the future", [], [`registers ${key} 400 0 1`], /^torn: .*nobody can have/],
    ["a value under a delete's number", [], [`registers ${key} ${gone} 0 1`], /^torn|^lost/],
    ["a write that did not find the one before", [], [`registers ${key} 1 1 1`], /^reordered/],
    ["half a body", [], [`registers ${key} 1 0 0`], /^torn: .*not whole/],
  ])("finds %s", (_what, acked, found, sentence) => {
    const said = new Told()
      .acks(...acked)
      .finds(...found)
      .judged();
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(sentence);
  });

  it("goes on from what was there, over lives that acknowledge nothing", () => {
    const told = new Told().acks(`registers ${key} 5`).finds(`registers ${key} 6 0 1`);
    expect(told.judged()).toEqual([]);
    const { next, after } = told.expectations.load(1).registers[key] ?? { next: 0, after: 0 };
    expect(after).toBe(6);
    expect(next).toBeGreaterThan(5 + windows.registers);
    expect(told.finds(`registers ${key} 6 0 1`).judged()).toEqual([]);
    expect(told.finds(`registers ${key} 5 0 1`).judged()).toEqual([
      expect.stringMatching(/^lost: .*6 was acknowledged, 5 is there/),
    ]);
  });

  it("forgets what a recovery that was cut off has found", () => {
    const told = new Told().acks(`registers ${key} 5`).finds(`registers ${key} 3 0 1`);
    told.expectations.forget();
    expect(told.finds(`registers ${key} 5 0 1`).judged()).toEqual([]);
  });
});

describe("torture — numbers and rounds", () => {
  const inbox = (last: Record<string, number>, breaks = 0, repeats = 0): string =>
    `inboxes inbox-0 ${JSON.stringify({ last, breaks, repeats })}`;

  const cleared = ["scratch put scratch-1 4", "scratch clearing 4", "scratch cleared 4"];

  it.each([
    ["a ticket that was taken twice", [], [`tickets ticket-0 ${windows.tickets + 1}`], /^dup/],
    ["a lost ticket", ["tickets ticket-0 4"], ["tickets ticket-0 3"], /^lost/],
    ["a lost message", ["inboxes inbox-0 poster-1 3"], [inbox({ "poster-1": 2 })], /^lost/],
    ["messages out of order", [], [inbox({}, 2)], /^reordered/],
    ["a message that was applied twice", [], [inbox({}, 0, 1)], /^duplicated/],
    ["a row of a cleared round", [...cleared], ["scratch scratch-1 4"], /^lost/],
    ["a row of no round", [], ["scratch scratch-1 9"], /^torn/],
    ["a row that is missing", ["scratch put scratch-1 5"], [], /^lost/],
  ])("finds %s", (_what, acked, found, sentence) => {
    const said = new Told()
      .acks(...acked)
      .finds(...found)
      .judged();
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(sentence);
  });

  it("takes either outcome of a clear that was under way", () => {
    const acked = ["scratch put scratch-1 5", "scratch put scratch-2 5", "scratch clearing 5"];
    const told = new Told().acks(...acked).finds("scratch scratch-2 5");
    expect(told.judged()).toEqual([]);
    expect(told.expectations.load(1).scratchRound).toBeGreaterThan(6);
  });

  it("takes what was under way, and counts on from there", () => {
    const told = new Told().acks("tickets ticket-0 4").finds("tickets ticket-0 6");
    expect(told.judged()).toEqual([]);
    expect(told.expectations.load(1).tickets["ticket-0"]?.next).toBe(7);
    expect(told.finds("tickets ticket-0 5").judged()).toHaveLength(1);
  });
});

describe("torture — ids of calls", () => {
  const callsOf = (told: Told, nowMs: number) => {
    told.nowMs = nowMs;
    const { tickets, effects, fromMs } = told.expectations.load(1);
    return { tickets: tickets["ticket-0"], survey: effects.survey, fromMs };
  };

  it("are of the life that makes a call first, so those of all names grow old together", () => {
    const told = new Told();
    told.judged();
    expect(callsOf(told, 5_000)).toEqual({
      tickets: { next: 1, againMs: [] },
      // Nobody knows of the first life whether it has begun them.
      survey: { next: 7, again: unknown(1, 1_000) },
      fromMs: 5_000,
    });
    told.acks("tickets ticket-0 2000", "effects survey 8 id-8").finds("tickets ticket-0 2004");
    told.finds("effects id-8 survey:8 3 3 0 0");
    expect(told.judged()).toEqual([]);
    const { tickets, survey } = callsOf(told, 9_000);
    // Number 2,004 of a life that began with 1 at 5,000 ms.
    const againMs = [6_998, 6_999, 7_000, 7_001, 7_002, 7_003];
    expect(tickets).toEqual({ next: 2_005, againMs });
    expect(survey.next).toBe(15);
    const again = Object.fromEntries(survey.again.map(({ n, ms }) => [n, ms]));
    expect(again).toMatchObject({ 1: 1_000, 6: 1_005, 7: 5_000, 8: 5_001, 14: 5_007 });
  });

  it("stay what they are over lives that do not get to make them again", () => {
    const told = new Told();
    told.judged();
    callsOf(told, 5_000);
    told.finds("tickets ticket-0 1");
    told.judged();
    callsOf(told, 9_000);
    told.finds("tickets ticket-0 2");
    told.judged();
    const { tickets, survey } = callsOf(told, 20_000);
    expect(tickets).toEqual({ next: 3, againMs: [5_000, 9_000] });
    expect(survey.again.slice(0, 6)).toEqual(unknown(1, 1_000));
  });

  function unknown(first: number, ms: number) {
    return Array.from({ length: windows.effects }, (_, at) => {
      return { n: first + at, ms: ms + at, id: "" };
    });
  }
});

describe("torture — transfers", () => {
  const [ada = "", bob = ""] = accountNames;
  const fresh: Account = {
    cents: 1_000_000,
    entries: 0,
    debited: { n: 0, entry: 0, cents: 1_000_000 },
    sent: {},
    credited: {},
    breaks: 0,
    repeats: 0,
  };
  const paid: Account = { ...fresh, cents: 999_990, entries: 1, sent: { [bob]: 1 } };
  const payer: Account = { ...paid, debited: { n: 1, entry: 1, cents: 999_990 } };
  const received = { n: 1, entry: 1, cents: 1_000_010 };
  const payee: Account = { ...fresh, cents: 1_000_010, entries: 1, credited: { [ada]: received } };
  const out: LedgerEntry = { entry: 1, change: -10, cents: 999_990 };
  const into: LedgerEntry = { entry: 1, change: 10, cents: 1_000_010 };

  const line = (name: string, account: Account, ...entries: readonly LedgerEntry[]): string =>
    `transfers ${name} ${JSON.stringify({ account, entries })}`;

  it("has nothing against books that agree", () => {
    const told = new Told().acks(`transfers ${ada} 1`);
    expect(told.finds(line(ada, payer, out), line(bob, payee, into)).judged()).toEqual([]);
    expect(told.expectations.load(1).transfers[ada]).toBe(2);
  });

  it.each([
    ["a lost message", [line(ada, payer, out), line(bob, fresh)], ["lost", "lost"]],
    [
      "a message that was applied twice",
      [
        line(ada, payer, out),
        line(
          bob,
          { ...payee, cents: 1_000_020, entries: 2, credited: { [ada]: { ...received, n: 2 } } },
          into,
          { entry: 2, change: 10, cents: 1_000_020 },
        ),
      ],
      ["duplicated", "duplicated"],
    ],
    ["an account without its entry", [line(ada, payer, out), line(bob, payee)], ["torn"]],
    [
      "an entry that does not explain the balance",
      [line(ada, payer, { ...out, cents: 5 }), line(bob, payee, into)],
      ["torn"],
    ],
    [
      "transfers out of order",
      [line(ada, { ...payer, breaks: 1 }, out), line(bob, payee, into)],
      ["reordered"],
    ],
    [
      "a posting that was asked for twice",
      [line(ada, { ...payer, repeats: 1 }, out), line(bob, payee, into)],
      ["duplicated"],
    ],
    ["books that are gone", [], ["lost"]],
  ])("finds %s", (_what, found, violations) => {
    const told = new Told().acks(`transfers ${ada} 1`).finds(...found);
    expect(told.judged().map((said) => said.slice(0, said.indexOf(":")))).toEqual(violations);
  });
});

describe("torture — effects", () => {
  it.each([
    ["an invocation without a row", ["effects chain 1 id-1"], [], ["lost"]],
    ["a message without an effect", [], ["effects id-1 chain:1 3 2 0 0"], ["lost"]],
    ["a message that came twice", [], ["effects id-1 chain:1 3 3 0 1"], ["duplicated"]],
    ["an effect that was applied again", [], ["effects id-1 chain:1 3 3 1 0"], ["duplicated"]],
    [
      "a call that has begun two invocations",
      ["effects chain 1 id-1"],
      ["effects id-1 chain:1 2 2 0 0", "effects id-2 chain:1 2 2 0 0"],
      ["duplicated"],
    ],
  ])("finds %s", (_what, acked, found, violations) => {
    const said = new Told()
      .acks(...acked)
      .finds(...found)
      .judged();
    expect(said.map((one) => one.slice(0, one.indexOf(":")))).toEqual(violations);
  });

  it("asks again for calls without an answer, and says which of them had an effect", () => {
    const told = new Told().acks("effects fan 1 id-1");
    told.finds("effects id-1 fan:1 2 2 0 0", "effects id-3 fan:3 1 1 0 0");
    expect(told.judged()).toEqual([]);
    const { next, again } = told.expectations.load(1).effects.fan;
    expect(next).toBe(2 + windows.effects);
    expect(again).toEqual([
      { n: 1, ms: 1_000, id: "id-1" },
      { n: 2, ms: 1_001, id: "" },
      { n: 3, ms: 1_002, id: "id-3" },
      ...[4, 5, 6, 7].map((n) => ({ n, ms: 999 + n, id: "" })),
    ]);
  });

  it("lets the rows of a finished invocation go one by one", () => {
    const told = new Told().finds("effects id-1 chain:1 3 3 0 0");
    expect(told.judged()).toEqual([]);
    expect(told.finds("effects id-1 chain:1 3 1 0 0").judged()).toEqual([]);
    expect(told.judged()).toEqual([]);
    expect(told.finds("effects id-1 chain:1 3 1 0 0").judged()).toHaveLength(1);
  });
});

describe("torture — answers", () => {
  const taken = "answers taken id-1 token-1";

  it.each([
    ["an answer that is not there", [taken], [], ["lost"]],
    ["another answer than the one that was taken", [taken], ["answers id-1 token-2"], ["lost"]],
    ["a survey that was answered twice", [], ["answers id-1 token-1 token-2"], ["duplicated"]],
    [
      "an answer that was refused",
      ["answers refused id-1 token-1"],
      ["answers id-1 token-1"],
      ["duplicated"],
    ],
    [
      "two answers that were both taken",
      [taken, "answers taken id-1 token-2"],
      ["answers id-1 token-1"],
      ["lost"],
    ],
  ])("finds %s", (_what, acked, found, violations) => {
    const said = new Told()
      .acks(...acked)
      .finds(...found)
      .judged();
    expect(said.map((one) => one.slice(0, one.indexOf(":")))).toEqual(violations);
  });

  it("has nothing against an answer of which nobody knows, and lets settled ones go", () => {
    const told = new Told().finds("answers id-1 token-1");
    expect(told.judged()).toEqual([]);
    expect(told.judged()).toEqual([]);
  });
});

describe("torture — bodies and fates", () => {
  it("knows a body by every byte of it", () => {
    const seeds = Array.from({ length: 50 }, (_, n) => mark("register-0", n));
    for (const seed of seeds) {
      const body = makeBody(seed);
      expect(isWhole(seed, body)).toBe(true);
      expect(isWhole(seed, body.subarray(0, body.length - 1))).toBe(false);
      const broken = body.slice();
      const at = broken.length - 1;
      broken[at] = (broken[at] ?? 0) ^ 1;
      expect(isWhole(seed, broken)).toBe(false);
      expect(isWhole(seed + 1, body)).toBe(false);
    }
  });

  it("meets every end, kills while it recovers, and mostly early", () => {
    const random = seededRandom(1);
    const fates = Array.from({ length: 2_000 }, () => chooseFate(random));
    expect(new Set(fates.map(({ end }) => end)).size).toBe(8);
    expect(new Set(fates.map(({ durability }) => durability)).size).toBe(3);
    expect(
      fates.filter(({ recoveryKillsMs }) => recoveryKillsMs.length > 1).length,
    ).toBeGreaterThan(50);
    const early = fates.filter(({ afterMs }) => afterMs < 500).length;
    expect(early).toBeGreaterThan(fates.length / 2);
    expect(Math.max(...fates.map(({ afterMs }) => afterMs))).toBeGreaterThan(1_800);
  });
});
