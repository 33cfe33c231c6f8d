// Task bench — one task over a storage in memory, fed by hand, its batches looked at before the
// gate.

import { ByteReader } from "../../base/byte-reader.js";
import { ByteWriter } from "../../base/byte-writer.js";
import { type ErrorWire, fromWire } from "../../base/error-wire.js";
import { limits } from "../../base/limits.js";
import type { Batch } from "../../runtime/batch.js";
import type { CallRetention } from "../../runtime/call-records.js";
import { plannedStores } from "../../runtime/compile.js";
import { ownerOf } from "../../runtime/partition.js";
import {
  noBytes,
  type Operation,
  operation,
  status,
  undefinedArgument,
  writeRequest,
} from "../../runtime/lane-encoding.js";
import { Task } from "../../runtime/task.js";
import type { ProgramEntry, TaskProgram, Turn } from "../../runtime/task-program.js";
import { topology } from "../../runtime/topology.js";
import { keyValueStore, type StoreDeclaration } from "../../store/declaration.js";
import { string } from "../../store/key.js";
import { hashKey } from "../../store/key-hash.js";
import { MemoryStorage } from "../../store/memory-storage.js";
import { type } from "../../store/schema.js";
import type { TaskStorage } from "../../store/storage.js";
import type { Durability } from "../../store/task-storage.js";
import { decodeValue, encodeValue } from "../../store/value.js";
import { planOf } from "./host-cluster.js";
import { ManualSystem } from "./manual-system.js";

/** Updates by name, of any values. */
export type AnyUpdates = Readonly<Record<string, (current: unknown, ...args: never[]) => unknown>>;

/** A store of values of any kind with texts as keys. */
export function anyStore<const U extends AnyUpdates>(
  updates: U,
): StoreDeclaration<string, unknown, U> {
  return keyValueStore({ key: string, value: type<unknown>(), updates });
}

/** What an agent is to the runtime: a program. This one does what `apply` says. */
export function programEntry(
  apply: TaskProgram["apply"],
  others: Partial<Omit<TaskProgram, "apply">> = {},
): ProgramEntry {
  const program: TaskProgram = {
    apply,
    start: () => {},
    threadExited: () => {},
    running: 0,
    abort: () => {},
    runSuspects: () => Promise.resolve(),
    report: () => ({ deadLetters: 0, deadLettersDropped: 0 }),
    ...others,
  };
  const declared = { problems: () => [], shape: () => ({}), draw: () => {}, references: () => [] };
  return { kind: "agent", program: () => program, ...declared };
}

/** The table of the bench's only store. */
export const benchTable: number = limits.tableStoreFirst;

export interface BenchSettings {
  readonly updates?: AnyUpdates;
  readonly storage?: TaskStorage;
  readonly apply?: (turn: Turn, message: Uint8Array) => Uint8Array | undefined;
  readonly taskId?: number;
  readonly taskCount?: number;
  readonly batchBytesMax?: number;
  readonly valueBytesMax?: number;
  readonly callRetention?: CallRetention;
  readonly durability?: Durability;
}

/** A reply as its caller gets it. */
export type BenchReply = { readonly value: unknown } | { readonly error: Error };

export class TaskBench {
  readonly task: Task;
  readonly storage: TaskStorage;
  readonly system: ManualSystem = new ManualSystem();
  readonly #updateNames: readonly string[];

  constructor(settings: BenchSettings = {}) {
    const { taskCount = 1, taskId = 0, updates = {} } = settings;
    const declared = topology("bench", import.meta.url, { stores: { bench: anyStore(updates) } });
    const plan = planOf(declared, taskCount, 0);
    this.storage = settings.storage ?? MemoryStorage.create();
    this.#updateNames = Object.keys(updates).sort();
    this.task = new Task({
      taskId,
      taskCount,
      threadCount: 0,
      epoch: 1,
      storage: this.storage,
      durability: settings.durability ?? "durable",
      stores: plannedStores(declared, plan),
      system: this.system,
      batchBytesMax: settings.batchBytesMax ?? limits.batchBytesMax,
      valueBytesMax: settings.valueBytesMax ?? limits.valueBytesMax,
      ...(settings.callRetention && { callRetention: settings.callRetention }),
    });
    const { apply } = settings;
    if (apply !== undefined) this.task.install(programOf(apply));
  }

  /** Puts requests of a lane into the mailbox, in one section. */
  ask(...requests: readonly ((body: ByteWriter) => void)[]): void {
    this.askFrom(0, ...requests);
  }

  askFrom(thread: number, ...requests: readonly ((body: ByteWriter) => void)[]): void {
    const body = new ByteWriter();
    for (const write of requests) write(body);
    this.task.accept({
      origin: { kind: "lane", thread },
      body: body.finish(),
      firstSequence: 0,
    });
  }

  /** Puts messages of a stream into the mailbox, in one section. */
  stream(source: number, firstSequence: number, ...messages: readonly Uint8Array[]): void {
    const body = new ByteWriter();
    for (const message of messages) body.lengthPrefixed(message);
    const origin = { kind: "task", task: source } as const;
    this.task.accept({ origin, body: body.finish(), firstSequence });
  }

  update(name: string, key: string, ...args: readonly unknown[]): (body: ByteWriter) => void {
    const argument = new ByteWriter();
    argument.u16(this.#updateNames.indexOf(name));
    argument.u32(args.length);
    for (const arg of args) {
      if (arg === undefined) argument.u32(undefinedArgument);
      else argument.lengthPrefixed(encodeValue(arg));
    }
    return request(operation.update, key, argument.finish());
  }

  /** One step; there must be something to do. */
  step(): Batch {
    const batch = this.task.step();
    if (batch === undefined) throw new Error("the task has nothing to do");
    return batch;
  }

  /** Makes a batch durable and visible, as the driver does. */
  commit(batch: Batch): Batch {
    if (batch.hasFrame) {
      for (const [table, version] of batch.clears) this.storage.clear(table, version);
      this.storage.append(batch.records);
      this.storage.sync();
      this.storage.publish();
    }
    this.task.committed(batch);
    return batch;
  }

  /** Applies and commits all that waits; returns the replies to `thread` in order. */
  run(thread = 0): readonly BenchReply[] {
    const replies: BenchReply[] = [];
    while (this.task.hasWork) {
      const batch = this.commit(this.step());
      const body = batch.replies.get(thread);
      if (body !== undefined) replies.push(...repliesIn(body.finish()));
    }
    return replies;
  }

  /** A committed value of the store. */
  stored(key: string): unknown {
    const row = this.row(key);
    return row === undefined ? undefined : decodeValue(row.value);
  }

  row(key: string): { readonly version: number; readonly value: Uint8Array } | undefined {
    const encoded = string.encode(key);
    return this.storage.get(benchTable, encoded, hashKey(encoded));
  }
}

export function request(
  kind: Operation,
  key: string,
  argument: Uint8Array = noBytes,
): (body: ByteWriter) => void {
  const encoded = key === "" ? noBytes : string.encode(key);
  return (body) => writeRequest(body, kind, benchTable, encoded, argument);
}

/** A put of any value. */
export function put(key: string, value: unknown): (body: ByteWriter) => void {
  return request(operation.put, key, encodeValue(value));
}

/** A replace: `keep` undefined removes the key. */
export function replace(key: string, version: number, value: unknown): (body: ByteWriter) => void {
  const argument = new ByteWriter();
  argument.uint64(version);
  argument.u8(value === undefined ? 0 : 1);
  if (value !== undefined) argument.bytes(encodeValue(value));
  return request(operation.replace, key, argument.finish());
}

/** Replies of updates, gets and the rest, as plain values. */
export function repliesIn(body: Uint8Array): BenchReply[] {
  const reader = new ByteReader(body);
  const replies: BenchReply[] = [];
  while (!reader.done) {
    const kind = reader.u8();
    const bytes = reader.lengthPrefixed();
    if (kind === status.error) {
      // cast: the task's toWire made these bytes.
      replies.push({ error: fromWire(decodeValue(bytes) as ErrorWire) });
    } else replies.push({ value: kind === status.absent ? undefined : bytes.slice() });
  }
  return replies;
}

/** The value in the reply of an update. */
export function answer(reply: BenchReply | undefined): unknown {
  if (reply === undefined) throw new Error("there is no such reply");
  if ("error" in reply) throw reply.error;
  return reply.value instanceof Uint8Array ? decodeValue(reply.value) : reply.value;
}

/** A key of the bench that task `owner` of `taskCount` owns. */
export function keyOwnedBy(owner: number, taskCount: number): string {
  for (let index = 0; ; index += 1) {
    const key = `key-${index}`;
    const hash = hashKey(string.encode(key));
    if (ownerOf(hash, taskCount) === owner) return key;
  }
}

function programOf(apply: TaskProgram["apply"]): TaskProgram {
  return programEntry(apply).program(unusedPort, new Map());
}

// cast: programs of benches are given no port, since their factory does not look at it
const unusedPort = undefined as never;
