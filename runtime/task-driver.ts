// Task driver — gives one task its turns and opens the output gate: apply, log, sync, publish,
// reveal.
//
// Owns: the order of these five steps and the pace (one batch in hand; what arrives meanwhile is
// the next group commit, without artificial delay). Leaves to others: what a batch holds (task.ts),
// the frame on disk (storage), packets (host.ts).
//
// Invariants:
//   D1. Nothing of a batch is posted before its frame is durable (in mode `durable`) and visible.
//   D2. After a failed write or sync the process ends: nothing more is acknowledged, nothing
//       retried, because after a failed sync the kernel forgets what was not written. So it does
//       after anything else that a turn throws (fail-stop.ts): refusals are answers, not throws.
//   D3. While the arenas have no room the task takes nothing from its mailbox.
//   D4. The first frame of a start is its boot record, the last of an orderly close ends it.

import { ByteWriter } from "../base/byte-writer.js";
import type { RecordWrite, TaskStorage } from "../store/storage.js";
import type { Batch } from "./batch.js";
import type { DiskMeter } from "./disk-meter.js";
import { stopFor } from "./fail-stop.js";
import type { Continuation } from "./handshake.js";
import type { ReceivedSection } from "./mailbox.js";
import type { Outlet } from "./outlet.js";
import { threadOf } from "./plan.js";
import { section } from "./packet.js";
import { type StreamAck, streamBody } from "./stream-encoding.js";
import type { Timer } from "./system.js";
import type { Task } from "./task.js";
import type { MessageOrigin, OwnWork, ProgramReport, TaskProgram } from "./task-program.js";

const noBytes = new Uint8Array(0);
const noAcks: ReadonlyMap<number, boolean> = new Map();

export class TaskDriver {
  readonly task: Task;
  readonly storage: TaskStorage;
  readonly #outlet: Outlet;
  readonly #overlapsSyncs: boolean;
  readonly #meter: DiskMeter | undefined;
  #program: TaskProgram | undefined;
  #scheduled = false;
  /** The batch that waits for room in the arenas, or for the device. */
  #inHand: Batch | undefined;
  /** The device works on the batch in hand. */
  #syncing: Promise<void> | undefined;
  /** Time that a frame may stay in the system's hands alone; none in other modes. */
  #syncIntervalMs: number | undefined;
  #syncTimer: Timer | undefined;
  #begun = false;
  #failed = false;
  #closed = false;

  /** `overlapsSyncs`: the thread has other tasks, which must not wait for this one's device. */
  constructor(
    outlet: Outlet,
    task: Task,
    storage: TaskStorage,
    overlapsSyncs: boolean,
    meter?: DiskMeter,
  ) {
    this.#outlet = outlet;
    this.#overlapsSyncs = overlapsSyncs;
    this.#meter = meter;
    this.task = task;
    this.storage = storage;
    storage.onFailure((error) => {
      // A close says itself what has failed.
      if (!this.#closed) this.#failSoon("checkpoint", error);
    });
  }

  /** Installs the task's program. */
  install(program: TaskProgram): void {
    this.#program = program;
    this.task.install(program);
  }

  /** Syncs each frame within `intervalMs`; without frames never. A failed sync ends the process. */
  syncWithin(intervalMs: number): void {
    this.#syncIntervalMs = intervalMs;
  }

  /** Puts this start on record, durably; before anything is served. */
  async begin(continuations: readonly Continuation[]): Promise<void> {
    await this.#record(this.task.bootRecords(false, continuations));
    this.#begun = true;
  }

  /** Begins: greets the destinations of recovered streams and lets the program go on. */
  start(): void {
    this.#greet();
    this.#program?.start();
  }

  accept(origin: MessageOrigin, body: Uint8Array, firstSequence: number): void {
    this.#accept({ origin, body, firstSequence });
  }

  #accept(section: ReceivedSection): void {
    if (this.#closed) return;
    this.#orStop("accept", () => this.task.accept(section));
    this.#schedule();
  }

  /** A message from this task's own program. */
  submit(message: Uint8Array | OwnWork): void {
    if (typeof message === "function") {
      this.#accept({ origin: { kind: "self" }, body: noBytes, firstSequence: 0, work: message });
      return;
    }
    const body = new ByteWriter(4 + message.length);
    body.lengthPrefixed(message);
    this.accept({ kind: "self" }, body.view(), 0);
  }

  acknowledged(destination: number, ack: StreamAck): void {
    if (this.#closed) return;
    this.#orStop("send", () => {
      this.task.outbox.acknowledge(destination, ack);
      this.#pump();
    });
  }

  /** A source asks what this task knows of it. */
  greeted(source: number): void {
    if (this.#closed) return;
    this.task.greetedBy(source);
    this.#outlet.acknowledge(this.task.taskId, source, this.task.ackOf(source, false));
  }

  /** A destination was started again. */
  greetAgain(destination: number): void {
    this.task.outbox.greet(destination);
    this.#greet();
  }

  /** Nobody on that thread is told anything any more, be it of a batch in hand. */
  threadExited(thread: number): void {
    this.#inHand?.replies.delete(thread);
    this.#inHand?.notices.delete(thread);
    this.#program?.threadExited(thread);
  }

  /** Aborts the signals of running nodes. */
  abort(reason: unknown): void {
    this.#program?.abort(reason);
  }

  /** Node functions that run. */
  get running(): number {
    return this.#program?.running ?? 0;
  }

  /** See TaskProgram; called once, after `start`. */
  async runSuspects(): Promise<void> {
    await this.#program?.runSuspects();
  }

  get programReport(): ProgramReport {
    return this.#program?.report() ?? { deadLetters: 0, deadLettersDropped: 0 };
  }

  /** Makes durable what a mode weaker than `durable` has not synced yet. */
  flush(): void {
    if (this.#closed) return;
    const { notes, taskId } = this.task;
    notes.device(taskId);
    try {
      this.storage.flush();
    } catch (error) {
      this.#fail("sync", error);
    }
    notes.clear();
    this.#acknowledgeDurable(noAcks);
  }

  /** Takes no more turns and frees the storage. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#syncTimer?.cancel();
    // A failure of it has stopped the process.
    await this.#syncing;
    try {
      if (this.#begun && !this.#failed) await this.#record(this.task.bootRecords(true));
      await this.storage.close();
    } catch (error) {
      // Once is enough: the storage says again what has stopped the process.
      if (!this.#failed) this.#fail("close", error);
    }
  }

  /** A frame beside batches, durable in every mode. */
  async #record(writes: readonly RecordWrite[]): Promise<void> {
    const { storage } = this;
    while (!storage.hasRoom(writes)) await storage.whenRoom();
    storage.append(writes);
    await storage.syncLater();
    storage.publish();
    storage.flush();
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#outlet.system.later(() => this.#turn());
  }

  #turn(): void {
    // What a program submits while it applies a message asks for a turn before the batch is in
    // hand: whoever lets it go looks for more.
    if (this.#inHand !== undefined) return;
    this.#scheduled = false;
    if (this.#closed || this.#failed) return;
    const batch = this.#orStop("apply", () => this.task.step());
    if (batch === undefined) return;
    this.#place(batch);
  }

  /** Whatever waits for the device here is no stuck handler: the watchdog is told. */
  #place(batch: Batch): void {
    const { notes, taskId } = this.task;
    notes.device(taskId);
    this.#commitIfRoom(batch);
    notes.clear();
  }

  /** Commits the batch when its frame fits. To ask can mean a swap, which writes too (D2). */
  #commitIfRoom(batch: Batch): void {
    let hasRoom: boolean;
    try {
      hasRoom = !batch.hasFrame || this.storage.hasRoom(batch.records);
    } catch (error) {
      this.#hold(batch);
      this.#failSoon("commit", error);
      return;
    }
    if (hasRoom) this.#commit(batch);
    else this.#waitForRoom(batch);
  }

  /** The task has a batch in hand and takes no turn until it is let go. */
  #hold(batch: Batch): void {
    this.#scheduled = true;
    this.#inHand = batch;
  }

  #letGo(): void {
    this.#scheduled = false;
    this.#inHand = undefined;
  }

  #waitForRoom(batch: Batch): void {
    this.#hold(batch);
    this.storage.whenRoom().then(
      () => {
        if (this.#closed) return;
        this.#letGo();
        this.#goOn("commit", () => this.#place(batch));
      },
      (error: unknown) => {
        if (!this.#closed) this.#failSoon("checkpoint", error);
      },
    );
  }

  #commit(batch: Batch): void {
    if (!batch.hasFrame) {
      this.#finish(batch);
      return;
    }
    try {
      for (const [table, version] of batch.clears) this.storage.clear(table, version);
      this.storage.append(batch.records);
      this.#meter?.wrote(this.storage.stats().frameBytes);
      if (!this.#overlapsSyncs) {
        this.storage.sync();
        this.storage.publish();
      }
    } catch (error) {
      this.#fail("commit", error);
    }
    if (this.#overlapsSyncs) this.#syncLater(batch);
    else this.#finish(batch);
  }

  /** Other tasks of this thread, and node functions, go on while the device works. */
  #syncLater(batch: Batch): void {
    this.#hold(batch);
    this.#syncing = this.storage.syncLater().then(
      () => {
        this.#syncing = undefined;
        this.#goOn("commit", () => {
          this.storage.publish();
          if (this.#closed) return;
          this.#letGo();
          this.#finish(batch);
        });
      },
      (error: unknown) => this.#failSoon("commit", error),
    );
  }

  #syncInTime(): void {
    const { batchDurable, batchLast } = this.storage;
    const isDue = this.#syncTimer === undefined && batchDurable < batchLast;
    if (this.#syncIntervalMs === undefined || !isDue) return;
    this.#syncTimer = this.#outlet.system.after(this.#syncIntervalMs, () => {
      this.#syncTimer = undefined;
      this.flush();
    });
  }

  #finish(batch: Batch): void {
    this.#syncInTime();
    this.#orStop("reveal", () => {
      this.task.committed(batch);
      this.#reveal(batch);
    });
    if (this.task.hasWork) this.#schedule();
  }

  /**
   * The gate is open: replies first, then messages to other tasks, then what the program does next.
   */
  #reveal(batch: Batch): void {
    const outlet = this.#outlet;
    const { taskId } = this.task;
    for (const [thread, body] of batch.replies) {
      outlet.post(thread, section.replies, taskId, thread, body.finish());
    }
    for (const [thread, body] of batch.notices) {
      outlet.post(thread, section.notices, taskId, thread, body.finish());
    }
    for (const [source, resend] of batch.acks) {
      outlet.acknowledge(taskId, source, this.task.ackOf(source, resend));
    }
    this.#acknowledgeDurable(batch.acks);
    this.#pump();
    for (const action of batch.actions) action();
  }

  /** In modes that sync later, sources are told later what they may forget. */
  #acknowledgeDurable(told: ReadonlyMap<number, boolean>): void {
    for (const source of this.task.takeDurable()) {
      if (told.has(source)) continue;
      this.#outlet.acknowledge(this.task.taskId, source, this.task.ackOf(source, false));
    }
  }

  #pump(): void {
    const { outbox, taskId } = this.task;
    while (outbox.sendable) {
      outbox.pump((destination, firstSequence, messages) => {
        const { plan } = this.#outlet;
        const body = streamBody(plan.epoch, firstSequence, messages);
        this.#outlet.post(threadOf(plan, destination), section.stream, taskId, destination, body);
      });
    }
  }

  #greet(): void {
    this.task.outbox.greetings((destination) => {
      this.#outlet.greet(this.task.taskId, destination);
    });
  }

  /**
   * From a promise: `stop` does not return, and nobody would see what it threw in a simulation. No
   * turn is taken before it.
   */
  #failSoon(step: string, error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#outlet.system.soon(() => this.#fail(step, error));
  }

  /** In a promise, with the same reason. */
  #goOn(step: string, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#failSoon(step, error);
    }
  }

  #orStop<T>(step: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      this.#fail(step, error);
    }
  }

  #fail(step: string, error: unknown): never {
    this.#failed = true;
    stopFor(this.#outlet.system, `task ${this.task.taskId}`, step, error);
  }
}
