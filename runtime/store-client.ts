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
//       so a client sees its own earlier writes; otherwise it reads what any thread can see, even
//       when an earlier read is still on its way and will be answered with something newer.
//   C3. Errors of the owner are thrown from the async function the user awaits: the stack names his
//       line.

import { ByteWriter } from "../base/byte-writer.js";
import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { optionInvalid } from "../base/options.js";
import type { ErasedUpdates } from "../store/declaration.js";
import { hashKey } from "../store/key-hash.js";
import type {
  EntriesOptions,
  KeyValueStore,
  ModifyOptions,
  OnceKeyValueStore,
} from "../store/key-value-store.js";
import { validate } from "../store/schema.js";
import type { StoredValue } from "../store/storage.js";
import { decodeValue, encodeValue } from "../store/value.js";
import { checkCallOptions, listOf, nameShown } from "./call-checks.js";
import { parseCallId } from "./call-id.js";
import { callDigest } from "./call-records.js";
import type { Judge } from "./settle.js";
import type { Lane } from "./lane.js";
import { answeredRead, journaled } from "./node-operations.js";
import type { OperationJournal } from "./operation-journal.js";
import type { PlannedStore } from "./plan.js";
import {
  noBytes,
  type Operation,
  operation,
  type Reply,
  requestHeaderBytes,
  type Stamp,
  type Status,
  stampKind,
  status,
} from "./lane-encoding.js";
import { checked, refuse } from "./refusal.js";
import { draftUpdateOf, draftUpdateOfOne, type RequestDraft } from "./request-draft.js";
import type { Router } from "./router.js";
import { scanEntries } from "./store-scan.js";

interface Versioned {
  /** 0 when absent. */
  readonly version: number;
  readonly value: unknown;
}

const absent: Versioned = { version: 0, value: undefined };

/** How a client's operations are told apart when they come again. */
export interface StoreClientOptions {
  /** Of a node: each of its operations is recorded, and replayed by a later run. */
  readonly journal?: OperationJournal;
  /** Of one call with an id: it is the only one that this client makes. */
  readonly stamp?: Stamp;
}

export class StoreClient implements KeyValueStore<unknown, unknown, ErasedUpdates> {
  readonly #store: PlannedStore;
  readonly #router: Router;
  readonly #journal: OperationJournal | undefined;
  readonly #stamp: Stamp | undefined;

  constructor(store: PlannedStore, router: Router, options: StoreClientOptions = {}) {
    this.#store = store;
    this.#router = router;
    this.#journal = options.journal;
    this.#stamp = options.stamp;
  }

  get(key: unknown, fallback?: unknown): Promise<unknown> {
    try {
      const encoded = this.#key(key);
      const found = this.#journal === undefined ? this.#look(encoded, hashKey(encoded)) : undefined;
      if (found === undefined) return this.#getAsked(encoded, fallback);
      return Promise.resolve(found === absent ? fallback : found.value);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #getAsked(key: Uint8Array, fallback: unknown): Promise<unknown> {
    const current = await this.#read(key);
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
    const ask = this.#journal === undefined ? undefined : answeredRead;
    return scanEntries(this.#router, this.#store, options, ask);
  }

  put(key: unknown, value: unknown): Promise<void> {
    try {
      const encodedKey = this.#key(key);
      const bytes = this.#value(value, "put");
      return this.#send(operation.put, encodedKey, bytes, nothingOf);
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
    // Once: a task that looks at the disk meanwhile must not refuse a part of them.
    this.#router.assertWritable();
    for (const [lane, { requests, bytes }] of needs) lane.assertRoom(requests, bytes);
    await allChecked(
      encoded.map(({ key, bytes }) => this.#route(operation.put, key, bytes, nothingOf)),
    );
  }

  delete(key: unknown): Promise<boolean> {
    try {
      return this.#send(operation.delete, this.#key(key), noBytes, isYes);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async clear(): Promise<void> {
    this.#router.assertWritable();
    const lanes = Array.from({ length: this.#router.taskCount }, (_, task) => {
      return this.#router.lane(task);
    });
    for (const lane of lanes) lane.assertRoom(1, requestHeaderBytes);
    await allChecked(
      lanes.map((lane) => this.#request(lane, operation.clear, noBytes, 0, noBytes, nothingOf)),
    );
  }

  once(id: string): OnceKeyValueStore<unknown, unknown, ErasedUpdates> {
    const nowMs = this.#router.system.now();
    const where = `once on store "${this.#store.name}"`;
    const stamp = { kind: stampKind.call, id: parseCallId(where, id, nowMs), reads: noBytes };
    const client = new StoreClient(this.#store, this.#router, { stamp });
    return Object.freeze({
      put: (key: unknown, value: unknown) => client.put(key, value),
      delete: (key: unknown) => client.delete(key),
      update: (name: string, key: unknown, ...args: unknown[]) => client.update(name, key, ...args),
    });
  }

  update(name: string, key: unknown, ...args: unknown[]): Promise<unknown> {
    try {
      const number = this.#store.updateNames.indexOf(name);
      if (number < 0) throw this.#unknownUpdate(name);
      this.#router.assertOpen();
      const codec = this.#store.declaration.key;
      // Spread, not handed on: V8 makes no array of arguments that are only spread and looked at.
      const draft =
        args.length === 1
          ? draftUpdateOfOne(codec, key, number, name, args[0])
          : draftUpdateOf(codec, key, number, name, ...args);
      return this.#sendDraft(operation.update, draft, answerOf);
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
      const argument = replacement(current.version, value);
      const isKept = await this.#send(operation.replace, encodedKey, argument, isYes);
      // What is kept, as the schema has it: what a `get` would give.
      if (isKept) return value === undefined ? undefined : decodeValue(value);
    }
    const attempts = limits.modifyAttemptsMax;
    throw new PartitaError("MODIFY_CONFLICT", { store: this.#store.name, attempts });
  }

  async #read(key: Uint8Array): Promise<Versioned> {
    const journal = this.#journal;
    if (journal !== undefined) return await this.#readOnce(journal, key);
    const keyHash = hashKey(key);
    const found = this.#look(key, keyHash);
    if (found !== undefined) return found;
    const lane = this.#router.lane(this.#router.owner(keyHash));
    const { table } = this.#store;
    return versioned(await lane.request(operation.get, table, key, keyHash, noBytes));
  }

  /** What shared memory says; `undefined` when the owner must be asked (C2). */
  #look(key: Uint8Array, keyHash: number): Versioned | undefined {
    const task = this.#router.owner(keyHash);
    const lane = this.#router.lane(task);
    if (lane.pendingWrites(keyHash) === 0) {
      const stored = this.#router.reader(task).get(this.#store.table, key, keyHash);
      if (stored === undefined) return absent;
      if (stored !== "busy") return { version: stored.version, value: decodeValue(stored.value) };
    }
    return undefined;
  }

  /** The same for a node: a later run that comes here again finds what this one has found. */
  async #readOnce(journal: OperationJournal, key: Uint8Array): Promise<Versioned> {
    const { table } = this.#store;
    const keyHash = hashKey(key);
    const request = { kind: operation.get, table, key, keyHash, argument: noBytes };
    const reply = await journal.read(callDigest(request), async () => {
      const task = this.#router.owner(keyHash);
      const lane = this.#router.lane(task);
      if (lane.pendingWrites(keyHash) === 0) {
        const stored = this.#router.reader(task).get(table, key, keyHash);
        if (stored === undefined) return noRow;
        if (stored !== "busy") return rowReply(stored);
      }
      return checked(await answeredRead(lane, request));
    });
    return versioned(reply);
  }

  #send<T>(kind: Operation, key: Uint8Array, argument: Uint8Array, judge: Judge<T>): Promise<T> {
    this.#router.assertWritable();
    return this.#route(kind, key, argument, judge);
  }

  #route<T>(kind: Operation, key: Uint8Array, argument: Uint8Array, judge: Judge<T>): Promise<T> {
    const keyHash = hashKey(key);
    const lane: Lane = this.#router.lane(this.#router.owner(keyHash));
    return this.#request(lane, kind, key, keyHash, argument, judge);
  }

  /** The same for a key and an argument that stand in the draft. */
  #sendDraft<T>(kind: Operation, draft: RequestDraft, judge: Judge<T>): Promise<T> {
    if (this.#journal !== undefined) {
      return this.#send(kind, draft.key(), draft.argument(), judge);
    }
    this.#router.assertWritable();
    const { bytes, keyBytes } = draft;
    const keyHash = hashKey(bytes.buffer, 0, keyBytes);
    const lane = this.#router.lane(this.#router.owner(keyHash));
    return lane.callDraft(kind, this.#store.table, draft, keyHash, judge, this.#stamp);
  }

  #request<T>(
    lane: Lane,
    kind: Operation,
    key: Uint8Array,
    keyHash: number,
    argument: Uint8Array,
    judge: Judge<T>,
  ): Promise<T> {
    const { table } = this.#store;
    const journal = this.#journal;
    if (journal === undefined) {
      return lane.call(kind, table, key, keyHash, argument, judge, this.#stamp);
    }
    // It may be sent again: what a draft holds is another call's by then.
    const request = { kind, table, key, keyHash, argument: argument.slice() };
    return journaled(journal, lane, request).then((reply) => {
      return judge(reply.status, reply.bytes, 0, reply.bytes.length);
    });
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

/** What the reply to a get says. */
function versioned(reply: Reply): Versioned {
  const { bytes } = checked(reply);
  if (reply.status === status.absent) return absent;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const version = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  return { version, value: decodeValue(bytes.subarray(8)) };
}

/** The argument of `operation.replace`. */
function replacement(version: number, value: Uint8Array | undefined): Uint8Array {
  const argument = new ByteWriter(9 + (value?.length ?? 0));
  argument.uint64(version);
  argument.u8(value === undefined ? 0 : 1);
  if (value !== undefined) argument.bytes(value);
  return argument.view();
}

const noRow: Reply = { status: status.absent, bytes: noBytes };

/** A row as its owner would have replied with it. */
function rowReply({ version, value }: StoredValue): Reply {
  const bytes = new ByteWriter(8 + value.length);
  bytes.uint64(version);
  bytes.bytes(value);
  return { status: status.ok, bytes: bytes.finish() };
}

// What comes of a write (Judge of settle.ts). A lane settles the caller's own promise with it:
// a reaction or an async function for each call would be one thing more to hold while it is on the
// way.

function nothingOf(kind: Status, packet: Uint8Array, start: number, end: number): void {
  if (kind === status.error) refuse(packet.subarray(start, end));
}

function isYes(kind: Status, packet: Uint8Array, start: number, end: number): boolean {
  if (kind === status.error) refuse(packet.subarray(start, end));
  return packet[start] === 1;
}

function answerOf(kind: Status, packet: Uint8Array, start: number, end: number): unknown {
  if (kind === status.error) refuse(packet.subarray(start, end));
  return kind === status.absent ? undefined : decodeValue(packet, start, end);
}

/** Waits for all replies, so that none is left without somebody who awaits it, then judges them. */
async function allChecked(sent: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(sent)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}
