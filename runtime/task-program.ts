// The seam between a task and what it runs beside store operations: agents plug in here.
//
// Owns: what a program is given (TaskPort, Turn) and what it must offer (TaskProgram), and the same
// for its clients (ProgramClientPort). The runtime knows programs by this contract alone, so it
// never imports agents.
// Leaves to others: the meaning of every message byte to the program; batches, frames, lanes and
// streams between tasks to task.ts, outbox.ts and host.ts.
//
// Invariants:
//   G1. `apply` is synchronous. What it writes, sends, replies and notifies takes effect together
//       with the frame of its batch, or not at all; when it throws, nothing of it takes effect.
//   G2. Nothing a Turn does is visible outside the task before the frame is durable (output gate).
//   G3. Messages sent from one task to another are applied there once each, in the order sent.
//   G4. A Turn is dead after `apply` has returned: using it then is a broken invariant.

import type { Flowchart } from "../base/flowchart.js";
import type { ErasedUpdates } from "../store/declaration.js";
import type { KeyValueStore } from "../store/key-value-store.js";
import type { KeyRange, StoredRow, TableId } from "../store/storage.js";
import type { Boot } from "./boot.js";
import type { ComputeCall } from "./compute-call.js";
import type { JournalStep, OperationJournal, RecalledRow } from "./operation-journal.js";
import type { Timer } from "./system.js";

/** Who sent the message in hand. */
export type MessageOrigin =
  /** A client's lane: `thread` is the thread its caller lives on; it awaits the reply. */
  | { readonly kind: "lane"; readonly thread: number }
  /** Another task, through its outbox. */
  | { readonly kind: "task"; readonly task: number }
  /** This task itself: `TaskPort.submit`, or `Turn.send` to itself. */
  | { readonly kind: "self" };

/** One message's view of the batch it is applied in. */
export interface Turn {
  readonly origin: MessageOrigin;
  /** The row as this batch leaves it so far; the bytes must not be changed. */
  get(table: TableId, key: Uint8Array): Uint8Array | undefined;
  /**
   * `fresh`: the caller knows that no row of this key exists (a number never used before). `value`
   * may be kept: it does not change any more.
   */
  put(table: TableId, key: Uint8Array, value: Uint8Array, fresh?: boolean): void;
  delete(table: TableId, key: Uint8Array): void;
  /**
   * Durable message to a task, applied there exactly once, in order per (this task, that task).
   * To this task itself: applied within this batch, after the message in hand, in order.
   */
  send(task: number, message: Uint8Array): void;
  /**
   * The same to this task itself, for what need not become bytes: `apply` is called within this
   * batch, in order with what `send` sends to this task, with the turn that a message would have.
   */
  sendOwn(apply: OwnWork): void;
  /** What `apply` does is done at the end of this batch, behind all its messages, with a turn. */
  lastly(apply: OwnWork): void;
  /** Deletes what this task has recorded of a node's store operation; nothing when it has none. */
  forgetOperation(id: Uint8Array): void;
  /**
   * Records the outcome of a node's operation at the place `id` (operation-id.ts), for the journals
   * of later runs; in place of what was recorded there before.
   */
  recordOperation(id: Uint8Array, digest: number, outcome: Uint8Array): void;
  /**
   * Carries out `apply` as the call that a client makes when it sends `message` with the id `call`
   * (`ProgramClientPort.request`): nothing when that was carried out, by whomever; else it counts
   * as carried out from now on. What `apply` throws leaves no record.
   * @throws PartitaError ID_REUSED, ID_EXPIRED
   */
  once(call: Uint8Array, message: Uint8Array, apply: () => void): void;
  /**
   * Volatile message to the clients on a thread, sent after the gate; lost when the thread dies.
   */
  notify(thread: number, notice: Uint8Array): void;
  /** Runs on this thread after the frame is durable and visible, in order of registration. */
  afterCommit(action: () => void): void;
}

/** What a task does in a turn without a message that says so in bytes. Throws as `apply` does. */
export type OwnWork = (turn: Turn) => void;

/** What a task runs for messages that are no store operations. One instance per task. */
export interface TaskProgram {
  /**
   * Applies one message. The returned bytes are the reply when it came from a lane (empty when
   * `undefined`). A thrown PartitaError rejects the lane's caller; from any other origin, and for
   * any other error, a throw is a broken invariant and stops the process.
   */
  apply(turn: Turn, message: Uint8Array): Uint8Array | undefined;
  /** Called once, after the task's rows are recovered and before its first message. */
  start(): void;
  /** Forget whom to notify on a thread that died. */
  threadExited(thread: number): void;
  /** Work that has begun and will still submit messages: running node functions. */
  readonly running: number;
  /** Aborts the signals of what runs; called when `close` has waited long enough. */
  abort(reason: unknown): void;
  /**
   * Runs, one after the other, what may have killed the task before; called once for each start,
   * while no other task does the same. Resolves when the last one has ended or run for a while.
   */
  runSuspects(): Promise<void>;
  /** Figures for `stats`. */
  report(): ProgramReport;
}

/** Figures of a program. */
export interface ProgramReport {
  /** Dead letters that the task keeps. */
  readonly deadLetters: number;
  /** Dead letters it had no room for, since the directory was made. */
  readonly deadLettersDropped: number;
}

/** What a task offers to its program. */
export interface TaskPort {
  /** The name of the topology. */
  readonly topology: string;
  readonly taskId: number;
  readonly taskCount: number;
  /** This start of the task: also for one whose thread died and was started again. */
  readonly boot: Boot;
  /** A power cut can take the newest frames of this task alone (`Boot.lossy` of the next start). */
  readonly isWeak: boolean;
  /** Largest row and message of this task: a frame with one must fit its arenas. */
  readonly rowBytesMax: number;
  /** The task that owns a key hash. */
  ownerOf(keyHash: number): number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /**
   * Runs `action` once, `delayMs` from now, unless the task ends before. `background`: nobody waits
   * for it, and the process may end before that.
   */
  after(delayMs: number, action: () => void, background?: boolean): Timer;
  /**
   * Puts a message into this task's own mailbox (volatile), or what to do when its turn comes:
   * applied behind what is in it, in order; in the same batch when there is room in it.
   */
  submit(message: Uint8Array | OwnWork): void;
  /** Committed row. */
  get(table: TableId, key: Uint8Array): Uint8Array | undefined;
  /** Committed rows in key order, in pages. */
  page(table: TableId, range: KeyRange, limit: number): readonly StoredRow[];
  /**
   * A client of one of the topology's stores, bound to this thread. Its operations are numbered by
   * the journal, recorded by their owners, and replayed from there.
   */
  store(name: string, journal: OperationJournal): KeyValueStore<unknown, unknown, ErasedUpdates>;
  /** What all tasks have recorded of the node invocation that `prefix` names (operation-id.ts). */
  recall(prefix: Uint8Array): Promise<readonly RecalledRow[]>;
  /**
   * Records `outcome` on this task under a name, at a place that was claimed in the journal with
   * `noteDigest(name)`; resolves when it is durable.
   */
  note(
    journal: OperationJournal,
    step: JournalStep,
    name: Uint8Array,
    outcome: Uint8Array,
  ): Promise<void>;
  /**
   * Sends a message to a task on this thread's lane and resolves with the reply. When that task is
   * lost before it has answered, the message is sent again: it may be applied twice, and its
   * program must bear that. Rejects with the PartitaError thrown by `apply`, or CLOSED.
   */
  ask(task: number, message: Uint8Array): Promise<Uint8Array>;
  /**
   * Applies a message of this program on this task, once for each place that was claimed in the
   * journal with `appliedDigest(name)`, and resolves with its reply when that is durable. A later
   * run that claims the place with the same name gets the reply: whatever the message is to say
   * belongs into the name, as far as it counts.
   */
  applied(
    journal: OperationJournal,
    step: JournalStep,
    name: Uint8Array,
    message: Uint8Array,
  ): Promise<Uint8Array>;
  /** What nodes on this thread share with the clients of programs there. */
  readonly clients: ProgramClientPort;
  /** Runs one of the topology's compute functions in the compute pool. */
  readonly compute: ComputeCall;
  /** The topology's objects on this thread; its tasks share them. */
  readonly objects: ObjectLender;
  /** Asks another topology of the process. */
  readonly neighbour: NeighbourCall;
  /**
   * Whether node functions may start now: not while the disk is all but full. What runs is
   * finished, what waits keeps its rows. Costs one load.
   */
  mayStart(): boolean;
  /** `listener` is called each time that nodes may start again after `mayStart` said no. */
  onMayStart(listener: () => void): void;
  /** For the watchdog: a node's function is about to be called, and `left` when it has returned. */
  entered(arrivalNo: number, agent: string, node: string): void;
  left(): void;
  /** The same for one that goes on behind an operation that it waited for. */
  goesOn(agent: string, node: string): void;
  /**
   * The row that the watchdog stopped the process for, at the end of its last life; it was being
   * run for certain. Only the next launch is told.
   */
  readonly suspectHint: number | undefined;
}

/** Makes the program of one task. `entries` are the topology's declarations, by name. */
export type TaskProgramFactory = (
  port: TaskPort,
  entries: ReadonlyMap<string, ProgramEntry>,
) => TaskProgram;

/** One definition-time problem; a topology reports all of them at once. */
export interface TopologyProblem {
  readonly code: string;
  /** Where: `agents.transfer.nodes.debit`. */
  readonly path: string;
  /** What is wrong, in one sentence that names the offender. */
  readonly message: string;
  /** What would have been valid; empty when that cannot be listed. */
  readonly valid: readonly string[];
}

/** Names of what a topology declares, by declaration: how an entry finds what it references. */
export interface TopologyNames {
  storeName(declaration: object): string | undefined;
  computeName(fn: object): string | undefined;
  agentName(declaration: object): string | undefined;
  objectName(declaration: object): string | undefined;
  readonly storeNames: readonly string[];
  readonly computeNames: readonly string[];
  readonly agentNames: readonly string[];
  readonly objectNames: readonly string[];
}

/** A declaration that a topology can hold beside stores: an agent. */
export interface ProgramEntry {
  readonly kind: "agent";
  readonly program: TaskProgramFactory;
  /** Told once, by `topology()`, under which name it stands and what it can reference. */
  problems(path: string, names: TopologyNames): readonly TopologyProblem[];
  /** Structure without functions; threads compare its hash. */
  shape(names: TopologyNames): unknown;
  /** Adds what it consists of to the group of a drawing that stands for it. */
  draw(chart: Flowchart): void;
  /** What it refers to, once it is known to be sound. */
  references(names: TopologyNames): readonly TopologyReference[];
}

/** What an entry refers to: a part of its topology by name, or of a neighbour by both names. */
export interface TopologyReference {
  readonly part: "stores" | "compute" | "agents" | "objects" | "neighbours";
  readonly name: string;
}

/** A declaration of what nodes use and no store can hold. */
export interface ObjectEntry {
  readonly kind: "object";
  /** Told by `topology()` under which name it stands. */
  problems(path: string): readonly TopologyProblem[];
  /** How it comes to be, once it is known to be sound. */
  plan(): ObjectPlan;
}

/** Makes an object; what `get` gives is other objects of the topology, by their declarations. */
export type ObjectBuilder = (context: { get(other: object): Promise<unknown> }) => unknown;

/** How an object comes to be on a thread. */
export type ObjectPlan =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "shared"; readonly build: ObjectBuilder }
  | {
      readonly kind: "pool";
      readonly build: ObjectBuilder;
      readonly limit: number;
      readonly acquireTimeoutMs: number;
    };

/** The objects of a thread. */
export interface ObjectLender {
  /**
   * The object of that name. One of a pool belongs to `holder` until that is released, and is the
   * same however often it asks.
   * @throws PartitaError OBJECT_UNAVAILABLE, OBJECT_CYCLE, OBJECT_UNKNOWN, CLOSED; whatever its
   *   builder throws; the signal's reason
   */
  acquire(name: string, holder: object, signal?: AbortSignal): Promise<unknown>;
  /** Whether `holder` was lent one of a pool, or waits for one. */
  holds(holder: object): boolean;
  /** Gives back whatever `holder` was lent. */
  release(holder: object): void;
}

/**
 * Asks the topology of a name that is launched in this process, and resolves with its answer.
 * Aborting rejects with the signal's reason, and ends the waiting, nothing else.
 * @throws PartitaError NEIGHBOUR_UNAVAILABLE; what the other topology answers with
 */
export type NeighbourCall = (
  topology: string,
  request: Uint8Array,
  signal?: AbortSignal,
) => Promise<Uint8Array>;

/** What a program's clients are given: requests to tasks and notices from them. One per thread. */
export interface ProgramClientPort {
  readonly taskCount: number;
  ownerOf(keyHash: number): number;
  now(): number;
  random(): number;
  /** Before a message that is new work. @throws PartitaError DISK_LOW, CLOSED, TASK_EXITED */
  assertWritable(): void;
  /**
   * Sends a message on this thread's lane to `task` (FIFO per lane) and resolves with the reply.
   * Rejects with the PartitaError thrown by `apply`, MAILBOX_FULL, TASK_EXITED or CLOSED. With an
   * `id` (call-id.ts) the message is applied once however often it is sent: ID_REUSED, ID_EXPIRED.
   */
  request(task: number, message: Uint8Array, id?: Uint8Array): Promise<Uint8Array>;
  /**
   * Resolves when a task takes requests, at once unless it is lost; rejects when it never will.
   */
  reopened(task: number): Promise<void>;
  /** Every notice that tasks send to this thread. */
  onNotice(listener: (task: number, notice: Uint8Array) => void): void;
  /** Called with the error when tasks exit or the runtime closes: reject what waits for notices. */
  onLost(listener: (tasks: readonly number[] | "all", error: Error) => void): void;
}
