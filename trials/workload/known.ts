// Known — what is known for certain of a directory: the workload's journal, line by line, as data.
//
// The process says what it is about to ask and what it was told, each before it goes on:
//   try log 3 17        about to append 17         ack log 3 17     it was acknowledged
//   try reg 5 1007 1    about to put (0: delete)   ack reg 5 1007 1
//   try open 2          about to open account 2    ack open 2
//   try move 7          about to begin             ack move 7 <id>  accepted      done move 7
//   try chain 9         the same                   ack chain 9 <id>               done chain 9
//   found log 3 16      what a launch has found    found reg 5 1007 (or -)
//   launched, closing, closed, error <text>: for those who read the journal
// Owns: lines and what follows from them. Leaves to others: comparing with a directory (judge.ts).
//
// Invariants:
//   K1. A line is written before what it announces, and after what it reports: at any instant the
//       lines so far bound what a directory may hold, from below by `ack`, from above by `try`.
//   K2. It is plain data: it crosses to other processes as JSON.

/** Appends of one log: all up to `acked` are there, none behind `tried` is. */
export interface KnownLog {
  acked: number;
  tried: number;
}

/** One state of a register: its number, and whether it was put or deleted. */
export interface RegisterState {
  readonly n: number;
  readonly present: boolean;
}

/** A register is in its acknowledged state, or in one that was tried since. */
export interface KnownRegister {
  acked: RegisterState;
  tried: RegisterState[];
}

/** An invocation that was tried; with an id it was accepted. */
export interface KnownInvocation {
  id?: string;
  done?: true;
}

/** Where an account stood when it was looked at: what came before was in order. */
export interface AccountBase {
  readonly entries: number;
  readonly cents: number;
}

export interface Known {
  readonly logs: Record<string, KnownLog>;
  readonly registers: Record<string, KnownRegister>;
  /** Accounts by number: 1 tried, 2 acknowledged. */
  readonly opened: Record<string, 1 | 2>;
  /** Invocations by number, those not settled yet. */
  readonly moves: Record<string, KnownInvocation>;
  readonly chains: Record<string, KnownInvocation>;
  /** All chains up to this number were judged to be complete, or never accepted. */
  chainsSettled: number;
  readonly accounts: Record<string, AccountBase>;
  /** Acknowledgements so far. */
  acks: number;
  /** What launches have found and could not be. */
  readonly broken: string[];
}

export function nothingKnown(): Known {
  return {
    logs: {},
    registers: {},
    opened: {},
    moves: {},
    chains: {},
    chainsSettled: 0,
    accounts: {},
    acks: 0,
    broken: [],
  };
}

/** A number above all that invocations were given. */
export function nextInvocation({ moves, chains, chainsSettled }: Known): number {
  const used = [...Object.keys(moves), ...Object.keys(chains)].map(Number);
  return Math.max(chainsSettled, ...used) + 1;
}

/** Takes one line of the journal. Lines of other kinds are left to the reader. */
export function learn(known: Known, line: string): void {
  const [verb = "", kind = "", name = "", ...rest] = line.split(" ");
  if (verb !== "try" && verb !== "ack" && verb !== "found" && verb !== "done") return;
  if (verb === "ack" || verb === "done") known.acks += 1;
  if (kind === "log") learnLog(known, verb, name, Number(rest[0]));
  else if (kind === "reg") learnRegister(known, verb, name, rest);
  else if (kind === "open") known.opened[name] = verb === "ack" ? 2 : (known.opened[name] ?? 1);
  else if (kind === "move") learnInvocation(known.moves, verb, name, rest[0]);
  else if (kind === "chain") learnInvocation(known.chains, verb, name, rest[0]);
  else throw new RangeError(`the journal has a line "${line}"`);
}

function learnLog(known: Known, verb: string, name: string, n: number): void {
  known.logs[name] ??= { acked: 0, tried: 0 };
  const log = known.logs[name];
  if (verb === "try") log.tried = Math.max(log.tried, n);
  else if (verb === "found" && (n < log.acked || n > log.tried)) {
    known.broken.push(`a launch has found ${name} ${n}, not ${log.acked} to ${log.tried}`);
  }
  if (verb !== "try") log.acked = Math.max(log.acked, n);
  // What the process before had on the way is gone: nothing was there to send it.
  if (verb === "found") log.tried = log.acked;
}

function learnRegister(known: Known, verb: string, name: string, rest: readonly string[]): void {
  const [n = "", present = "1"] = rest;
  const register = knownRegister(known, name);
  const state = { n: n === "-" ? 0 : Number(n), present: n !== "-" && present === "1" };
  if (verb === "try") {
    register.tried.push(state);
    return;
  }
  if (verb === "found" && !isPossible(register, state.present ? state.n : undefined)) {
    known.broken.push(`a launch has found ${name} ${rest.join(" ")}`);
  }
  register.acked = state;
  // Requests for one register leave one at a time.
  register.tried = [];
}

/** Whether a register may hold number `n`, or nothing. */
export function isPossible({ acked, tried }: KnownRegister, n: number | undefined): boolean {
  return [acked, ...tried].some((state) => {
    return n === undefined ? !state.present : state.present && state.n === n;
  });
}

/** What is known of a register; one that nobody wrote is not there. */
export function knownRegister(known: Known, name: string): KnownRegister {
  known.registers[name] ??= { acked: { n: 0, present: false }, tried: [] };
  return known.registers[name];
}

function learnInvocation(
  of: Record<string, KnownInvocation>,
  verb: string,
  name: string,
  id: string | undefined,
): void {
  of[name] ??= {};
  const invocation = of[name];
  if (verb === "ack" && id !== undefined) invocation.id = id;
  if (verb === "done") invocation.done = true;
}
