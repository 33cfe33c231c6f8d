// Topology — what a tortured process serves: rows that notice by themselves when something that
// should have happened once did not happen, or happened twice, or out of order.
//
// Owns: the stores, the agents, and what each row counts. Leaves to others: the load (load/), and
// what must be found after a kill (record/).
//
// Every writer numbers what it writes. A row keeps the newest number, and counts two things apart:
// `breaks`, numbers that were not the next one, and `repeats`, numbers that came again. A node that
// a kill has cut off is run again with the same number: that would be a repeat, were its store
// operations not remembered.

import { existsSync, writeFileSync } from "node:fs";
import {
  agent,
  integer,
  keyValueStore,
  node,
  PartitaError,
  reply,
  string,
  topology,
  tuple,
  type,
} from "../../index.js";
import { bounded } from "../bounded-agent.js";
import { makeBody, mark } from "./body.js";
import { type Begin, effects } from "./effects-store.js";
import { answers, confirm, survey } from "./surveys.js";

/** The value of a register: number `n` of its one writer, in a body that only `n` has. */
export interface Register {
  readonly n: number;
  readonly breaks: number;
  readonly body: Uint8Array;
}

const registers = keyValueStore({
  key: string,
  value: type<Register>(),
  updates: {
    /** `after`: the number that the row must have, 0 for none. */
    write: (current: Register | undefined, key: string, n: number, after: number) => {
      const next = nextRegister(current, key, n, after);
      return reply(next, next.breaks);
    },
  },
});

/** What a write makes of a register. */
export function nextRegister(
  current: Register | undefined,
  key: string,
  n: number,
  after: number,
): Register {
  const breaks = (current?.breaks ?? 0) + ((current?.n ?? 0) === after ? 0 : 1);
  return { n, breaks, body: makeBody(mark(key, n)) };
}

/** Nothing in these rows says that an addition came twice: that is what ids are for. */
const tickets = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count: number | undefined) => (count ?? 0) + 1 },
});

/** Filled and cleared in rounds. */
const scratch = keyValueStore({ key: string, value: type<number>() });

/** The newest number of each sender. */
export interface Inbox {
  readonly last: Readonly<Record<string, number>>;
  readonly breaks: number;
  readonly repeats: number;
}

const inboxes = keyValueStore({
  key: string,
  value: type<Inbox>(),
  updates: {
    append: (inbox: Inbox | undefined, sender: string, n: number): Inbox => {
      const { last, breaks, repeats } = inbox ?? { last: {}, breaks: 0, repeats: 0 };
      const newest = last[sender] ?? 0;
      if (n === newest) return { last, breaks, repeats: repeats + 1 };
      const isNext = n === newest + 1;
      return { last: { ...last, [sender]: n }, breaks: breaks + (isNext ? 0 : 1), repeats };
    },
  },
});

/** A message to an inbox, by way of a node. */
export interface Post {
  readonly inbox: string;
  readonly sender: string;
  readonly n: number;
}

const post = agent({
  stores: { inboxes },
  entry: "deliver",
  result: type<number>(),
  nodes: { deliver: node({ input: type<Post>(), key: ({ inbox }) => inbox }) },
}).implement({
  async deliver(ctx, { inbox, sender, n }) {
    await ctx.stores.inboxes.update("append", inbox, sender, n);
    ctx.result(n);
  },
});

/** What a debit or a credit made of an account. */
export interface Posting {
  /** Number of the payer's transfer, or of the payer's messages to this payee. */
  readonly n: number;
  /** Of its entry, and the balance after it. */
  readonly entry: number;
  readonly cents: number;
}

export interface Account {
  readonly cents: number;
  readonly entries: number;
  readonly debited: Posting;
  /** By payee: how many messages went to it. */
  readonly sent: Readonly<Record<string, number>>;
  /** By payer. */
  readonly credited: Readonly<Record<string, Posting>>;
  readonly breaks: number;
  readonly repeats: number;
}

export const openingCents = 1_000_000;
/** Entries of an account that are kept: row `entry % entriesKept`. */
export const entriesKept = 16;

const opened: Account = {
  cents: openingCents,
  entries: 0,
  debited: { n: 0, entry: 0, cents: openingCents },
  sent: {},
  credited: {},
  breaks: 0,
  repeats: 0,
};

const accounts = keyValueStore({
  key: string,
  value: type<Account>(),
  updates: {
    debit: (account: Account = opened, n: number, to: string, cents: number) => {
      const { debited, sent } = account;
      const number = sent[to] ?? 0;
      if (n === debited.n) {
        return reply({ ...account, repeats: account.repeats + 1 }, { ...debited, number });
      }
      const posting = posted(account, n, -cents);
      const next: Account = {
        ...account,
        ...balance(posting),
        debited: posting,
        sent: { ...sent, [to]: number + 1 },
        breaks: account.breaks + (n === debited.n + 1 ? 0 : 1),
      };
      return reply(next, { ...posting, number: number + 1 });
    },
    credit: (account: Account = opened, n: number, from: string, cents: number) => {
      const newest = account.credited[from];
      if (n === newest?.n) {
        return reply({ ...account, repeats: account.repeats + 1 }, newest);
      }
      const posting = posted(account, n, cents);
      const next: Account = {
        ...account,
        ...balance(posting),
        credited: { ...account.credited, [from]: posting },
        breaks: account.breaks + (n === (newest?.n ?? 0) + 1 ? 0 : 1),
      };
      return reply(next, posting);
    },
  },
});

function posted({ entries, cents }: Account, n: number, change: number): Posting {
  return { n, entry: entries + 1, cents: cents + change };
}

function balance({ entry, cents }: Posting): Pick<Account, "entries" | "cents"> {
  return { entries: entry, cents };
}

export interface LedgerEntry {
  readonly entry: number;
  readonly change: number;
  readonly cents: number;
}

const ledger = keyValueStore({ key: tuple(string, integer), value: type<LedgerEntry>() });

export interface Transfer {
  readonly n: number;
  readonly from: string;
  readonly to: string;
  readonly cents: number;
}

const transfer = agent({
  stores: { accounts, ledger },
  entry: "debit",
  result: type<number>(),
  nodes: {
    debit: node({ input: type<Transfer>(), to: ["credit"], key: ({ from }) => from }),
    credit: node({ input: type<Transfer>(), key: ({ to }) => to }),
  },
}).implement({
  async debit(ctx, { n, from, to, cents }) {
    const posting = await ctx.stores.accounts.update("debit", from, n, to, cents);
    await insist(() => write(ctx.stores.ledger, from, posting, -cents));
    ctx.emit("credit", { n: posting.number, from, to, cents });
  },
  async credit(ctx, { n, from, to, cents }) {
    const posting = await ctx.stores.accounts.update("credit", to, n, from, cents);
    await insist(() => write(ctx.stores.ledger, to, posting, cents));
    ctx.result(n);
  },
});

interface Ledger {
  put(key: [string, number], value: LedgerEntry): Promise<void>;
}

function write(book: Ledger, account: string, { entry, cents }: Posting, change: number) {
  return book.put([account, entry % entriesKept], { entry, change, cents });
}

const insistPauseMs = 20;

/** The thread that owns the row may be on its way back. */
async function insist(operation: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await operation();
    } catch (error) {
      if (!PartitaError.is(error) || error.code !== "TASK_EXITED") throw error;
      await new Promise((resolve) => setTimeout(resolve, insistPauseMs));
    }
  }
}

interface Step extends Begin {
  readonly step: number;
  /** `<invocation> <step>`: each step has a place of its own. */
  readonly place: string;
}

/** Goes from task to task. */
const chain = agent({
  stores: { effects },
  entry: "begin",
  result: type<number>(),
  nodes: {
    begin: node({ input: type<Begin>(), to: ["hop"] }),
    hop: node({ input: type<Step>(), to: ["hop"], key: ({ place }) => place }),
  },
}).implement({
  begin(ctx, message) {
    ctx.emit("hop", stepOf(ctx.invocationId, 1, message));
  },
  async hop(ctx, { step, place, of, call }) {
    await ctx.stores.effects.update("note", place, { of, call }, ctx.nodeInvocationId);
    if (step === of) ctx.result(of);
    else ctx.emit("hop", stepOf(ctx.invocationId, step + 1, { of, call }));
  },
});

/** Goes to many tasks at once. */
const fan = agent({
  stores: { effects },
  entry: "spread",
  result: type<number>(),
  nodes: {
    spread: node({ input: type<Begin>(), to: ["leaf"] }),
    leaf: node({ input: type<Step>(), key: ({ place }) => place }),
  },
}).implement({
  spread(ctx, message) {
    for (let step = 1; step <= message.of; step += 1) {
      ctx.emit("leaf", stepOf(ctx.invocationId, step, message));
    }
  },
  async leaf(ctx, { place, of, call }) {
    await ctx.stores.effects.update("note", place, { of, call }, ctx.nodeInvocationId);
    ctx.result(of);
  },
});

function stepOf(invocation: string, step: number, { of, call }: Begin): Step {
  return { of, call, step, place: `${invocation} ${step}` };
}

/** How a node ends the thread that it runs on. */
export interface Strike {
  readonly how: "exit" | "memory";
  /** Made before: when it exists, the node is being run again and does nothing. */
  readonly mark: string;
}

const striker = agent({
  entry: "strike",
  result: type<number>(),
  nodes: { strike: node({ input: type<Strike>() }) },
}).implement({
  strike(ctx, { how, mark: file }) {
    if (existsSync(file)) return ctx.result(1);
    writeFileSync(file, how);
    if (how === "exit") process.exit(9);
    const hoard: object[] = [];
    for (;;) hoard.push(new Array(100_000).fill(hoard.length));
  },
});

const switches = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { exit: (_current: number | undefined, status: number): number => process.exit(status) },
});

/** Few functions that only wait stay in memory: the others run again with what they waited for. */
const first = bounded(post, () => ({ awakeWaitingMax: 2 }));

export default topology("torture", import.meta.url, {
  stores: { registers, tickets, scratch, inboxes, accounts, ledger, effects, answers, switches },
  agents: { post: first, transfer, chain, fan, survey, confirm, striker },
});
