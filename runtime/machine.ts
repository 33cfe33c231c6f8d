// Machine — what a cluster stands on: the place of its data, storages, threads and pools.
//
// Production has one (real-machine.ts), a simulator another; the cluster and all that it starts are
// the same code over both.
// Owns: these contracts. Leaves to others: when any of it is used (cluster.ts, task-threads.ts).
//
// Invariants:
//   Z1. Every call of a handle settles when the thread exits, with the cause of the exit.
//   Z3. `onExit` is called once, and only for an end that `end()` or `close()` did not ask for.

import type { PartitaError } from "../base/errors.js";
import type { TaskMemory } from "../store/task-memory.js";
import type { DirectoryRecord } from "./directory.js";
import type { DiskProbe } from "./disk-guard.js";
import type { Continuation, TaskStreams } from "./handshake.js";
import type { HostServices, HostSpec, TaskReport } from "./hosting.js";
import type { StreamWindow } from "./outbox.js";
import type { OwnerLock } from "./owner-lock.js";
import type { Suspect } from "./suspect-file.js";
import type { System } from "./system.js";
import type { Topology } from "./topology.js";
import type { Transport } from "./transport.js";

/** Everything a cluster takes from outside. */
export interface Machine {
  readonly system: System;
  readonly place: Place;
  /** Whether `equip` starts a watchdog, so that threads have to beat. */
  readonly watches?: boolean;
  /** Smaller bounds than production's, so that little reaches them. */
  readonly bounds?: MachineBounds;
  /** Shared memory of each task of a launch; none where storages need none. */
  memories(taskCount: number, arenaBytes: number): readonly TaskMemory[];
  /** What a launch of this plan works with. */
  equip(declared: Topology, spec: HostSpec): Equipment;
}

export interface MachineBounds {
  readonly streamWindow: StreamWindow;
  /** Bytes of messages in one batch. */
  readonly batchBytesMax: number;
}

/** Where the data of one topology is, and who has it open. */
export interface Place {
  /** Its name, for messages. */
  readonly directory: string;
  /** What can still be written; absent where space does not run out. */
  readonly freeBytes?: DiskProbe;
  /** What a watchdog has left; absent where there is none. */
  readonly suspects?: SuspectShelf;
  /**
   * Makes the place when it is missing, and takes it for this owner alone.
   * @throws PartitaError DIRECTORY_INVALID, DIRECTORY_LOCKED
   */
  claim(): Promise<OwnerLock>;
  /** What it says of itself; `undefined` when it is new. @throws PartitaError FORMAT_UNKNOWN */
  readRecord(): Promise<DirectoryRecord | undefined>;
  /** Replaces the record, whole or not at all. */
  writeRecord(record: DirectoryRecord): Promise<void>;
  /** Makes room for so many tasks, durably. */
  makeTasks(taskCount: number): Promise<void>;
}

/** The records that a watchdog leaves for the next launch. */
export interface SuspectShelf {
  read(taskCount: number): readonly Suspect[];
  /** They have been reported and handed on. */
  remove(suspects: readonly Suspect[]): void;
}

/** The launching thread's part, and where task threads come from. */
export interface Equipment {
  readonly transport: Transport;
  readonly services: HostServices;
  readonly threads: ThreadSource;
  /**
   * Begins to watch threads, if this machine does; once. Those that run handlers by then are seen
   * to be stuck all the same: what counts is how long they do not beat from now on.
   */
  watch?(): void;
  /** Frees pools. Threads and tasks have ended. */
  close(): Promise<void>;
}

/** Where task threads come from, and the ways between them. Thread 0 is the launching one. */
export interface ThreadSource {
  /** Begins a thread; an earlier one of that number has ended. */
  spawn(thread: number, onExit: ExitListener): ThreadHandle;
  /**
   * A fresh way between two threads; what an earlier one still carries is dropped. A `peer` that
   * has exited meanwhile is left.
   */
  connect(thread: number, peer: number): Promise<void>;
  /** The launching thread forgets a thread that has died, and what of it was not received yet. */
  disconnect(thread: number): void;
  /** Resolves when nothing runs in pools for these tasks of a dead thread. */
  settled(tasks: readonly number[]): Promise<void>;
}

export type ExitListener = (handle: ThreadHandle, error: PartitaError) => void;

/** The launching thread's grip on one task thread; control.ts says what the calls do there. */
export interface ThreadHandle {
  readonly thread: number;
  readonly tasks: readonly number[];
  /** Why the thread has ended; set before any call is rejected because of it. */
  readonly exitCause: PartitaError | undefined;
  /** Opens its tasks; nothing runs yet. */
  open(): Promise<void>;
  /** What its tasks know of others; after `open`, before `start`. */
  streams(): Promise<readonly TaskStreams[]>;
  /** Lets its tasks begin; streams from them go on as the handshake has found. */
  start(continuations: readonly Continuation[]): Promise<void>;
  /** Runs what may have killed its tasks before, one after the other. */
  runSuspects(): Promise<void>;
  quiet(): Promise<boolean>;
  reports(): Promise<readonly TaskReport[]>;
  /** Tasks of another thread are gone. */
  lost(thread: number, tasks: readonly number[], error: Error): Promise<void>;
  /** They were started again, over the ways connected since. */
  reopened(tasks: readonly number[]): Promise<void>;
  /**
   * Refuses new calls of nodes, aborts what runs. Rejects with `deadline.reason` when the thread
   * does not answer until then: it may be busy for ever.
   */
  abort(error: Error, deadline: AbortSignal): Promise<void>;
  /** Closes the tasks in order, then ends the thread; at the deadline it is ended in any case. */
  close(deadline: AbortSignal): Promise<void>;
  /** Ends the thread at once. */
  end(): Promise<void>;
}
