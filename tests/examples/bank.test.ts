// What goes wrong here would look like a total that is not what was paid in, a negative balance, or
// a balance that its ledger does not explain.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import topology, {
  type Account,
  type LedgerEntry,
  type Receipt,
  type Transfer,
} from "../../examples/bank/topology.js";
import { launch } from "../../index.js";
import { suiteSeed } from "../support/property.js";
import { tempDirectory } from "../support/temp-directory.js";

const names = ["ada", "ben", "cleo", "dan", "eve", "fay", "gus", "hal"];
const openingCents = 10_000;
const transferCount = 2_000;

const name = fc.constantFrom(...names);
/** About one in four is refused: amounts of up to half of an opening balance. */
const order = fc.record({ from: name, to: name, cents: fc.integer({ min: 1, max: 5_000 }) });

function launchBank(directory: string) {
  return launch(topology, { directory, tasks: 4, threads: 0 });
}

type Bank = Awaited<ReturnType<typeof launchBank>>;

describe("bank — thousands of transfers at once", { timeout: 60_000 }, () => {
  it("never loses or makes a cent, and never overdraws", async () => {
    await using bank = await launchBank(tempDirectory());
    const { receipts } = await transferAtRandom(bank);
    const accounts = await readAccounts(bank);
    const balances = [...accounts.values()].map((account) => account.cents);

    expect(total(balances)).toBe(names.length * openingCents);
    expect(Math.min(...balances)).toBeGreaterThanOrEqual(0);
    // Both outcomes have happened, or this test would not show much.
    expect(receipts.filter((receipt) => receipt.ok).length).toBeGreaterThan(500);
    expect(receipts.filter((receipt) => !receipt.ok).length).toBeGreaterThan(100);
  });

  it("explains each balance by a ledger without gaps", async () => {
    await using bank = await launchBank(tempDirectory());
    const { transfers, receipts } = await transferAtRandom(bank, 1_000);
    const done = transfers.filter((_, i) => receipts[i]?.ok);

    for (const [owner, account] of await readAccounts(bank)) {
      const ledger = await readLedger(bank, owner);
      expect(ledger.map(([number]) => number)).toEqual(upTo(account.entries));
      let cents = openingCents;
      for (const [, entry] of ledger) {
        cents += entry.change;
        expect(entry.cents).toBe(cents);
        expect(cents).toBeGreaterThanOrEqual(0);
      }
      expect(account.cents).toBe(cents);
      expect(effects(ledger.map(([, entry]) => entry))).toEqual(effectsOn(owner, done));
    }
  });

  it("debits each account in the order in which one client sent its transfers", async () => {
    await using bank = await launchBank(tempDirectory());
    await transferAtRandom(bank, 1_000);
    for (const owner of names) {
      const payments = (await readLedger(bank, owner)).filter(([, entry]) => entry.change < 0);
      const references = payments.map(([, entry]) => Number(entry.reference));
      expect(references).toEqual([...references].sort((a, b) => a - b));
      expect(references.length).toBeGreaterThan(10);
    }
  });
});

describe("bank — refusals", () => {
  it("lets only one of two transfers through that the balance covers once", async () => {
    await using bank = await launchBank(tempDirectory());
    await openAll(bank);
    const cents = openingCents;
    const receipts = await transferAll(bank, [
      { reference: "0", from: "ada", to: "ben", cents },
      { reference: "1", from: "ada", to: "cleo", cents },
    ]);

    expect(receipts).toEqual([
      { ok: true, payeeCents: 2 * openingCents },
      { ok: false, reason: "insufficient funds" },
    ]);
  });

  it("refuses amounts that are no positive number of cents, and unknown accounts", async () => {
    await using bank = await launchBank(tempDirectory());
    await openAll(bank);
    const base = { reference: "0", from: "ada", to: "ben", cents: 1 };
    const receipts = await transferAll(bank, [
      { ...base, cents: 0 },
      { ...base, cents: -5 },
      { ...base, cents: 0.5 },
      { ...base, to: "nobody" },
      { ...base, from: "nobody" },
    ]);
    const amount = "the amount is not a positive number of cents";

    expect(receipts.map((receipt) => (receipt.ok ? "" : receipt.reason))).toEqual([
      amount,
      amount,
      amount,
      "there is no account nobody",
      "insufficient funds",
    ]);
    expect(await bank.store("accounts").get("nobody")).toBeUndefined();
    expect([...(await readAccounts(bank)).values()]).toEqual(
      names.map(() => ({ cents: openingCents, entries: 0 })),
    );
  });
});

describe("bank — closed and launched again", () => {
  it("has every account and every ledger entry as it was", async () => {
    const directory = tempDirectory();
    const before = await (async () => {
      await using bank = await launchBank(directory);
      await transferAtRandom(bank, 300);
      return { accounts: await readAccounts(bank), ledger: await readLedger(bank, "ada") };
    })();
    await using bank = await launchBank(directory);

    expect(await readAccounts(bank)).toEqual(before.accounts);
    expect(await readLedger(bank, "ada")).toEqual(before.ledger);
    expect(await bank.store("accounts").update("open", "ada", 1)).toBe(false);
  });
});

async function transferAtRandom(
  bank: Bank,
  count: number = transferCount,
): Promise<{ transfers: readonly Transfer[]; receipts: readonly Receipt[] }> {
  await openAll(bank);
  const orders = fc.sample(order, { seed: suiteSeed(), numRuns: count });
  const transfers = orders.map((one, i) => ({ ...one, reference: String(i) }));
  return { transfers, receipts: await transferAll(bank, transfers) };
}

async function openAll(bank: Bank): Promise<void> {
  for (const owner of names) await bank.store("accounts").update("open", owner, openingCents);
}

function transferAll(bank: Bank, transfers: readonly Transfer[]): Promise<readonly Receipt[]> {
  const transfer = bank.agent("transfer");
  return Promise.all(transfers.map((one) => transfer.invoke(one)));
}

async function readAccounts(bank: Bank): Promise<Map<string, Account>> {
  const accounts = new Map<string, Account>();
  for await (const [owner, account] of bank.store("accounts").entries()) {
    accounts.set(owner, account);
  }
  return accounts;
}

async function readLedger(bank: Bank, owner: string): Promise<[number, LedgerEntry][]> {
  const ledger: [number, LedgerEntry][] = [];
  for await (const [[, number], entry] of bank.store("ledger").entries({ prefix: [owner] })) {
    ledger.push([number, entry]);
  }
  return ledger;
}

/** What a ledger says was done, without order. */
function effects(entries: readonly LedgerEntry[]): readonly string[] {
  return entries.map(({ reference, other, change }) => `${reference} ${other} ${change}`).sort();
}

/** What the receipts say was done to an account. A transfer to oneself has both effects. */
function effectsOn(owner: string, transfers: readonly Transfer[]): readonly string[] {
  const payments = transfers.filter((one) => one.from === owner);
  const receipts = transfers.filter((one) => one.to === owner);
  return [
    ...payments.map(({ reference, to, cents }) => `${reference} ${to} ${-cents}`),
    ...receipts.map(({ reference, from, cents }) => `${reference} ${from} ${cents}`),
  ].sort();
}

function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
