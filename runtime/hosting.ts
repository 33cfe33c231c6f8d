// Hosting — assembles what one thread runs: host, router, readers, and its tasks with their
// storage.
//
// The same function serves the launching thread (lanes only), a task thread (its tasks) and the
// inline mode (all tasks), so that they differ in nothing but the parts they are given.
// Owns: the wiring and its undoing. Leaves to others: everything that is wired.

import { PartitaError } from "../base/errors.js";
import type { ErasedUpdates } from "../store/declaration.js";
import { hashKey } from "../store/key-hash.js";
import type { KeyValueStore } from "../store/key-value-store.js";
import type { StorageStats } from "../store/storage.js";
import type { TaskMemory } from "../store/task-memory.js";
import type { Durability } from "../store/task-storage.js";
import { nameShown } from "./call-checks.js";
import type { CallRetention } from "./call-records.js";
import { objectEntries, plannedStores, programEntries } from "./compile.js";
import type { ComputeCall } from "./compute-call.js";
import { StoppingReader } from "./fail-stop.js";
import type { FreeBytes } from "./disk-meter.js";
import type { Continuation, TaskStreams } from "./handshake.js";
import { Host } from "./host.js";
import type { LaneBounds } from "./lane.js";
import type { StreamWindow } from "./outbox.js";
import { type PlannedStore, type PlanShape, tasksOf } from "./plan.js";
import { applied, ask, note, recall } from "./node-operations.js";
import { noBytes, operation, stampKind } from "./lane-encoding.js";
import { checked } from "./refusal.js";
import { Router } from "./router.js";
import type { Storages } from "./storages.js";
import { StoreClient, type StoreClientOptions } from "./store-client.js";
import type { System } from "./system.js";
import { Task, type TaskStats } from "./task.js";
import { TaskDriver } from "./task-driver.js";
import type { NeighbourCall, ProgramClientPort, ProgramReport, TaskPort } from "./task-program.js";
import { ThreadObjects } from "./thread-objects.js";
import { type GuardSpec, ThreadGuards } from "./thread-guards.js";
import type { Topology } from "./topology.js";
import type { Transport } from "./transport.js";

/** What every thread is told; all of it is data or shared memory. */
export interface HostSpec {
  readonly plan: PlanShape;
  readonly directory: string;
  /** Shared memory of every task, by number. */
  readonly memories: readonly TaskMemory[];
  readonly durability: Durability;
  readonly syncIntervalMs: number;
  readonly bounds: LaneBounds;
  readonly callRetention: CallRetention;
  readonly batchBytesMax: number;
  readonly valueBytesMax: number;
  readonly streamWindow: StreamWindow;
  readonly guards: GuardSpec;
}

/** What a thread's tasks need from outside. */
export interface HostServices {
  readonly system: System;
  readonly storages: Storages;
  readonly compute: ComputeCall;
  readonly neighbour: NeighbourCall;
  /** For a task's own looks at the disk; absent where space does not run out. */
  readonly freeBytes?: FreeBytes;
}

/** Figures of one task. */
export interface TaskReport extends ProgramReport {
  readonly task: number;
  readonly thread: number;
  readonly batches: TaskStats;
  readonly storage: StorageStats;
  readonly unacknowledged: number;
  /**
   * Streams to other tasks that went on, at this start, behind messages that a power cut took from
   * this task in a mode weaker than `durable`.
   */
  readonly continued: number;
  readonly running: number;
}

/** One thread's part of a running topology. */
export class HostedThread {
  readonly host: Host;
  /** The way of callers outside of nodes: refused as soon as `close` is called. */
  readonly router: Router;
  /** The way of this thread's nodes: they go on while `close` waits for them. */
  readonly #nodeRouter: Router;
  readonly guards: ThreadGuards;
  readonly objects: ThreadObjects;
  readonly #stores: ReadonlyMap<string, PlannedStore>;

  constructor(
    host: Host,
    router: Router,
    stores: Iterable<PlannedStore>,
    guards: ThreadGuards,
    objects: ThreadObjects,
  ) {
    this.objects = objects;
    this.host = host;
    this.router = router;
    this.guards = guards;
    this.#nodeRouter = router.sibling();
    this.#stores = new Map(Array.from(stores, (store) => [store.name, store]));
  }

  /** A client of a declared store. @throws PartitaError STORE_UNKNOWN */
  store(name: string): KeyValueStore<unknown, unknown, ErasedUpdates> {
    return this.#client(name, this.router, {});
  }

  /** The way of nodes that run here: to stores, and to what earlier runs of them recorded. */
  nodePort(
    task: number,
  ): Pick<TaskPort, "store" | "recall" | "note" | "ask" | "applied" | "clients"> {
    const router = this.#nodeRouter;
    return {
      applied: (journal, step, name, message) => {
        return applied(journal, step, router.lane(task), name, message);
      },
      clients: this.#clientPort(router),
      store: (name, journal) => this.#client(name, router, { journal }),
      recall: (prefix) => recall(router, prefix),
      ask: (to, message) => ask(router.lane(to), message),
      note: (journal, step, name, outcome) => {
        return note(journal, step, router.lane(task), name, outcome);
      },
    };
  }

  #client(
    name: string,
    router: Router,
    options: StoreClientOptions,
  ): KeyValueStore<unknown, unknown, ErasedUpdates> {
    const store = this.#stores.get(name);
    if (store === undefined) {
      const known = [...this.#stores.keys()];
      throw new PartitaError("STORE_UNKNOWN", { store: nameShown(name), known });
    }
    return new StoreClient(store, router, options);
  }

  /** What the clients of programs on this thread use. */
  get programPort(): ProgramClientPort {
    return this.#clientPort(this.router);
  }

  #clientPort(router: Router): ProgramClientPort {
    const { host } = this;
    return {
      taskCount: router.taskCount,
      ownerOf: (keyHash) => router.owner(keyHash),
      now: () => host.system.now(),
      random: () => host.system.random(),
      assertWritable: () => router.assertWritable(),
      request: async (task, message, id) => {
        router.assertOpen();
        const lane = router.lane(task);
        const stamp = id === undefined ? undefined : { kind: stampKind.call, id, reads: noBytes };
        return checked(await lane.request(operation.program, 0, noBytes, 0, message, stamp)).bytes;
      },
      reopened: (task) => router.lane(task).reopened(),
      onNotice: (listener) => host.onNotice(listener),
      onLost: (listener) => host.onLost(listener),
    };
  }

  /** What the tasks know of others; before they begin. */
  streams(): readonly TaskStreams[] {
    return this.host.drivers.map(({ task }) => task.streams());
  }

  /** Puts this start of every task on record, durably; `start` follows. */
  async begin(continuations: readonly Continuation[]): Promise<void> {
    await Promise.all(this.host.drivers.map((driver) => driver.begin(continuations)));
  }

  /** Lets the tasks begin: recovered streams greet, recovered nodes run. */
  start(): void {
    if (this.host.drivers.length > 0) this.guards.start();
    for (const driver of this.host.drivers) driver.start();
  }

  /** Runs what may have killed these tasks before, one after the other. */
  async runSuspects(): Promise<void> {
    for (const driver of this.host.drivers) await driver.runSuspects();
  }

  /** Nothing waits, runs or is unacknowledged on this thread. */
  get quiet(): boolean {
    return this.host.pending === 0 && this.host.drivers.every(({ task }) => task.quiet);
  }

  reports(): readonly TaskReport[] {
    return this.host.drivers.map((driver) => ({
      task: driver.task.taskId,
      thread: this.host.thread,
      batches: driver.task.stats(),
      storage: driver.storage.stats(),
      unacknowledged: driver.task.outbox.unacknowledged,
      continued: driver.task.outbox.continued,
      running: driver.running,
      ...driver.programReport,
    }));
  }

  /** Aborts the signals of running nodes, and refuses whatever anybody calls here from now on. */
  abort(reason: PartitaError): void {
    for (const driver of this.host.drivers) driver.abort(reason);
    for (const router of [this.router, this.#nodeRouter]) router.refuse(reason);
  }

  /** Stops the tasks and frees their storage; waits for checkpoints under way. */
  async close(): Promise<void> {
    this.guards.close();
    await Promise.all(this.host.drivers.map((driver) => driver.close()));
    await this.objects.close();
    await this.router.closeReaders();
    this.host.close();
  }
}

/** Opens what `transport.thread` runs. On failure everything opened so far is closed again. */
export async function openHost(
  declared: Topology,
  spec: HostSpec,
  transport: Transport,
  services: HostServices,
): Promise<HostedThread> {
  const { plan } = spec;
  const stores = plannedStores(declared, plan);
  const host = new Host({ plan, transport, system: services.system, bounds: spec.bounds });
  const hosted =
    transport.thread === 0 && plan.threadCount > 0 ? [] : tasksOf(plan, transport.thread);
  const guards = new ThreadGuards(services.system, spec.guards, transport.thread);
  const drivers = await openTasks(host, hosted, spec, stores, services, guards);
  try {
    return assembled(declared, spec, { host, guards, stores, drivers }, services);
  } catch (error) {
    await closeAll(drivers);
    throw error;
  }
}

/** Makes one of what is open, and installs the programs. */
function assembled(
  declared: Topology,
  spec: HostSpec,
  parts: {
    readonly host: Host;
    readonly guards: ThreadGuards;
    readonly stores: ReadonlyMap<number, PlannedStore>;
    readonly drivers: readonly TaskDriver[];
  },
  services: HostServices,
): HostedThread {
  const { host, guards, stores, drivers } = parts;
  const readers = Array.from({ length: spec.plan.taskCount }, (_, task) => {
    return new StoppingReader(services.storages.reader(task), task, services.system);
  });
  const router = new Router(host, readers, guards.disk);
  const objects = new ThreadObjects(objectEntries(declared), services.system);
  const thread = new HostedThread(host, router, stores.values(), guards, objects);
  for (const driver of drivers) {
    host.adopt(driver);
    if (spec.durability === "interval") driver.syncWithin(spec.syncIntervalMs);
    installProgram(declared, thread, driver, services, spec.valueBytesMax);
  }
  return thread;
}

async function openTasks(
  host: Host,
  tasks: readonly number[],
  spec: HostSpec,
  stores: ReadonlyMap<number, PlannedStore>,
  services: HostServices,
  guards: ThreadGuards,
): Promise<readonly TaskDriver[]> {
  const opened = await Promise.allSettled(
    tasks.map(async (taskId) => {
      const storage = await services.storages.open(taskId);
      const { taskCount, threadCount, epoch } = spec.plan;
      const { batchBytesMax, valueBytesMax, streamWindow, durability, callRetention } = spec;
      const { system } = services;
      const bounds = { batchBytesMax, valueBytesMax, streamWindow, callRetention };
      const numbers = { taskId, taskCount, threadCount, epoch };
      const { notes } = guards;
      const parts = { ...numbers, storage, durability, stores, system, notes, ...bounds };
      const meter = guards.meter(taskCount, services.freeBytes);
      try {
        return new TaskDriver(host, new Task(parts), storage, tasks.length > 1, meter);
      } catch (error) {
        await closeAll([storage]);
        throw error;
      }
    }),
  );
  const failed = opened.find((outcome) => outcome.status === "rejected");
  const drivers = opened.flatMap((outcome) =>
    outcome.status === "fulfilled" ? [outcome.value] : [],
  );
  if (failed === undefined) return drivers;
  await closeAll(drivers);
  throw failed.reason;
}

/** Of an opening that has failed: why it did is what is told, whatever comes of the closing. */
async function closeAll(opened: readonly { close(): Promise<void> }[]): Promise<void> {
  await Promise.allSettled(opened.map((each) => each.close()));
}

function installProgram(
  declared: Topology,
  thread: HostedThread,
  driver: TaskDriver,
  services: HostServices,
  rowBytesMax: number,
): void {
  const entries = programEntries(declared);
  const first = entries.values().next().value;
  if (first === undefined) return;
  const { task, storage } = driver;
  const port: TaskPort = {
    topology: declared.name,
    taskId: task.taskId,
    taskCount: thread.router.taskCount,
    boot: task.boot,
    isWeak: task.isWeak,
    rowBytesMax,
    ownerOf: (keyHash) => thread.router.owner(keyHash),
    now: () => services.system.now(),
    random: () => services.system.random(),
    after: (delayMs, action, background) => services.system.after(delayMs, action, background),
    submit: (message) => driver.submit(message),
    get: (table, key) => storage.get(table, key, hashKey(key))?.value,
    page: (table, range, limit) => storage.page(table, range, limit),
    ...thread.nodePort(task.taskId),
    compute: services.compute,
    objects: thread.objects,
    neighbour: services.neighbour,
    ...thread.guards.portOf(task.taskId),
  };
  driver.install(first.program(port, entries));
}
