// Workload topology — stores and agents whose data can be checked after any stop: every value says
// who wrote it, as which of his writes, and whether it is whole.
//
//   logs       one writer each; append n must be the next one, or the value counts what was wrong
//   registers  put and deleted again and again: tombstones, and keys that come back
//   move       cents from one account to another: two keyed nodes, and a ledger that explains it
//   chain      hops over places, and two notes beside it: nodes on all tasks, keyed and plain
//
// Owns: the declarations. Leaves to others: what is asked of them (load.ts), what must be there
// afterwards (judge.ts).

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
import { bodyOf } from "./body.js";

/** What one writer has appended. */
export interface Log {
  readonly count: number;
  /** Appends that came too late or too early: never when order holds. */
  readonly gaps: number;
  /** Appends that had been applied already. */
  readonly repeats: number;
  readonly body: string;
}

export interface Register {
  readonly n: number;
  readonly body: string;
}

export interface Account {
  readonly cents: number;
  /** Entries that it has in the ledger. */
  readonly entries: number;
  /** The newest withdrawal and the newest deposit. */
  readonly debited?: Posting;
  readonly credited?: Posting;
  /** Postings that were asked for a second time, and not made. */
  readonly repeats: number;
}

/** What a withdrawal or a deposit made of an account. */
export interface Posting {
  readonly move: number;
  readonly number: number;
  readonly cents: number;
}

export interface Entry {
  readonly move: number;
  readonly change: number;
  readonly cents: number;
}

export interface Move {
  readonly move: number;
  readonly from: string;
  readonly to: string;
  readonly cents: number;
}

/** How far a chain has come. */
export interface Trail {
  readonly hops: number;
  readonly gaps: number;
  readonly repeats: number;
}

export interface Chain {
  readonly chain: number;
  readonly hops: number;
}

const logs = keyValueStore({
  key: string,
  value: type<Log>(),
  updates: {
    append: (log: Log | undefined, name: string, n: number) => {
      const { count, gaps, repeats, body } = log ?? { count: 0, gaps: 0, repeats: 0, body: "" };
      if (n <= count) return reply({ count, gaps, repeats: repeats + 1, body }, count);
      const isNext = n === count + 1;
      return reply({ count: n, gaps: gaps + (isNext ? 0 : 1), repeats, body: bodyOf(name, n) }, n);
    },
  },
});

const registers = keyValueStore({ key: string, value: type<Register>() });

const accounts = keyValueStore({
  key: string,
  value: type<Account>(),
  updates: {
    open: (current: Account | undefined, cents: number) =>
      current === undefined
        ? reply({ cents, entries: 0, repeats: 0 }, true)
        : reply(current, false),
    post: (current: Account | undefined, change: number, move: number) => {
      if (current === undefined) throw new Error(`move ${move}: the account is not there`);
      const side = change < 0 ? "debited" : "credited";
      const newest = current[side];
      // Both nodes are keyed by the account: a posting that is asked for again is the newest one.
      if (newest?.move === move) return reply({ ...current, repeats: current.repeats + 1 }, newest);
      const posting = { move, number: current.entries + 1, cents: current.cents + change };
      const { number: entries, cents } = posting;
      return reply({ ...current, entries, cents, [side]: posting }, posting);
    },
  },
});

/** Keys are (account, number): a ledger without a gap explains its account. */
const ledger = keyValueStore({ key: tuple(string, integer), value: type<Entry>() });

const trails = keyValueStore({
  key: integer,
  value: type<Trail>(),
  updates: {
    visit: (trail: Trail | undefined, hop: number): Trail => {
      const { hops, gaps, repeats } = trail ?? { hops: 0, gaps: 0, repeats: 0 };
      if (hop <= hops) return { hops, gaps, repeats: repeats + 1 };
      return { hops: hop, gaps: gaps + (hop === hops + 1 ? 0 : 1), repeats };
    },
  },
});

/** Keys are (chain, number of the note). */
const notes = keyValueStore({ key: tuple(integer, integer), value: type<Register>() });

const move = agent({
  stores: { accounts, ledger },
  entry: "debit",
  result: type<number>(),
  nodes: {
    debit: node({ input: type<Move>(), to: ["credit"], key: ({ from }) => from }),
    credit: node({ input: type<Move>(), key: ({ to }) => to }),
  },
}).implement({
  async debit(ctx, message) {
    const { from, cents, move: by } = message;
    const posting = await ctx.stores.accounts.update("post", from, -cents, by);
    const entry = { move: by, change: -cents, cents: posting.cents };
    await ctx.stores.ledger.put([from, posting.number], entry);
    ctx.emit("credit", message);
  },
  async credit(ctx, { to, cents, move: by }) {
    const posting = await ctx.stores.accounts.update("post", to, cents, by);
    const entry = { move: by, change: cents, cents: posting.cents };
    await ctx.stores.ledger.put([to, posting.number], entry);
    ctx.result(by);
  },
});

/** Places that chains pass: few, so that they meet there. */
const placeCount = 7;
/** Notes of a chain: plain nodes, which go round the tasks. */
export const notesPerChain = 2;

const chain = agent({
  stores: { trails, notes },
  entry: "begin",
  result: type<number>(),
  nodes: {
    begin: node({ input: type<Chain>(), to: ["hop", "note"] }),
    hop: node({
      input: type<Chain & { readonly hop: number }>(),
      to: ["hop"],
      key: (message) => `place-${(message.chain + message.hop) % placeCount}`,
    }),
    note: node({ input: type<{ readonly chain: number; readonly n: number }>() }),
  },
}).implement({
  begin(ctx, message) {
    for (let n = 1; n <= notesPerChain; n += 1) ctx.emit("note", { chain: message.chain, n });
    ctx.emit("hop", { ...message, hop: 1 });
  },
  async hop(ctx, message) {
    await ctx.stores.trails.update("visit", message.chain, message.hop);
    if (message.hop === message.hops) ctx.result(message.hop);
    else ctx.emit("hop", { ...message, hop: message.hop + 1 });
  },
  async note(ctx, { chain: of, n }) {
    await ctx.stores.notes.put([of, n], { n, body: bodyOf(`note-${of}`, n) });
  },
});

export default topology("workload", import.meta.url, {
  stores: { logs, registers, accounts, ledger, trails, notes },
  agents: { move, chain },
});
