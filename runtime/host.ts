// Host — one thread's part of the runtime: its lanes to every task and the tasks it runs itself.
//
// The launching thread's host has lanes only (or, inline, all tasks); a task thread's host has
// tasks and the lanes its nodes use. Everything that leaves goes through one packet per peer and
// flush.
// Owns: flushing, dispatch of arriving sections, the pace of its tasks (task-driver.ts has the
// gate).
// Leaves to others: which task (router in store-client.ts), starting and ending threads
// (cluster.ts).
//
// Invariants:
//   H1. Bytes to one peer leave in the order they were written; to this thread itself too.
//   H2. A section for a task that this host does not run is a broken invariant, never dropped: the
//       process ends (fail-stop.ts).

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import { assert, InvariantViolation } from "../base/invariant.js";
import { orStop } from "./fail-stop.js";
import { Lane, type LaneBounds } from "./lane.js";
import type { Outlet } from "./outlet.js";
import { type PlanShape, threadOf } from "./plan.js";
import { readSections, type SectionKind, section, writeSection } from "./packet.js";
import {
  ackBody,
  helloBody,
  readAck,
  readHello,
  readStreamHeader,
  type StreamAck,
  streamHeaderBytes,
} from "./stream-encoding.js";
import type { System } from "./system.js";
import type { TaskDriver } from "./task-driver.js";
import type { Transport } from "./transport.js";

export interface HostParts {
  readonly plan: PlanShape;
  readonly transport: Transport;
  readonly system: System;
  readonly bounds: LaneBounds;
}

/** What clients on this thread listen to. */
export type NoticeListener = (task: number, notice: Uint8Array) => void;
export type LostListener = (tasks: readonly number[] | "all", error: Error) => void;

interface LaneOrigin {
  readonly kind: "lane";
  thread: number;
}

/** Stands for a thread that has died: no thread has this number. */
const nobody = 0xffff;

export class Host implements Outlet {
  readonly thread: number;
  readonly plan: PlanShape;
  readonly system: System;
  readonly #transport: Transport;
  readonly #lanes: Lane[] = [];
  readonly #drivers = new Map<number, TaskDriver>();
  readonly #packets = new Map<number, ByteWriter>();
  readonly #dirtyLanes: Lane[] = [];
  /** One for each thread whose requests arrive; what waits in mailboxes holds the object itself. */
  readonly #origins = new Map<number, LaneOrigin>();
  #flushWanted = false;
  readonly #onNotice: NoticeListener[] = [];
  readonly #onLost: LostListener[] = [];

  constructor(parts: HostParts) {
    this.thread = parts.transport.thread;
    this.plan = parts.plan;
    this.system = parts.system;
    this.#transport = parts.transport;
    for (let task = 0; task < parts.plan.taskCount; task += 1) {
      this.#lanes.push(new Lane(task, parts.bounds, (lane) => this.#laneDirty(lane)));
    }
    parts.transport.onPacket((from, packet) => {
      this.#orStop(`receive from thread ${from}`, () => this.#receive(packet));
    });
  }

  /** This thread's lane to a task. */
  lane(task: number): Lane {
    const lane = this.#lanes[task];
    // Not `assert` with a message: no closure is made for each call.
    if (lane === undefined) throw new InvariantViolation(`there is no task ${task}`);
    return lane;
  }

  /** Callers on this thread that have no reply yet. */
  get pending(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.pending, 0);
  }

  get drivers(): readonly TaskDriver[] {
    return [...this.#drivers.values()];
  }

  /** Runs a task on this host from now on. */
  adopt(driver: TaskDriver): void {
    this.#drivers.set(driver.task.taskId, driver);
  }

  onNotice(listener: NoticeListener): void {
    this.#onNotice.push(listener);
  }

  onLost(listener: LostListener): void {
    this.#onLost.push(listener);
  }

  /** Adds a section to the packet of the thread that it is for; it leaves with the next flush. */
  post(thread: number, kind: SectionKind, from: number, to: number, body: Uint8Array): void {
    if (thread === nobody) return;
    let packet = this.#packets.get(thread);
    if (packet === undefined) {
      packet = new ByteWriter();
      this.#packets.set(thread, packet);
    }
    writeSection(packet, kind, from, to, body);
    this.#wantFlush();
  }

  /** Tells a source task what one of this host's tasks has applied, and made durable. */
  acknowledge(task: number, source: number, ack: StreamAck): void {
    const body = ackBody(this.plan.epoch, ack);
    this.post(threadOf(this.plan, source), section.ack, task, source, body);
  }

  /** Asks a destination what it knows of one of this host's tasks. */
  greet(task: number, destination: number): void {
    const thread = threadOf(this.plan, destination);
    this.post(thread, section.hello, task, destination, helloBody(this.plan.epoch));
  }

  /** Tasks are gone: callers that wait for them are told `error`. */
  lose(tasks: readonly number[] | "all", error: Error): void {
    for (const lane of this.#lanes) {
      if (tasks === "all" || tasks.includes(lane.task)) lane.lose(error);
    }
    for (const listener of this.#onLost) listener(tasks, error);
  }

  /**
   * A thread died: what it sent and was not applied yet is still applied, but nobody is told, since
   * a thread started in its place has lanes of its own that never sent those requests.
   */
  threadExited(thread: number): void {
    this.#packets.delete(thread);
    const origin = this.#origins.get(thread);
    if (origin !== undefined) origin.thread = nobody;
    this.#origins.delete(thread);
    for (const driver of this.#drivers.values()) driver.threadExited(thread);
  }

  /** Tasks were started again on fresh ports: lanes are open, streams to them are greeted. */
  reopen(tasks: readonly number[]): void {
    for (const task of tasks) {
      this.lane(task).reopen();
      for (const driver of this.#drivers.values()) driver.greetAgain(task);
    }
  }

  close(): void {
    this.#transport.close();
    this.#packets.clear();
  }

  #laneDirty(lane: Lane): void {
    this.#dirtyLanes.push(lane);
    this.#wantFlush();
  }

  #wantFlush(): void {
    if (this.#flushWanted) return;
    this.#flushWanted = true;
    this.system.soon(() => this.#orStop("flush", () => this.#flush()));
  }

  #orStop(what: string, action: () => void): void {
    orStop(this.system, `thread ${this.thread}`, what, action);
  }

  #flush(): void {
    for (const lane of this.#dirtyLanes.splice(0)) {
      const body = lane.takeBody();
      if (body.length === 0) continue;
      this.post(threadOf(this.plan, lane.task), section.requests, this.thread, lane.task, body);
    }
    this.#flushWanted = false;
    const packets = [...this.#packets];
    this.#packets.clear();
    for (const [thread, packet] of packets) {
      const bytes = packet.finish();
      // To this thread itself a packet goes as bytes too: one path for all.
      if (thread === this.thread) this.#receive(bytes);
      else this.#transport.send(thread, bytes);
    }
  }

  #receive(packet: Uint8Array): void {
    readSections(packet, (kind, from, to, body) => {
      switch (kind) {
        case section.requests:
          this.#driver(to).accept(this.#origin(from), body, 0);
          return;
        case section.replies:
          this.lane(from).receive(body);
          return;
        case section.notices:
          this.#notices(from, body);
          return;
        case section.stream: {
          const firstSequence = readStreamHeader(this.plan.epoch, body);
          const messages = body.subarray(streamHeaderBytes);
          this.#driver(to).accept({ kind: "task", task: from }, messages, firstSequence);
          return;
        }
        case section.ack:
          this.#driver(to).acknowledged(from, readAck(this.plan.epoch, body));
          return;
        case section.hello:
          readHello(this.plan.epoch, body);
          this.#driver(to).greeted(from);
          return;
        default:
          assert(false, () => `section kind ${kind} is not in the protocol`);
      }
    });
  }

  #origin(thread: number): LaneOrigin {
    let origin = this.#origins.get(thread);
    if (origin === undefined) {
      origin = { kind: "lane", thread };
      this.#origins.set(thread, origin);
    }
    return origin;
  }

  #notices(task: number, body: Uint8Array): void {
    const reader = new ByteReader(body);
    while (!reader.done) {
      const notice = reader.bytes(reader.u32());
      for (const listener of this.#onNotice) listener(task, notice);
    }
  }

  #driver(task: number): TaskDriver {
    const driver = this.#drivers.get(task);
    assert(driver !== undefined, () => `thread ${this.thread} does not run task ${task}`);
    return driver;
  }
}
