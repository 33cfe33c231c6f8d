// The operations that are tried on a storage and on its model alike, each followed by a comparison.

import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { expect } from "vitest";
import { hashKey } from "../../store/key-hash.js";
import type { KeyRange, RecordWrite, TableId } from "../../store/storage.js";
import { hex, hostileKeys } from "./storage-bytes.js";
import { commit } from "./storage-fixture.js";
import {
  type CrashLuck,
  nameOf,
  type StorageModel,
  type StorageSubject,
  shown,
  shownPage,
} from "./storage-model.js";

export type StorageCommand = fc.AsyncCommand<StorageModel, StorageSubject>;

/** Keys are few, so that they meet again. */
const keys = hostileKeys.slice(0, 9);
const tables = [16, 17];

interface WriteChoice {
  readonly table: TableId;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly saysFresh: boolean;
}

function recordsOf(
  model: StorageModel,
  choices: readonly WriteChoice[],
  version: number,
  cleared: readonly TableId[],
): readonly RecordWrite[] {
  const byKey = new Map(choices.map((choice) => [nameOf(choice.table, choice.key), choice]));
  return [...byKey.values()].map(({ table, key, value, saysFresh }, index) => ({
    table,
    key,
    keyHash: hashKey(key),
    version: version + index,
    value,
    fresh: saysFresh && (cleared.includes(table) || !model.has(table, key)),
  }));
}

class Commit implements StorageCommand {
  readonly #choices: readonly WriteChoice[];
  readonly #cleared: readonly TableId[];

  constructor(choices: readonly WriteChoice[], cleared: TableId | undefined) {
    this.#choices = choices;
    this.#cleared = cleared === undefined ? [] : [cleared];
  }

  check(): boolean {
    return true;
  }

  async run(model: StorageModel, subject: StorageSubject): Promise<void> {
    const version = subject.storage.versionLast + 1;
    const clears = this.#cleared.map((table) => [table, version] as const);
    const records = recordsOf(model, this.#choices, version + 1, this.#cleared);
    await commit(subject.storage, records, clears);
    model.commit(records, clears);
    expectSame(model, subject);
  }

  toString(): string {
    const writes = this.#choices.map(
      ({ table, key, value, saysFresh }) =>
        `${table}/${hex(key)}=${value === undefined ? "gone" : `${value.length} bytes`}` +
        `${saysFresh ? " fresh" : ""}`,
    );
    return `commit([${writes.join(", ")}], clears [${this.#cleared.join()}])`;
  }
}

class Look implements StorageCommand {
  readonly #table: TableId;
  readonly #range: KeyRange;
  readonly #limit: number;

  constructor(table: TableId, range: KeyRange, limit: number) {
    this.#table = table;
    this.#range = range;
    this.#limit = limit;
  }

  check(): boolean {
    return true;
  }

  async run(model: StorageModel, { storage, reader }: StorageSubject): Promise<void> {
    for (const source of [storage, reader]) {
      const page = shownPage(source.page(this.#table, this.#range, this.#limit));
      expect(page).toEqual(model.page(this.#table, this.#range, this.#limit));
      for (const key of keys) {
        const found = shown(source.get(this.#table, key, hashKey(key)));
        expect(found).toBe(model.get(this.#table, key));
      }
    }
  }

  toString(): string {
    const { from, to, reverse } = this.#range;
    const bounds = `${from ? hex(from) : ""}..${to ? hex(to) : ""}${reverse ? " down" : ""}`;
    return `look(${this.#table}, ${bounds}, ${this.#limit})`;
  }
}

class Checkpoint implements StorageCommand {
  check(): boolean {
    return true;
  }

  async run(model: StorageModel, subject: StorageSubject): Promise<void> {
    await subject.storage.checkpoint();
    model.becameDurable();
    expectSame(model, subject);
  }

  toString(): string {
    return "checkpoint";
  }
}

class Flush implements StorageCommand {
  check(): boolean {
    return true;
  }

  async run(model: StorageModel, subject: StorageSubject): Promise<void> {
    subject.storage.flush();
    model.becameDurable();
  }

  toString(): string {
    return "flush";
  }
}

class Reopen implements StorageCommand {
  check(): boolean {
    return true;
  }

  async run(model: StorageModel, subject: StorageSubject): Promise<void> {
    await subject.reopen();
    model.becameDurable();
    expectSame(model, subject);
  }

  toString(): string {
    return "reopen";
  }
}

class Crash implements StorageCommand {
  readonly #luck: CrashLuck;
  readonly #choices: readonly WriteChoice[];

  constructor(luck: CrashLuck, choices: readonly WriteChoice[]) {
    this.#luck = luck;
    this.#choices = choices;
  }

  check(): boolean {
    return true;
  }

  async run(model: StorageModel, subject: StorageSubject): Promise<void> {
    const { checkpointTurns, frameInHand } = this.#luck;
    if (checkpointTurns !== undefined) {
      // It ends with the storage that it belongs to; how is of no interest.
      subject.storage.checkpoint().catch(() => undefined);
      for (let turn = 0; turn < checkpointTurns; turn += 1) await nextTurn();
    }
    const records = recordsOf(model, this.#choices, subject.storage.versionLast + 1, []);
    if (frameInHand && subject.storage.hasRoom(records)) {
      subject.storage.append(records);
      model.append(records, []);
    }
    await subject.crash(this.#luck);
    model.crashedTo(subject.storage.batchLast);
    expectSame(model, subject);
  }

  toString(): string {
    return `crash(${JSON.stringify(this.#luck)})`;
  }
}

/** All that is committed is the same, to the owner and to a reader. */
function expectSame(model: StorageModel, { storage, reader }: StorageSubject): void {
  expect(storage.batchLast).toBe(model.batch);
  expect(storage.versionLast).toBe(model.state.version);
  for (const table of tables) {
    const expected = model.page(table, {}, 1_000);
    expect(shownPage(storage.page(table, {}, 1_000))).toEqual(expected);
    expect(shownPage(reader.page(table, {}, 1_000))).toEqual(expected);
  }
}

/** At times a value of which three fill an arena of a megabyte. */
const largeBytes = 330_000;

const table = fc.constantFrom(...tables);
const key = fc.constantFrom(...keys);
const value = fc.oneof(
  { weight: 12, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.nat(255).map((byte) => new Uint8Array(largeBytes).fill(byte)) },
);

const choices: fc.Arbitrary<WriteChoice[]> = fc.array(
  fc.record({
    table,
    key,
    value: fc.option(value, { nil: undefined, freq: 2 }),
    saysFresh: fc.boolean(),
  }),
  { maxLength: 4 },
);

const luck: fc.Arbitrary<CrashLuck> = fc.record({
  kept: fc.double({ min: 0, max: 1, noNaN: true }),
  tail: fc.constantFrom("nothing", "zeros", "hole"),
  checkpointTurns: fc.option(fc.nat(6), { nil: undefined, freq: 1 }),
  frameInHand: fc.boolean(),
});

const range: fc.Arbitrary<KeyRange> = fc.record(
  { from: key, to: key, reverse: fc.boolean() },
  { requiredKeys: [] },
);

const commits = fc
  .tuple(choices, fc.option(table, { nil: undefined, freq: 8 }))
  .map(([writes, cleared]) => new Commit(writes, cleared));

/** A counterexample shows its `replayPath`: PARTITA_PATH alone does not lead to it again. */
const replayPath = process.env["PARTITA_REPLAY"];

/** Sequences of operations; `fc.asyncModelRun` runs them. */
export const storageCommands: fc.Arbitrary<Iterable<StorageCommand>> = fc.commands(
  [
    commits,
    commits,
    commits,
    fc.tuple(table, range, fc.nat(12)).map(([asked, bounds, limit]) => {
      return new Look(asked, bounds, limit);
    }),
    fc.constant(new Checkpoint()),
    fc.constant(new Flush()),
    fc.constant(new Reopen()),
    fc.tuple(luck, choices).map(([choice, writes]) => new Crash(choice, writes)),
  ],
  { maxCommands: 24, ...(replayPath === undefined ? {} : { replayPath }) },
);
