// Observe — everything a launched workload holds, as data that a judge can look at.

import { PartitaError } from "../../index.js";
import type { Known, KnownInvocation } from "./known.js";
import { registerCount, type Workload } from "./load.js";
import type { Account, Entry, Log, Register, Trail } from "./topology.js";

/** The stores that no agent writes: they are judged as a launch finds them. */
export interface ObservedWrites {
  readonly logs: ReadonlyMap<string, Log>;
  readonly registers: ReadonlyMap<string, Register>;
}

/** What agents have left, once everything has finished. */
export interface ObservedAgents {
  readonly accounts: ReadonlyMap<string, Account>;
  /** Of each account, from its base on, in order. */
  readonly entries: ReadonlyMap<string, readonly (Entry & { readonly number: number })[]>;
  readonly trails: ReadonlyMap<number, Trail>;
  readonly notes: ReadonlyMap<number, readonly Register[]>;
  /** Results of the accepted invocations that are not settled, or what stood in their place. */
  readonly moveResults: ReadonlyMap<number, number | string>;
  readonly chainResults: ReadonlyMap<number, number | string>;
}

export async function observeWrites(runtime: Workload): Promise<ObservedWrites> {
  const logs = new Map<string, Log>();
  for await (const [name, log] of runtime.store("logs").entries()) logs.set(name, log);
  const registers = new Map<string, Register>();
  for await (const [name, register] of runtime.store("registers").entries()) {
    registers.set(name, register);
  }
  // A scan merges layers, a read takes the topmost: both must say the same.
  const names = Array.from({ length: registerCount }, (_, index) => `register-${index}`);
  const read = await runtime.store("registers").getMany(names);
  for (const [index, name] of names.entries()) {
    const [one, other] = [read[index]?.n, registers.get(name)?.n];
    if (one !== other) throw new Error(`${name} reads as ${one} and is listed as ${other}`);
  }
  return { logs, registers };
}

/** Call it when the runtime has drained. */
export async function observeAgents(
  runtime: Workload,
  known: Known,
  signal: AbortSignal,
): Promise<ObservedAgents> {
  const accounts = new Map<string, Account>();
  for await (const [name, account] of runtime.store("accounts").entries()) {
    accounts.set(name, account);
  }
  const entries = new Map<string, (Entry & { number: number })[]>();
  for (const name of accounts.keys()) {
    const list: (Entry & { number: number })[] = [];
    const from = (known.accounts[name]?.entries ?? 0) + 1;
    const bounds = { prefix: [name], from: [name, from] } as const;
    for await (const [[, number], entry] of runtime.store("ledger").entries(bounds)) {
      list.push({ number, ...entry });
    }
    entries.set(name, list);
  }
  const from = known.chainsSettled + 1;
  const trails = new Map<number, Trail>();
  for await (const [number, trail] of runtime.store("trails").entries({ from })) {
    trails.set(number, trail);
  }
  const notes = new Map<number, Register[]>();
  for await (const [[number], note] of runtime.store("notes").entries({ from: [from, 0] })) {
    const list = notes.get(number);
    if (list === undefined) notes.set(number, [note]);
    else list.push(note);
  }
  const move = runtime.agent("move");
  const chain = runtime.agent("chain");
  return {
    accounts,
    entries,
    trails,
    notes,
    moveResults: await results(known.moves, (id) => move.get(id).result({ signal })),
    chainResults: await results(known.chains, (id) => chain.get(id).result({ signal })),
  };
}

async function results(
  invocations: Readonly<Record<string, KnownInvocation>>,
  resultOf: (id: string) => Promise<number>,
): Promise<ReadonlyMap<number, number | string>> {
  const found = new Map<number, number | string>();
  for (const [number, { id }] of Object.entries(invocations)) {
    if (id === undefined) continue;
    const result = await resultOf(id).catch((error: unknown) => {
      if (!PartitaError.is(error)) throw error;
      return error.code;
    });
    found.set(Number(number), result);
  }
  return found;
}
