// Router — from a key's bytes to the task that owns it: its lane for requests, its reader for
// reads.
//
// Owns: the choice, and the refusal of calls: of all after close, of writes from outside while the
// disk is low. Leaves to others: the hash
// (store/key-hash.ts), the ranges (partition.ts), order (lane.ts). One router per thread, shared by
// all its clients.
// Invariant P2 of partition.ts: what is sent to a task hashes into its range; the task asserts it
// too.

import { PartitaError } from "../base/errors.js";
import { assert, InvariantViolation } from "../base/invariant.js";
import type { TaskReader } from "../store/storage.js";
import { type DiskState, diskLevel } from "./disk-state.js";
import type { Host } from "./host.js";
import type { Lane } from "./lane.js";
import { ownerOf } from "./partition.js";
import type { System } from "./system.js";

export class Router {
  readonly #host: Host;
  readonly #readers: readonly TaskReader[];
  readonly #disk: DiskState | undefined;
  #refusal: PartitaError | undefined;

  /** `disk`: callers of this router are new work, which a disk that fills up has no room for. */
  constructor(host: Host, readers: readonly TaskReader[], disk?: DiskState) {
    assert(readers.length === host.plan.taskCount, "one reader for each task");
    this.#host = host;
    this.#readers = readers;
    this.#disk = disk;
  }

  /**
   * A router over the same lanes and readers, with a refusal of its own, for work that was
   * accepted: however full the disk is, it goes on.
   */
  sibling(): Router {
    return new Router(this.#host, this.#readers);
  }

  get taskCount(): number {
    return this.#host.plan.taskCount;
  }

  get system(): System {
    return this.#host.system;
  }

  /** The task that owns a key hash. */
  owner(keyHash: number): number {
    return ownerOf(keyHash, this.taskCount);
  }

  lane(task: number): Lane {
    return this.#host.lane(task);
  }

  reader(task: number): TaskReader {
    const reader = this.#readers[task];
    // Not `assert` with a message: no closure is made for each read.
    if (reader === undefined) throw new InvariantViolation(`there is no task ${task}`);
    return reader;
  }

  /** @throws PartitaError CLOSED after `close`, TASK_EXITED after a thread took the runtime down */
  assertOpen(): void {
    const refusal = this.#refusal;
    if (refusal === undefined) return;
    // A new one each time: its stack is to name the line that called.
    throw new PartitaError(refusal.code, refusal.details, { cause: refusal.cause });
  }

  /** Before a write. @throws PartitaError DISK_LOW, and as `assertOpen` */
  assertWritable(): void {
    this.assertOpen();
    const disk = this.#disk;
    if (disk !== undefined && disk.level !== diskLevel.open) throw disk.refusal();
  }

  /** Refuses every later call; those on the way still get their replies. The first reason stays. */
  refuse(reason: PartitaError): void {
    this.#refusal ??= reason;
  }

  async closeReaders(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()));
  }
}
