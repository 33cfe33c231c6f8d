// Workload — its judge must catch made-up losses, tears and futures, and take what a run leaves.

import { describe, expect, it } from "vitest";
import { launch } from "../../../index.js";
import { bodyOf } from "../../../trials/workload/body.js";
import {
  type Finding,
  judgeAgents,
  judgeWrites,
  type Wrong,
} from "../../../trials/workload/judge.js";
import { type Known, learn, nextInvocation, nothingKnown } from "../../../trials/workload/known.js";
import { accountName, begin, hopsOf, load, openingCents } from "../../../trials/workload/load.js";
import {
  type ObservedAgents,
  observeAgents,
  observeWrites,
} from "../../../trials/workload/observe.js";
import topology, { type Log, type Register } from "../../../trials/workload/topology.js";
import { verify } from "../../../trials/workload/verify.js";
import { tempDirectory } from "../../support/temp-directory.js";

function knownFrom(...lines: readonly string[]): Known {
  const known = nothingKnown();
  for (const line of lines) learn(known, line);
  return known;
}

function wrongs(findings: readonly Finding[]): Wrong[] {
  return findings.map(({ wrong }) => wrong);
}

function log(count: number, changes: Partial<Log> = {}): ReadonlyMap<string, Log> {
  return new Map([["a", { count, gaps: 0, repeats: 0, body: bodyOf("a", count), ...changes }]]);
}

const noLogs: ReadonlyMap<string, Log> = new Map();
const noRegisters: ReadonlyMap<string, Register> = new Map();

describe("workload's judge — what was written directly", () => {
  const known = knownFrom("ack log a 3", "try log a 4", "try log a 5");

  it.each([3, 4, 5])("takes a log that ends at %i, between acknowledged and asked for", (count) => {
    expect(judgeWrites(known, { logs: log(count), registers: noRegisters })).toEqual([]);
  });

  it.each([
    ["lost", "an acknowledged append", log(2)],
    ["lost", "the whole log", noLogs],
    ["future", "an append that nobody asked for", log(6)],
    ["reordered", "a gap", log(4, { gaps: 1 })],
    ["duplicated", "an append applied twice", log(4, { repeats: 1 })],
    ["torn", "half a value", log(4, { body: bodyOf("a", 4).slice(1) })],
  ] as const)("calls it %s: %s", (wrong, _what, logs) => {
    expect(wrongs(judgeWrites(known, { logs, registers: noRegisters }))).toEqual([wrong]);
  });

  it("knows of a register what was acknowledged and what was asked for since", () => {
    const register = knownFrom("ack reg r 1 1", "try reg r 2 0");
    const holding = (n: number) => new Map([["r", { n, body: bodyOf("r", n) }]]);
    const judge = (registers: ReadonlyMap<string, Register>) => {
      return wrongs(judgeWrites(register, { logs: noLogs, registers }));
    };
    expect(judge(holding(1))).toEqual([]);
    expect(judge(noRegisters)).toEqual([]);
    expect(judge(holding(2))).toEqual(["future"]);
    learn(register, "ack reg r 2 0");
    expect(judge(holding(1))).toEqual(["lost"]);
    expect(judge(new Map([["r", { n: 1, body: "" }]]))).toEqual(["lost", "torn"]);
  });

  it("forgets what the process before had on the way once a launch has looked", () => {
    const after = knownFrom("ack log a 3", "try log a 9", "found log a 4");
    expect(wrongs(judgeWrites(after, { logs: log(5), registers: noRegisters }))).toEqual([
      "future",
    ]);
    expect(judgeWrites(after, { logs: log(4), registers: noRegisters })).toEqual([]);
  });

  it("reports a launch that has found less than was acknowledged", () => {
    const after = knownFrom("ack log a 3", "found log a 2", "ack reg r 5 1", "found reg r -");
    const findings = judgeWrites(after, { logs: log(3), registers: noRegisters });
    expect(wrongs(findings)).toEqual(["lost", "lost"]);
  });
});

const one = accountName(1);
const two = accountName(2);

/** Move 1 of 5 cents and chain 2, both whole. */
function allDone(): { known: Known; seen: ObservedAgents } {
  const known = knownFrom("ack open 1", "ack open 2", "ack move 1 m", "ack chain 2 c");
  const account = (change: number) => ({ cents: openingCents + change, entries: 1, repeats: 0 });
  const entry = (change: number) => [{ number: 1, move: 1, change, cents: openingCents + change }];
  const note = (n: number) => ({ n, body: bodyOf("note-2", n) });
  return {
    known,
    seen: {
      accounts: new Map([
        [one, account(-5)],
        [two, account(5)],
      ]),
      entries: new Map([
        [one, entry(-5)],
        [two, entry(5)],
      ]),
      trails: new Map([[2, { hops: hopsOf(2), gaps: 0, repeats: 0 }]]),
      notes: new Map([[2, [note(1), note(2)]]]),
      moveResults: new Map([[1, 1]]),
      chainResults: new Map([[2, hopsOf(2)]]),
    },
  };
}

const once = { operationsOnce: true };

describe("workload's judge — what agents have done", () => {
  it("takes what is whole", () => {
    const { known, seen } = allDone();
    expect(judgeAgents(known, seen, once)).toEqual([]);
  });

  it.each<readonly [Wrong, string, (seen: ObservedAgents) => Partial<ObservedAgents>]>([
    ["lost", "a result", () => ({ moveResults: new Map([[1, "INVOCATION_UNKNOWN"]]) })],
    ["lost", "a chain", () => ({ trails: new Map(), notes: new Map() })],
    ["torn", "a chain that stopped", ({ trails }) => ({ trails: changed(trails, 2, { hops: 1 }) })],
    ["torn", "a note", ({ notes }) => ({ notes: new Map([[2, (notes.get(2) ?? []).slice(1)]]) })],
    ["reordered", "hops", ({ trails }) => ({ trails: changed(trails, 2, { gaps: 1 }) })],
    ["duplicated", "hops", ({ trails }) => ({ trails: changed(trails, 2, { repeats: 1 }) })],
    ["torn", "half a move", ({ entries }) => ({ entries: new Map(entries).set(two, []) })],
    ["torn", "cents", ({ accounts }) => ({ accounts: changed(accounts, two, { cents: 1 }) })],
    ["lost", "an account", ({ accounts }) => ({ accounts: without(accounts, two) })],
    [
      "duplicated",
      "posts",
      ({ accounts }) => ({ accounts: changed(accounts, two, { repeats: 1 }) }),
    ],
  ])("calls it %s: %s", (wrong, _what, change) => {
    const { known, seen } = allDone();
    const findings = judgeAgents(known, { ...seen, ...change(seen) }, once);
    expect(wrongs(findings)).toContain(wrong);
  });

  it.each(["moves", "chains"] as const)("calls it future: %s that nobody asked for", (kind) => {
    const { known, seen } = allDone();
    const unknown = { ...known, [kind]: {} };
    expect(wrongs(judgeAgents(unknown, seen, once))).toContain("future");
  });

  it("forgives a repeated operation of a node where nothing else is promised", () => {
    const { known, seen } = allDone();
    const repeated = { ...seen, trails: changed(seen.trails, 2, { repeats: 1 }) };
    expect(judgeAgents(known, repeated, { operationsOnce: false })).toEqual([]);
  });
});

function changed<K, V>(map: ReadonlyMap<K, V>, key: K, change: Partial<V>): Map<K, V> {
  const value = map.get(key);
  if (value === undefined) throw new Error("there is nothing to change");
  return new Map(map).set(key, { ...value, ...change });
}

function without<K, V>(map: ReadonlyMap<K, V>, key: K): Map<K, V> {
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}

/** On this thread; the watchdog's own would need a compiled file. */
const inline = { tasks: 2, threads: 0, handlerTimeoutMs: 0 };

describe("workload — on a real runtime, launched twice", () => {
  it("leaves what its journal says, and numbers that nobody has used", async () => {
    const directory = tempDirectory();
    const known = nothingKnown();
    for (const life of [1, 2]) {
      const firstInvocation = nextInvocation(known);
      await using runtime = await launch(topology, { directory, ...inline });
      const say = (line: string) => learn(known, line);
      const counts = await begin(runtime, say);
      await load(runtime, counts, say, { seed: life, life, firstInvocation, requests: 20 });
      expect(Object.keys(known.moves)).toHaveLength(20);
      expect(await verify(runtime, known)).toEqual([]);
      expect(known.moves).toEqual({});
      expect(nextInvocation(known)).toBe(firstInvocation + 20);
    }
  });

  it("notices an append behind its back", async () => {
    const directory = tempDirectory();
    const known = nothingKnown();
    const say = (line: string) => learn(known, line);
    await using runtime = await launch(topology, { directory, ...inline });
    const counts = await begin(runtime, say);
    const options = { seed: 1, life: 1, firstInvocation: 1, requests: 3 };
    await load(runtime, counts, say, options);
    await runtime.store("logs").update("append", "log-0", "log-0", 4);
    expect(wrongs(judgeWrites(known, await observeWrites(runtime)))).toEqual(["future"]);
    const agents = await observeAgents(runtime, known, AbortSignal.timeout(60_000));
    expect(judgeAgents(known, agents, once)).toEqual([]);
  });
});
