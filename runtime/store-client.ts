// Store client — what nodes and callers hold: direct reads, routed writes
// (store/key-value-store.ts).
//
// Owns: encoding and validation at the edge, and the choice between a direct read of shared memory
// and a read through the owner's mailbox. Leaves to others: the owner's side (store-operations.ts),
// merging of ranges (store-scan.ts).
//
// Invariants:
//   C1. Everything that can be refused is refused before a request is sent.
//   C2. A read goes through the mailbox while a write of this thread to that key may be on the way,
//       so a client sees its own earlier writes; otherwise it reads what any thread can see.
//   C3. Errors of the owner are thrown from the async function the user awaits: the stack names his
//       line.

import { ByteWriter } from "../base/byte-writer.js";
import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { optionInvalid } from "../base/options.js";
import type { ErasedUpdates } from "../store/declaration.js";
import { hashKey } from "../store/key-hash.js";
import type { EntriesOptions, KeyValueStore, ModifyOptions } from "../store/key-value-store.js";
import { validate } from "../store/schema.js";
import { decodeValue, encodeValue } from "../store/value.js";
import { checkCallOptions, listOf, nameShown } from "./call-checks.js";
import type { Lane } from "./lane.js";
import type { PlannedStore } from "./plan.js";
import {
  noBytes,
  type Operation,
  operation,
  type Reply,
  requestHeaderBytes,
  status,
  undefinedArgument,
} from "./protocol.js";
import { checked } from "./refusal.js";
import type { Router } from "./router.js";
import { scanEntries } from "./store-scan.js";

interface Versioned {
  /** 0 when absent. */
  readonly version: number;
  readonly value: unknown;
}

const absent: Versioned = { version: 0, value: undefined };

export class StoreClient implements KeyValueStore<unknown, unknown, ErasedUpdates> {
  readonly #store: PlannedStore;
  readonly #router: Router;

  constructor(store: PlannedStore, router: Router) {
    this.#store = store;
    this.#router = router;
  }

  async get(key: unknown, fallback?: unknown): Promise<unknown> {
    const current = await this.#read(this.#key(key));
    return current === absent ? fallback : current.value;
  }

  async contains(key: unknown): Promise<boolean> {
    const current = await this.#read(this.#key(key));
    return current !== absent;
  }

  async getMany(keys: Iterable<unknown>): Promise<unknown[]> {
    const encoded = listOf("getMany", "keys", keys).map((key) => this.#key(key));
    const found = await Promise.all(encoded.map((key) => this.#read(key)));
    return found.map(({ value }) => value);
  }

  entries(options: EntriesOptions<unknown> = {}): AsyncIterable<readonly [unknown, unknown]> {
    return scanEntries(this.#router, this.#store, options);
  }

  put(key: unknown, value: unknown): Promise<void> {
    try {
      const encodedKey = this.#key(key);
      const bytes = this.#value(value, "put");
      return this.#send(operation.put, encodedKey, bytes).then(nothingOf);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async putMany(entries: Iterable<readonly [unknown, unknown]>): Promise<void> {
    const encoded = listOf("putMany", "entries", entries).map((entry) => {
      if (!Array.isArray(entry) || entry.length !== 2) {
        throw optionInvalid("putMany", "entries", entry, "pairs of a key and a value");
      }
      const [key, value]: readonly unknown[] = entry;
      return { key: this.#key(key), bytes: this.#value(value, "putMany") };
    });
    const needs = new Map<Lane, { requests: number; bytes: number }>();
    for (const { key, bytes } of encoded) {
      const lane = this.#router.lane(this.#router.owner(hashKey(key)));
      const need = needs.get(lane) ?? { requests: 0, bytes: 0 };
      need.requests += 1;
      need.bytes += requestHeaderBytes + key.length + bytes.length;
      needs.set(lane, need);
    }
    for (const [lane, { requests, bytes }] of needs) lane.assertRoom(requests, bytes);
    await allChecked(encoded.map(({ key, bytes }) => this.#send(operation.put, key, bytes)));
  }

  delete(key: unknown): Promise<boolean> {
    try {
      return this.#send(operation.delete, this.#key(key), noBytes).then(isYes);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async clear(): Promise<void> {
    this.#router.assertOpen();
    const lanes = Array.from({ length: this.#router.taskCount }, (_, task) => {
      return this.#router.lane(task);
    });
    for (const lane of lanes) lane.assertRoom(1, requestHeaderBytes);
    const { table } = this.#store;
    await allChecked(
      lanes.map((lane) => lane.request(operation.clear, table, noBytes, 0, noBytes)),
    );
  }

  update(name: string, key: unknown, ...args: unknown[]): Promise<unknown> {
    try {
      const number = this.#store.updateNames.indexOf(name);
      if (number < 0) throw this.#unknownUpdate(name);
      const encodedKey = this.#key(key);
      writeArguments(number, name, args);
      return this.#send(operation.update, encodedKey, scratch.view()).then(answerOf);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async modify(
    key: unknown,
    change: (current: unknown) => unknown,
    options: ModifyOptions = {},
  ): Promise<unknown> {
    checkCallOptions("modify", options, ["signal"]);
    if (typeof change !== "function") {
      throw optionInvalid("modify", "change", change, "a function");
    }
    const encodedKey = this.#key(key);
    for (let attempt = 0; attempt < limits.modifyAttemptsMax; attempt += 1) {
      options.signal?.throwIfAborted();
      const current = await this.#read(encodedKey);
      const next = change(current.value);
      if (next === undefined && current === absent) return undefined;
      const value = next === undefined ? undefined : this.#value(next, "modify");
      scratch.reset();
      scratch.uint64(current.version);
      scratch.u8(value === undefined ? 0 : 1);
      if (value !== undefined) scratch.bytes(value);
      const reply = checked(await this.#send(operation.replace, encodedKey, scratch.view()));
      // What is kept, as the schema has it: what a `get` would give.
      if (reply.bytes[0] === 1) return value === undefined ? undefined : decodeValue(value);
    }
    const attempts = limits.modifyAttemptsMax;
    throw new PartitaError("MODIFY_CONFLICT", { store: this.#store.name, attempts });
  }

  async #read(key: Uint8Array): Promise<Versioned> {
    const keyHash = hashKey(key);
    const task = this.#router.owner(keyHash);
    const lane = this.#router.lane(task);
    if (lane.pendingWrites(keyHash) === 0) {
      const stored = this.#router.reader(task).get(this.#store.table, key, keyHash);
      if (stored === undefined) return absent;
      if (stored !== "busy") return { version: stored.version, value: decodeValue(stored.value) };
    }
    const reply = checked(
      await lane.request(operation.get, this.#store.table, key, keyHash, noBytes),
    );
    if (reply.status === status.absent) return absent;
    return versioned(reply.bytes);
  }

  #send(kind: Operation, key: Uint8Array, argument: Uint8Array): Promise<Reply> {
    const keyHash = hashKey(key);
    const lane: Lane = this.#router.lane(this.#router.owner(keyHash));
    return lane.request(kind, this.#store.table, key, keyHash, argument);
  }

  #key(key: unknown): Uint8Array {
    this.#router.assertOpen();
    return this.#store.declaration.key.encode(key);
  }

  #value(value: unknown, operationName: string): Uint8Array {
    const where = `${operationName} on store "${this.#store.name}"`;
    if (value === undefined) throw new PartitaError("VALUE_UNDEFINED", { where });
    return encodeValue(validate(this.#store.declaration.value, value, where), where);
  }

  #unknownUpdate(name: string): PartitaError {
    return new PartitaError("UPDATE_UNKNOWN", {
      store: this.#store.name,
      update: nameShown(name),
      known: this.#store.updateNames,
    });
  }
}

function versioned(bytes: Uint8Array): Versioned {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const version = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  return { version, value: decodeValue(bytes.subarray(8)) };
}

// What comes of a write, judged in a reaction of its own: V8 leads from there to the line that
// awaits, and an async function would keep its frame and all it holds for every call on the way.

function nothingOf(reply: Reply): void {
  checked(reply);
}

function isYes(reply: Reply): boolean {
  return checked(reply).bytes[0] === 1;
}

function answerOf(reply: Reply): unknown {
  return checked(reply).status === status.absent ? undefined : decodeValue(reply.bytes);
}

/** Waits for all replies, so that none is left without somebody who awaits it, then judges them. */
async function allChecked(sent: readonly Promise<Reply>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(sent)) {
    if (outcome.status === "rejected") throw outcome.reason;
    checked(outcome.value);
  }
}

/** Lanes copy an argument at once, so one buffer serves every call. */
const scratch = new ByteWriter(4_096);

/** An update's number and arguments, into the scratch buffer. */
function writeArguments(number: number, name: string, args: readonly unknown[]): void {
  // Encoded first: what a class's own encode does may come back here.
  const encoded = args.map((argument, index) => {
    if (argument === undefined) return undefined;
    return encodeValue(argument, `argument ${index} of update "${name}"`);
  });
  scratch.reset();
  scratch.u16(number);
  scratch.u32(encoded.length);
  for (const bytes of encoded) {
    if (bytes === undefined) scratch.u32(undefinedArgument);
    else scratch.lengthPrefixed(bytes);
  }
}
