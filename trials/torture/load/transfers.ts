// Transfers — cents on their way between accounts, and the ledger that explains each account.

import { accountNames, type LoadOrder, windows } from "../orders.js";
import type { LedgerEntry } from "../topology.js";
import { below, type Load, oneOf, type Report, type Tortured, Window } from "./client.js";

/** Says what is there: each account with its entries. */
export async function findTransfers(runtime: Tortured, report: Report): Promise<void> {
  const entries = new Map<string, LedgerEntry[]>();
  for await (const [[account], entry] of runtime.store("ledger").entries()) {
    const found = entries.get(account);
    if (found === undefined) entries.set(account, [entry]);
    else found.push(entry);
  }
  for await (const [key, account] of runtime.store("accounts").entries()) {
    const found = { account, entries: entries.get(key) ?? [] };
    report.say(`found transfers ${key} ${JSON.stringify(found)}`);
  }
}

/** Transfers until nothing more can be called. */
export async function loadTransfers(load: Load, { transfers }: LoadOrder): Promise<void> {
  const { runtime, report, random } = load;
  const window = new Window(report, windows.transfers);
  const next = new Map(accountNames.map((name) => [name, transfers[name] ?? 1]));
  while (!window.closed) {
    await window.room();
    const from = oneOf(
      random,
      accountNames.filter((name) => !window.isFrozen(name)),
    );
    if (from === undefined) return;
    // An account that pays itself goes through both of its nodes.
    const to = oneOf(random, accountNames) ?? from;
    const n = next.get(from) ?? 1;
    next.set(from, n + 1);
    window.begin(from, async () => {
      await runtime.agent("transfer").invoke({ n, from, to, cents: below(random, 1_000) });
      report.say(`ack transfers ${from} ${n}`);
    });
  }
}
