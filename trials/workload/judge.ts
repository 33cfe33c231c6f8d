// Judge — compares what a directory holds with what is known of it, and says what is wrong.
//
// Owns: the verdict, as a pure function of data. Leaves to others: looking (observe.ts), what is
// known (known.ts).
//
//   lost        acknowledged, and not there                 torn   there in part, or damaged
//   future      there, and never asked for                  duplicated, reordered   as it says

import { bodyOf } from "./body.js";
import { isPossible, type Known, type KnownInvocation, knownRegister } from "./known.js";
import { accountName, hopsOf, openingCents } from "./load.js";
import type { ObservedAgents, ObservedWrites } from "./observe.js";
import { notesPerChain } from "./topology.js";

export type Wrong = "lost" | "torn" | "future" | "duplicated" | "reordered";

export interface Finding {
  readonly wrong: Wrong;
  readonly what: string;
}

/** What may be expected of agents. */
export interface Promises {
  /** A node that is run again after a stop does not apply its store operations twice. */
  readonly operationsOnce: boolean;
}

type Report = (wrong: Wrong, what: string) => void;

/** Judges what was written directly, as a launch finds it. */
export function judgeWrites(known: Known, { logs, registers }: ObservedWrites): Finding[] {
  const { findings, report } = collector();
  for (const what of known.broken) report("lost", what);
  for (const name of new Set([...Object.keys(known.logs), ...logs.keys()])) {
    const { acked, tried } = known.logs[name] ?? { acked: 0, tried: 0 };
    const { count, gaps, repeats, body } = logs.get(name) ?? { count: 0, gaps: 0, repeats: 0 };
    if (count < acked) report("lost", `${name} has ${count}, acknowledged was ${acked}`);
    if (count > tried) report("future", `${name} has ${count}, asked for was ${tried}`);
    if (gaps > 0) report("reordered", `${name} was appended to ${gaps} times out of turn`);
    if (repeats > 0) report("duplicated", `${name} was appended to ${repeats} times too often`);
    if (count > 0 && body !== bodyOf(name, count))
      report("torn", `${name} at ${count} is not whole`);
  }
  for (const name of new Set([...Object.keys(known.registers), ...registers.keys()])) {
    const found = registers.get(name);
    const { acked, tried } = knownRegister(known, name);
    if (!isPossible({ acked, tried }, found?.n)) {
      const isNewer = found !== undefined && found.n > acked.n;
      const shown = found === undefined ? "nothing" : String(found.n);
      const expected = [acked, ...tried].map(({ n, present }) => (present ? n : `${n} deleted`));
      report(
        isNewer ? "future" : "lost",
        `${name} has ${shown}, possible is ${expected.join(", ")}`,
      );
    }
    if (found !== undefined && found.body !== bodyOf(name, found.n)) {
      report("torn", `${name} at ${found.n} is not whole`);
    }
  }
  return findings;
}

/** Judges what agents have done, once all of it has finished. */
export function judgeAgents(known: Known, seen: ObservedAgents, promises: Promises): Finding[] {
  const { findings, report } = collector();
  judgeResults("move", known.moves, seen.moveResults, Number, report);
  judgeResults("chain", known.chains, seen.chainResults, (n) => hopsOf(Number(n)), report);
  judgeAccounts(known, seen, promises, report);
  judgeChains(known, seen, promises, report);
  return findings;
}

function judgeResults(
  kind: string,
  of: Readonly<Record<string, KnownInvocation>>,
  results: ReadonlyMap<number, number | string>,
  expected: (number: string) => number,
  report: Report,
): void {
  for (const [number, { id }] of Object.entries(of)) {
    if (id === undefined) continue;
    const result = results.get(Number(number));
    if (result === expected(number)) continue;
    report("lost", `${kind} ${number} (${id}) was accepted and has come to ${result}`);
  }
}

function judgeAccounts(
  known: Known,
  { accounts, entries }: ObservedAgents,
  promises: Promises,
  report: Report,
): void {
  const sides = new Map<number, { change: number; count: number }>();
  let total = 0;
  let expected = 0;
  for (const [account, state] of Object.entries(known.opened)) {
    if (state === 2 && !accounts.has(accountName(Number(account)))) {
      report("lost", `account ${account} was opened and is not there`);
    }
  }
  for (const [name, account] of accounts) {
    const base = known.accounts[name] ?? { entries: 0, cents: openingCents };
    let { cents, entries: number } = base;
    for (const entry of entries.get(name) ?? []) {
      number += 1;
      cents += entry.change;
      if (entry.number !== number || entry.cents !== cents) {
        report(
          "torn",
          `${name}: entry ${entry.number} (${entry.cents}) is not ${number} (${cents})`,
        );
        break;
      }
      const side = sides.get(entry.move) ?? { change: 0, count: 0 };
      sides.set(entry.move, { change: side.change + entry.change, count: side.count + 1 });
    }
    if (account.entries !== number || account.cents !== cents) {
      report("torn", `${name} has ${account.entries} entries, its ledger ${number}`);
    }
    if (promises.operationsOnce && account.repeats > 0) {
      report("duplicated", `${name} was posted to ${account.repeats} times too often`);
    }
    total += account.cents;
    expected += openingCents;
  }
  if (total !== expected) report("torn", `accounts hold ${total} cents, paid in were ${expected}`);
  for (const [move, { change, count }] of sides) {
    if (known.moves[move] === undefined) report("future", `move ${move} was never asked for`);
    if (count > 2) report("duplicated", `move ${move} has ${count} entries`);
    else if (count !== 2 || change !== 0) report("torn", `move ${move} has one side of two`);
  }
  for (const [move, { id }] of Object.entries(known.moves)) {
    if (id !== undefined && !sides.has(Number(move)))
      report("lost", `move ${move} left no entries`);
  }
}

function judgeChains(
  known: Known,
  { trails, notes }: ObservedAgents,
  promises: Promises,
  report: Report,
): void {
  const numbers = [...Object.keys(known.chains).map(Number), ...trails.keys(), ...notes.keys()];
  for (const number of new Set(numbers)) {
    const chain = known.chains[number];
    const trail = trails.get(number);
    const written = notes.get(number) ?? [];
    const isThere = trail !== undefined || written.length > 0;
    if (chain === undefined) report("future", `chain ${number} was never asked for`);
    if (!isThere) {
      if (chain?.id !== undefined) report("lost", `chain ${number} left no trail`);
      continue;
    }
    const { hops, gaps, repeats } = trail ?? { hops: 0, gaps: 0, repeats: 0 };
    if (hops !== hopsOf(number)) {
      report("torn", `chain ${number} ended at hop ${hops} of ${hopsOf(number)}`);
    }
    if (gaps > 0) report("reordered", `chain ${number} has missed ${gaps} hops`);
    if (promises.operationsOnce && repeats > 0) {
      report("duplicated", `chain ${number} has ${repeats} hops too many`);
    }
    const isWhole = written.every(({ n, body }) => body === bodyOf(`note-${number}`, n));
    if (written.length !== notesPerChain || !isWhole) {
      report("torn", `chain ${number} has ${written.length} whole notes of ${notesPerChain}`);
    }
  }
}

/**
 * After a verdict without findings: what was judged is known from now on as it was found, and need
 * not be asked for again.
 */
export function settle(known: Known, writes: ObservedWrites, agents: ObservedAgents): void {
  for (const [name, log] of Object.entries(known.logs)) {
    log.acked = writes.logs.get(name)?.count ?? 0;
    log.tried = log.acked;
  }
  for (const [name, register] of Object.entries(known.registers)) {
    const found = writes.registers.get(name);
    register.acked = { n: found?.n ?? 0, present: found !== undefined };
    register.tried = [];
  }
  for (const [name, { entries, cents }] of agents.accounts)
    known.accounts[name] = { entries, cents };
  const chains = Object.keys(known.chains).map(Number);
  known.chainsSettled = Math.max(
    known.chainsSettled,
    ...chains,
    ...Object.keys(known.moves).map(Number),
  );
  for (const chain of chains) delete known.chains[chain];
  for (const move of Object.keys(known.moves)) delete known.moves[move];
}

function collector(): { findings: Finding[]; report: Report } {
  const findings: Finding[] = [];
  return { findings, report: (wrong, what) => void findings.push({ wrong, what }) };
}
