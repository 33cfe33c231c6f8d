// Orders — what the parent tells a tortured process, one line of JSON each on its input, and the
// names and windows that both sides must agree on.
//
// The process answers in lines on its output. Each begins with a word for who is to read it:
//   booted · launching · launched · recovered · loading · closed · failed <text>     (life.ts)
//   found <part> …    what is there, while it recovers                               (record/)
//   ack <part> …      acknowledged, or seen: from now on it must be there            (record/)
//   bad <violation> <text>   what it has noticed itself                              (record/)

import { callId, type Durability } from "../../index.js";
import { mark } from "./body.js";

/** What breaks a promise. */
export const violations = ["lost", "duplicated", "reordered", "torn"] as const;
export type Violation = (typeof violations)[number];

/** Agents that leave a row for each of their messages. */
export const effectKinds = ["chain", "fan", "survey"] as const;
export type EffectKind = (typeof effectKinds)[number];

/** Launch, say what is there, and wait. */
export interface LaunchOrder {
  readonly order: "launch";
  readonly directory: string;
  readonly threads: number;
  readonly durability: Durability;
  readonly arenaBytes: number;
  readonly onThreadExit: "stop" | "restart";
  /** Invocations that were acknowledged, and what they must result in. */
  readonly results: readonly (readonly [EffectKind, string, number])[];
}

/** Where a writer of a register goes on. */
export interface RegisterResume {
  readonly next: number;
  readonly after: number;
}

/** A call of the life before, to be made again under its id. */
export interface Again {
  readonly n: number;
  /** The time in its id. */
  readonly ms: number;
  /** What it began; empty when it has not begun anything yet. */
  readonly id: string;
}

/** Go on writing. Numbers are those that come next. */
export interface LoadOrder {
  readonly order: "load";
  readonly seed: number;
  /** When this life begins to load, in milliseconds: the ids of its new calls are made of it. */
  readonly fromMs: number;
  readonly registers: Readonly<Record<string, RegisterResume>>;
  readonly tickets: Readonly<Record<string, TicketsResume>>;
  readonly scratchRound: number;
  /** By `<inbox> <sender>`. */
  readonly inboxes: Readonly<Record<string, number>>;
  readonly transfers: Readonly<Record<string, number>>;
  readonly effects: Readonly<Record<EffectKind, EffectsResume>>;
}

export interface TicketsResume {
  readonly next: number;
  /** The times in the ids of those just before, which are called again; oldest first. */
  readonly againMs: readonly number[];
}

export interface EffectsResume {
  readonly next: number;
  readonly again: readonly Again[];
}

/** Close under load. */
export interface CloseOrder {
  readonly order: "close";
}

/** End a thread, or the process, from within. */
export interface StrikeOrder {
  readonly order: "strike";
  readonly how: "node" | "update" | "memory" | "process";
  /** A file that is not there yet. */
  readonly mark: string;
}

export type Order = LaunchOrder | LoadOrder | CloseOrder | StrikeOrder;

export const taskCount = 4;

/** Calls that one client has under way. A client has keys of its own: so many of one key. */
export const windows = {
  registers: 10,
  tickets: 8,
  inboxes: 8,
  transfers: 8,
  effects: 6,
  scratch: 16,
} as const;

export const registerClients = 4;
export const registerNames = names("register", 48);
export const ticketNames = names("ticket", 6);
export const scratchNames = names("scratch", 24);
export const inboxNames = names("inbox", 4);
export const accountNames = names("account", 8);
/** Those that write to inboxes themselves, and those that do it through a node. */
export const updaters = names("updater", 3);
export const posters = names("poster", 2);

function names(kind: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${kind}-${index}`);
}

/** Whether number `n` of a register deletes it: both sides know it from its mark. */
export function isDelete(seed: number): boolean {
  return seed % 13 === 0;
}

/** How many messages invocation `n` of a kind has: the same when it is asked for again. */
export function messagesOf(kind: EffectKind, n: number): number {
  // A survey has two rows beside those of its checks.
  const least = kind === "survey" ? 3 : 1;
  return least + (mark(kind, n) % 7);
}

/**
 * The time in the id of a new call: its place among those of its name in a life that loads since
 * `fromMs`. Of whatever name, those of a later life are later: the oldest are forgotten first.
 */
export function msOf(n: number, next: number, fromMs: number): number {
  return fromMs + n - next;
}

/** The id of call `n` of a name. */
export function idOf(name: string, n: number, ms: number): string {
  return callId(`${name} ${n}`, ms);
}
