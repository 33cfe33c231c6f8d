// Transfers between accounts: two nodes, one keyed by the payer, one by the payee.
//
// Guarantees:
//   1. A transfer never overdraws: of two that the balance covers only once, one is refused.
//   2. No cent is lost or made: what `debit` takes, `credit` gives, exactly once, even if the
//      process dies in between. Between the two the cents are in a durable message; when none is
//      under way the total is what was paid in.
//   3. One client's payments from one account apply in the order in which it sent them.
//   4. Each account's ledger explains its balance: entries 1, 2, 3… without a gap, each with the
//      balance after it.

import {
  agent,
  integer,
  keyValueStore,
  node,
  reply,
  string,
  topology,
  tuple,
  type,
} from "../../index.js";

export interface Account {
  readonly cents: number;
  /** How many ledger entries the account has. */
  readonly entries: number;
}

export interface LedgerEntry {
  readonly reference: string;
  /** The account at the other end. */
  readonly other: string;
  /** Negative for a payment, positive for a receipt. */
  readonly change: number;
  /** Balance after this entry. */
  readonly cents: number;
}

export interface Transfer {
  readonly reference: string;
  readonly from: string;
  readonly to: string;
  readonly cents: number;
}

export type Receipt =
  | { readonly ok: true; readonly payeeCents: number }
  | { readonly ok: false; readonly reason: string };

const accounts = keyValueStore({
  key: string,
  value: type<Account>(),
  updates: {
    open: (current: Account | undefined, cents: number) =>
      current === undefined ? reply({ cents, entries: 0 }, true) : reply(current, false),
    // No race between the look at the balance and the withdrawal: both are one update, and the task
    // that owns the account runs one update of it at a time. The reply is null for a refusal.
    withdraw: (current: Account | undefined, cents: number) => {
      if (current === undefined || current.cents < cents) return reply(current, null);
      return posted(current, -cents);
    },
    deposit: (current: Account | undefined, cents: number) => {
      if (current === undefined) return reply(current, null);
      return posted(current, cents);
    },
  },
});

// Keys are (account, number): the entries of one account stand together, in order.
const ledger = keyValueStore({ key: tuple(string, integer), value: type<LedgerEntry>() });

const transfer = agent({
  stores: { accounts, ledger },
  entry: "debit",
  result: type<Receipt>(),
  nodes: {
    debit: node({ input: type<Transfer>(), to: ["credit"], key: ({ from }) => from }),
    credit: node({ input: type<Transfer>(), key: ({ to }) => to }),
  },
}).implement({
  async debit(ctx, { reference, from, to, cents }) {
    if (!Number.isSafeInteger(cents) || cents <= 0) {
      return ctx.result({ ok: false, reason: "the amount is not a positive number of cents" });
    }
    // Accounts are never closed: what exists here still exists when `credit` runs.
    if (!(await ctx.stores.accounts.contains(to))) {
      return ctx.result({ ok: false, reason: `there is no account ${to}` });
    }
    // This node is keyed by payer: the next transfer from the same account waits until this
    // function has returned, so payments leave an account in the order in which they were sent.
    // A process that dies from here on runs it again at the next launch; the withdrawal is not
    // repeated, but answered as it was.
    const payer = await ctx.stores.accounts.update("withdraw", from, cents);
    if (payer === null) return ctx.result({ ok: false, reason: "insufficient funds" });
    // The number was counted inside the withdrawal: no other entry of this account has it.
    await ctx.stores.ledger.put([from, payer.entries], {
      reference,
      other: to,
      change: -cents,
      cents: payer.cents,
    });
    // The cents are on their way: the message becomes durable with this node's completion and is
    // applied exactly once. `debit` does not hold the payer while `credit` waits for the payee, so
    // transfers in a circle cannot wait for each other for ever.
    ctx.emit("credit", { reference, from, to, cents });
  },
  async credit(ctx, { reference, from, to, cents }) {
    // Keyed by payee, and never refused: `debit` has made sure that the account exists.
    const payee = await ctx.stores.accounts.update("deposit", to, cents);
    if (payee === null) throw new Error(`account ${to} has disappeared`);
    await ctx.stores.ledger.put([to, payee.entries], {
      reference,
      other: from,
      change: cents,
      cents: payee.cents,
    });
    ctx.result({ ok: true, payeeCents: payee.cents });
  },
});

/** The account after one more ledger entry; the caller gets the same. */
function posted({ cents, entries }: Account, change: number) {
  const after = { cents: cents + change, entries: entries + 1 };
  return reply(after, after);
}

export default topology("bank", import.meta.url, {
  stores: { accounts, ledger },
  agents: { transfer },
});
