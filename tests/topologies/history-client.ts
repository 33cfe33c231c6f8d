// History client — performs seeded random operations on versioned registers and notes all of them.
//
// It runs wherever it is given clients of the store: on the launching thread and within nodes on
// task threads. Owns: the choice of operations and the notes. Leaves to others: whether the notes
// make sense (testing/versioned-history.ts).
//
// Every write raises the version in the value by one and names itself in it, so what a read returns
// says which write it has seen. Times are of CLOCK_MONOTONIC, which all threads share.

import type { KeyValueStore } from "../../index.js";
import type { VersionedOperation } from "../../testing/index.js";

/** The value of a register. */
export interface Register {
  readonly version: number;
  /** `client/call` of the write. */
  readonly by: string;
  /** Fills arenas. */
  readonly padding: string;
}

export const registerUpdates = {
  write: (current: Register | undefined, by: string, paddingBytes: number): Register =>
    nextRegister(current, by, paddingBytes),
};

/** Clients of the store of registers. */
export type Registers = KeyValueStore<string, Register, typeof registerUpdates>;

/** What one client is to do. */
export interface HistoryTask {
  readonly client: string;
  readonly seed: number;
  /** Written and read; the first ones more often. */
  readonly keys: readonly string[];
  readonly calls: number;
  /** Calls that are under way at a time. */
  readonly window: number;
  readonly paddingBytes: number;
}

/** One read or write of one key; its value is marked with the write's `by`. Nanoseconds. */
export interface HistoryNote extends VersionedOperation {
  readonly client: string;
  readonly call: number;
  readonly version: number;
}

/** Performs the calls of one client and returns what came of them. */
export async function performHistory(
  registers: Registers,
  task: HistoryTask,
): Promise<HistoryNote[]> {
  const notes: HistoryNote[] = [];
  const random = randomFrom(task.seed);
  const underWay = new Set<Promise<void>>();
  for (let call = 1; call <= task.calls; call += 1) {
    const choice = random();
    const key = task.keys[Math.floor(random() ** 2 * task.keys.length)] ?? "";
    // A modify reads and writes in two steps: alone, the order of this client's calls stays plain.
    const isAlone = choice >= 0.75 && choice < 0.85;
    if (isAlone) await Promise.all(underWay);
    const performed = perform({ registers, task, notes, call, key }, choice);
    const done = performed.finally(() => underWay.delete(done));
    underWay.add(done);
    if (isAlone) await done;
    else if (underWay.size >= task.window) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  return notes;
}

/** What a client that only reads is to do. */
export interface GazeTask {
  readonly client: string;
  /** Read in turns, until each of them was seen in so many versions. */
  readonly keys: readonly string[];
  readonly versionsSeen: number;
}

const gazeMsMax = 10_000;

interface Gazed {
  readonly key: string;
  readonly notes: HistoryNote[];
}

/**
 * Reads without ever letting the event loop turn: nothing but a promise is awaited between two
 * reads, and none of them needs a message. Of reads in a row that see one version it notes the
 * first and the last.
 */
export async function performGaze(registers: Registers, task: GazeTask): Promise<HistoryNote[]> {
  const end = performance.now() + gazeMsMax;
  const seen = task.keys.map((key): Gazed => ({ key, notes: [] }));
  for (let call = 1; performance.now() < end; call += 1) {
    for (const { key, notes } of seen) {
      note({ task, notes, call }, "read", key, now(), await registers.get(key));
      const [first, middle, last] = notes.slice(-3);
      if (
        last !== undefined &&
        first?.version === last.version &&
        middle?.version === last.version
      ) {
        notes.splice(-2, 1);
      }
    }
    const versions = seen.map(({ notes }) => new Set(notes.map(({ version }) => version)).size);
    if (Math.min(...versions) >= task.versionsSeen) break;
  }
  return seen.flatMap(({ notes }) => notes);
}

interface Noted {
  readonly task: { readonly client: string };
  readonly notes: HistoryNote[];
  readonly call: number;
}

interface Call extends Noted {
  readonly registers: Registers;
  readonly task: HistoryTask;
  readonly key: string;
}

async function perform(on: Call, choice: number): Promise<void> {
  const { registers, task, key } = on;
  const { paddingBytes } = task;
  const invoked = now();
  const by = `${task.client}/${on.call}`;
  if (choice < 0.4) note(on, "read", key, invoked, await registers.get(key));
  else if (choice < 0.75) {
    note(on, "write", key, invoked, await registers.update("write", key, by, paddingBytes));
  } else if (choice < 0.85) {
    const change = (current: Register | undefined) => nextRegister(current, by, paddingBytes);
    note(on, "write", key, invoked, await registers.modify(key, change));
  } else if (choice < 0.96) {
    const keys = [key, ...task.keys.slice(0, 4)];
    const found = await registers.getMany(keys);
    for (const [index, one] of keys.entries()) note(on, "read", one, invoked, found[index]);
  } else {
    for await (const [one, value] of registers.entries({ from: key, limit: 20 })) {
      note(on, "read", one, invoked, value);
    }
  }
}

function note(
  { task, notes, call }: Noted,
  kind: "read" | "write",
  key: string,
  invoked: number,
  value: Register | undefined,
): void {
  const written =
    value === undefined ? { version: 0 } : { version: value.version, value: value.by };
  notes.push({ kind, client: task.client, call, key, invoked, returned: now(), ...written });
}

function nextRegister(current: Register | undefined, by: string, paddingBytes: number): Register {
  return { version: (current?.version ?? 0) + 1, by, padding: "-".repeat(paddingBytes) };
}

function now(): number {
  return Number(process.hrtime.bigint());
}

function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
