// The topology of the simulator's trial: stores whose values can be judged, and agents whose
// effects can be counted.
//
// Every effect of a message is a count under a name of its own: 1 when it was applied once.

import {
  accumulate,
  agent,
  finished,
  gather,
  keyValueStore,
  node,
  reply,
  scatter,
  string,
  sum,
  topology,
  type,
} from "../../index.js";
import { bounded } from "../bounded-agent.js";
import { counts } from "./counts.js";
import { clerks, knots, leaders, loops } from "./driving-topology.js";
import { stage } from "./stage.js";
import {
  answers,
  cousins,
  desks,
  families,
  inquiries,
  offices,
  relays,
  stories,
} from "./waiting-topology.js";
import { tales } from "./tales.js";

/** A register: every write raises its version by one and names itself. */
export interface Written {
  readonly version: number;
  readonly by: string;
}

export const registers = keyValueStore({
  key: string,
  value: type<Written>(),
  updates: {
    write: (current, by: string) => {
      const version = (current?.version ?? 0) + 1;
      return reply({ version, by }, version);
    },
    fail: (current, by: string) => {
      throw new RangeError(`${by} refuses version ${current?.version ?? 0}`);
    },
  },
});

/** Plain values: put, deleted, cleared. */
export const slots = keyValueStore({ key: string, value: type<string>() });

export const balances = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (balance = 0, by: number) => balance + by },
});

/** What a receiver has taken: the numbers of each sender's messages, in the order they came. */
export type Inbox = Readonly<Record<string, readonly number[]>>;

export const inboxes = keyValueStore({
  key: string,
  value: type<Inbox>(),
  updates: {
    take: (inbox: Inbox | undefined, sender: string, number: number) => {
      return { ...inbox, [sender]: [...(inbox?.[sender] ?? []), number] };
    },
  },
});

export interface Transfer {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly amount: number;
}

const transfers = agent({
  stores: { balances, counts },
  entry: "debit",
  result: type<string>(),
  nodes: {
    debit: node({ input: type<Transfer>(), key: ({ from }) => from, to: ["credit"] }),
    credit: node({ input: type<Transfer>(), key: ({ to }) => to }),
  },
}).implement({
  async debit(ctx, transfer) {
    stage().turn(`debit ${transfer.from}`, ctx);
    await ctx.stores.counts.update("add", `${transfer.id} debit`, 1);
    await ctx.stores.balances.update("add", transfer.from, -transfer.amount);
    ctx.emit("credit", transfer);
  },
  async credit(ctx, transfer) {
    stage().turn(`credit ${transfer.to}`, ctx);
    const added = ctx.stores.balances.update("add", transfer.to, transfer.amount);
    await Promise.all([added, ctx.stores.counts.update("add", `${transfer.id} credit`, 1)]);
    ctx.result(transfer.id);
  },
});

export interface Chain {
  readonly id: string;
  /** The key of each hop. */
  readonly path: readonly string[];
  readonly hop: number;
}

const keyOfHop = ({ path, hop }: Chain): string => path[hop] ?? "end";

/** From one node to the other and back, over the tasks that own the keys: a cycle. */
const chains = agent({
  stores: { counts },
  entry: "there",
  result: type<number>(),
  nodes: {
    there: node({ input: type<Chain>(), key: keyOfHop, to: ["back"] }),
    back: node({ input: type<Chain>(), key: keyOfHop, to: ["there"] }),
  },
}).implement({
  async there(ctx, chain) {
    stage().turn(`there ${keyOfHop(chain)}`, ctx);
    await ctx.stores.counts.update("add", `${chain.id} hop ${chain.hop}`, 1);
    if (chain.hop + 1 === chain.path.length) ctx.result(chain.hop);
    else ctx.emit("back", { ...chain, hop: chain.hop + 1 });
  },
  async back(ctx, chain) {
    stage().turn(`back ${keyOfHop(chain)}`, ctx);
    await ctx.stores.counts.update("add", `${chain.id} hop ${chain.hop}`, 1);
    if (chain.hop + 1 === chain.path.length) ctx.result(chain.hop);
    else ctx.emit("there", { ...chain, hop: chain.hop + 1 });
  },
});

export interface Letter {
  readonly sender: string;
  readonly receiver: string;
}

/** Senders number their messages for each receiver; receivers say which did not follow on. */
const letters = agent({
  stores: { counts, inboxes },
  entry: "send",
  result: type<number>(),
  nodes: {
    send: node({ input: type<Letter>(), key: ({ sender }) => sender, to: ["receive"] }),
    receive: node({
      input: type<Letter & { readonly number: number }>(),
      key: ({ receiver }) => receiver,
    }),
  },
}).implement({
  async send(ctx, letter) {
    stage().turn(`send ${letter.sender}`, ctx);
    const numbers = `${letter.sender} to ${letter.receiver}`;
    ctx.emit("receive", { ...letter, number: await ctx.stores.counts.update("add", numbers, 1) });
  },
  async receive(ctx, { sender, receiver, number }) {
    stage().turn(`receive ${receiver}`, ctx);
    await ctx.stores.inboxes.update("take", receiver, sender, number);
    ctx.result(number);
  },
});

export interface Split {
  readonly id: string;
  readonly targets: readonly string[];
}

/** One completion with several messages: all of them, or none. */
const splits = agent({
  stores: { counts },
  entry: "split",
  result: type<string>(),
  nodes: {
    split: node({ input: type<Split>(), to: ["part", "haunt"] }),
    part: node({
      input: type<{ readonly id: string; readonly part: number; readonly key: string }>(),
      key: ({ key }) => key,
    }),
    haunt: node({ input: type<string>() }),
  },
}).implement({
  split(ctx, { id, targets }) {
    for (const [part, key] of targets.entries()) ctx.emit("part", { id, part, key });
    if (targets.length > 0) return;
    ctx.emit("haunt", id);
    throw new RangeError("a split without parts");
  },
  async part(ctx, { id, part, key }) {
    stage().turn(`part ${key}`, ctx);
    await ctx.stores.counts.update("add", `${id} part ${part}`, 1);
    if (part === 0) ctx.result(id);
  },
  async haunt(ctx, id) {
    await ctx.stores.counts.update("add", `${id} ghost`, 1);
  },
});

/** Groups of members; `enough` of each end its scope, which may be fewer than there are. */
export interface Tally {
  readonly id: string;
  readonly groups: readonly { readonly keys: readonly string[]; readonly enough: number }[];
}

interface Member {
  readonly id: string;
  readonly group: number;
  readonly member: number;
  readonly key: string;
  readonly enough: number;
}

/** Scopes within a scope, some of which end early: each gather runs once, on its own inputs. */
const tallies = agent({
  stores: { counts },
  entry: "tally",
  result: type<number>(),
  nodes: {
    tally: scatter({ input: type<Tally>(), to: ["group"], carry: type<string>() }),
    group: scatter({
      input: type<{ readonly id: string; readonly members: readonly Member[] }>(),
      to: ["member"],
      carry: type<{ readonly id: string; readonly name: string; readonly expected: number }>(),
    }),
    member: node({ input: type<Member>(), key: ({ key }) => key, to: ["counted"] }),
    counted: gather({
      collect: accumulate(
        (): string[] => [],
        (names, { name, enough }: { readonly name: string; readonly enough: number }) => {
          names.push(name);
          return names.length === enough ? finished(names) : names;
        },
      ),
      carry: type<{ readonly id: string; readonly name: string; readonly expected: number }>(),
      to: ["total"],
    }),
    total: gather({ collect: sum, carry: type<string>() }),
  },
}).implement({
  tally(ctx, { id, groups }) {
    for (const [group, { keys, enough }] of groups.entries()) {
      const members = keys.map((key, member) => ({ id, group, member, key, enough }));
      ctx.emit("group", { id: `${id} group ${group}`, members });
    }
    return id;
  },
  group(ctx, { id, members }) {
    for (const member of members) ctx.emit("member", member);
    const [first] = members;
    const expected = Math.min(members.length, first?.enough ?? 0);
    return { id: first?.id ?? "", name: id, expected };
  },
  async member(ctx, { id, group, member, key, enough }) {
    stage().turn(`member ${key}`, ctx);
    const name = `${id} group ${group}`;
    await ctx.stores.counts.update("add", `${name} member ${member}`, 1);
    ctx.emit("counted", { name, enough });
  },
  async counted(ctx, names, { id, name, expected }) {
    const isSound = names.length === expected && names.every((own) => own === name);
    await ctx.stores.counts.update("add", isSound ? name : `${id} miscounted`, 1);
    ctx.emit("total", expected);
  },
  async total(ctx, total, id) {
    await ctx.stores.counts.update("add", `${id} total`, 1);
    ctx.result(total);
  },
});

/** Pieces of which some throw in the first attempts: all of them count once in the end. */
export interface Trial {
  readonly id: string;
  readonly pieces: readonly { readonly key: string; readonly throwsBelow: number }[];
}

const trials = agent({
  stores: { counts },
  entry: "begin",
  result: type<number>(),
  maxRetries: 3,
  nodes: {
    begin: scatter({ input: type<Trial>(), to: ["piece"], carry: type<string>() }),
    piece: node({
      input: type<{
        readonly id: string;
        readonly piece: number;
        readonly key: string;
        readonly throwsBelow: number;
      }>(),
      key: ({ key }) => key,
      to: ["end"],
    }),
    end: gather({ collect: sum, carry: type<string>() }),
  },
}).implement({
  async begin(ctx, { id, pieces }) {
    await ctx.stores.counts.update("add", `${id} begin`, 1);
    for (const [piece, part] of pieces.entries()) ctx.emit("piece", { id, piece, ...part });
    return id;
  },
  async piece(ctx, { id, piece, key, throwsBelow }) {
    stage().turn(`piece ${key}`, ctx);
    await ctx.stores.counts.update("add", `${id} piece ${piece}`, 1);
    if (ctx.attempt < throwsBelow) throw new RangeError(`piece ${piece} in ${ctx.attempt}`);
    await ctx.run("work", () => piece);
    ctx.emit("end", 1);
  },
  async end(ctx, ended, id) {
    await ctx.stores.counts.update("add", `${id} end`, 1);
    ctx.result(ended);
  },
});

export interface Walk {
  readonly id: string;
  /** Steps that are left: it ends by itself when nobody cancels it. */
  readonly left: number;
}

/** From key to key: what it does is counted under one name, which must stand still at last. */
const walks = agent({
  stores: { counts },
  entry: "step",
  result: type<string>(),
  nodes: {
    step: node({ input: type<Walk>(), key: ({ left }) => left % 3, to: ["step"] }),
  },
}).implement({
  async step(ctx, { id, left }) {
    await ctx.stores.counts.update("add", `${id} steps`, 1);
    if (left === 0) ctx.result(id);
    else ctx.emit("step", { id, left: left - 1 });
  },
});

export interface Visit {
  readonly id: string;
  readonly key: string;
  readonly registers: readonly { readonly key: string; readonly writes: boolean }[];
}

/** A client on a task's thread: it reads and writes registers, and notes what it saw. */
const visits = agent({
  stores: { registers },
  entry: "visit",
  result: type<string>(),
  nodes: { visit: node({ input: type<Visit>(), key: ({ key }) => key }) },
}).implement({
  async visit(ctx, visit) {
    stage().turn(`visit ${visit.key}`, ctx);
    for (const [index, { key, writes }] of visit.registers.entries()) {
      const name = `${visit.id}.${index}`;
      const note = stage().note(name, key, writes ? "write" : "read");
      if (writes) note(await ctx.stores.registers.update("write", key, name), name);
      else {
        const found = await ctx.stores.registers.get(key);
        note(found?.version ?? 0, found?.by);
      }
    }
    ctx.result(visit.id);
  },
});

/** What waits beyond a seed's bound is given up, and run again. */
const first = bounded(transfers, () => ({ awakeWaitingMax: stage().awakeMax }));

export const simTopology = topology("sim", import.meta.url, {
  stores: { registers, slots, counts, balances, inboxes, answers, desks },
  agents: {
    transfers: first,
    chains,
    letters,
    splits,
    tallies,
    trials,
    walks,
    tales,
    visits,
    families,
    cousins,
    inquiries,
    offices,
    stories,
    relays,
    clerks,
    leaders,
    knots,
    loops,
  },
});

export type SimParts = (typeof simTopology)["parts"];
