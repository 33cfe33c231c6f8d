// Transfers record — what accounts and their ledger must say once nothing is under way.
//
// Cents are neither lost nor made; every message that a payer has sent to a payee was received
// once; the newest entries of an account explain its balance.

import { accountNames, windows } from "../orders.js";
import { type Account, entriesKept, type LedgerEntry, openingCents } from "../topology.js";
import type { Bad, Part } from "./part.js";

interface Found {
  readonly account: Account;
  readonly entries: readonly LedgerEntry[];
}

export class TransfersRecord implements Part {
  readonly #acked = new Map(accountNames.map((name) => [name, 0]));
  readonly #repeats = new Map<string, number>();
  readonly #found = new Map<string, Found>();
  readonly #strict: boolean;

  /** `strict`: the store operations of nodes are remembered, so nothing may come twice. */
  constructor(strict: boolean) {
    this.#strict = strict;
  }

  ack([payer = "", n = ""]: readonly string[]): void {
    this.#acked.set(payer, Math.max(this.#acked.get(payer) ?? 0, Number(n)));
  }

  found([name = "", json = ""]: readonly string[]): void {
    // cast: the child writes rows of these stores.
    this.#found.set(name, JSON.parse(json) as Found);
  }

  judge(bad: Bad): void {
    let cents = 0;
    for (const [name, found] of this.#found) {
      cents += found.account.cents - openingCents;
      this.#judgeAccount(name, found, bad);
      judgeEntries(name, found, bad);
    }
    if (cents < 0) bad("lost", `transfers: ${-cents} cents are gone`);
    if (cents > 0) bad("duplicated", `transfers: ${cents} cents were made`);
    for (const [name, acked] of this.#acked) {
      const found = this.#found.get(name)?.account.debited.n ?? 0;
      if (found < acked)
        bad("lost", `${name}: transfer ${acked} was acknowledged, ${found} is there`);
      if (found > acked + windows.transfers) {
        bad("duplicated", `${name}: ${found} transfers, of at most ${acked + windows.transfers}`);
      }
      this.#acked.set(name, found);
    }
    this.forget();
  }

  forget(): void {
    this.#found.clear();
  }

  #judgeAccount(name: string, { account }: Found, bad: Bad): void {
    const { breaks, repeats, sent } = account;
    if (breaks > 0) bad("reordered", `${name}: ${breaks} transfers came out of order`);
    const before = this.#repeats.get(name) ?? 0;
    if (this.#strict && repeats > before) {
      bad("duplicated", `${name}: ${repeats - before} postings were asked for twice`);
    }
    this.#repeats.set(name, repeats);
    for (const [payee, count] of Object.entries(sent)) {
      const received = this.#found.get(payee)?.account.credited[name]?.n ?? 0;
      if (received < count) bad("lost", `${name} to ${payee}: ${count} sent, ${received} received`);
      if (received > count) {
        bad("duplicated", `${name} to ${payee}: ${count} sent, ${received} received`);
      }
    }
  }

  resume(): Readonly<Record<string, number>> {
    return Object.fromEntries(Array.from(this.#acked, ([name, acked]) => [name, acked + 1]));
  }
}

function judgeEntries(name: string, { account, entries }: Found, bad: Bad): void {
  const { entries: count, cents } = account;
  const kept = Math.min(count, entriesKept);
  const sorted = [...entries].sort((one, other) => other.entry - one.entry);
  let expected = cents;
  for (let index = 0; index < Math.max(kept, sorted.length); index += 1) {
    const found = sorted[index];
    if (found?.entry !== count - index || found.cents !== expected) {
      const shown = found === undefined ? "nothing" : JSON.stringify(found);
      bad(
        "torn",
        `${name}: entry ${count - index} with ${expected} cents is due, ${shown} is there`,
      );
      return;
    }
    expected -= found.change;
  }
}
