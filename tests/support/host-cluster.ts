// Host cluster — hosts, tasks and drivers of the runtime over memory storages and an inline
// network.
//
// One host for each "thread" (0 has no tasks unless it is the only one), as in production, but on
// one thread: tests choose when packets arrive and what storages do. Owns: the wiring of
// runtime/hosting.ts for storages in memory. Leaves to others: everything that is wired.

import { type AgentClient, createAgentClients } from "../../agents/client/client.js";
import { limits } from "../../base/limits.js";
import {
  objectEntries,
  assignTables,
  plannedStores,
  programEntries,
  shapeHash,
} from "../../runtime/compile.js";
import { inlineCompute } from "../../runtime/compute.js";
import { createDiskMemory } from "../../runtime/disk-state.js";
import { StoppingReader } from "../../runtime/fail-stop.js";
import { createNotesMemory } from "../../runtime/handler-notes.js";
import { type Continuation, judgeStreams } from "../../runtime/handshake.js";
import { Host, type HostParts } from "../../runtime/host.js";
import { HostedThread } from "../../runtime/hosting.js";
import type { LaneBounds } from "../../runtime/lane.js";
import { type PlannedStore, type PlanShape, tasksOf, threadOf } from "../../runtime/plan.js";
import { Router } from "../../runtime/router.js";
import type { System } from "../../runtime/system.js";
import { Task, type TaskParts } from "../../runtime/task.js";
import { TaskDriver } from "../../runtime/task-driver.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { type GuardSpec, ThreadGuards } from "../../runtime/thread-guards.js";
import { Neighbours } from "../../runtime/neighbours.js";
import { ThreadObjects } from "../../runtime/thread-objects.js";
import type { Topology } from "../../runtime/topology.js";
import { type Delivery, InlineNetwork } from "../../runtime/transport.js";
import type { ErasedUpdates } from "../../store/declaration.js";
import { hashKey } from "../../store/key-hash.js";
import type { KeyValueStore } from "../../store/key-value-store.js";
import { MemoryStorage } from "../../store/memory-storage.js";
import type { TaskReader, TaskStorage } from "../../store/storage.js";
import type { Durability } from "../../store/task-storage.js";

/** A store's client as the runtime knows it. */
export type AnyStoreClient = KeyValueStore<unknown, unknown, ErasedUpdates>;

export interface HostClusterSettings {
  readonly system: (thread: number) => System;
  readonly taskCount?: number;
  /** Task threads beside thread 0; 0 puts all on one host. */
  readonly threadCount?: number;
  readonly delivery?: Delivery;
  readonly storage?: (task: number) => TestStorage;
  /** What the tasks believe of their storages. */
  readonly durability?: Durability;
  readonly task?: (parts: TaskParts) => Task;
  readonly host?: (parts: HostParts) => Host;
  readonly bounds?: Partial<LaneBounds>;
  readonly batchBytesMax?: number;
  /** As for threads that host several tasks. Default: the thread waits for each sync. */
  readonly overlapsSyncs?: boolean;
  /**
   * The handshake is held and boot records are written, as in production. Default: not, since tests
   * count frames of their own.
   */
  readonly recordsBoots?: boolean;
}

/** A storage with a reader for the other threads. */
export interface TestStorage extends TaskStorage {
  reader(): TaskReader;
}

export class HostCluster {
  readonly plan: PlanShape;
  readonly threads: readonly HostedThread[];
  readonly storages: readonly TestStorage[];
  readonly #declared: Topology;
  readonly #agents = new Map<HostedThread, ReadonlyMap<string, AgentClient<unknown, unknown>>>();

  constructor(declared: Topology, settings: HostClusterSettings) {
    const { taskCount = 3, threadCount = 0 } = settings;
    this.#declared = declared;
    this.plan = planOf(declared, taskCount, threadCount);
    const memory = (): TestStorage => MemoryStorage.create();
    const storage = settings.storage ?? memory;
    this.storages = Array.from({ length: taskCount }, (_, task) => storage(task));
    const systems = Array.from({ length: threadCount + 1 }, (_, thread) => settings.system(thread));
    const [first] = systems;
    if (first === undefined) throw new RangeError("a cluster has a thread");
    const network = new InlineNetwork(first, settings.delivery);
    this.threads = systems.map((system, thread) => {
      return this.#open(settings, system, network, thread);
    });
    if (settings.recordsBoots === true) {
      const continuations = judgeStreams(this.threads.flatMap((thread) => thread.streams()));
      for (const { host } of this.threads) {
        for (const driver of host.drivers) recordBoot(driver, continuations);
      }
    }
    for (const thread of this.threads) thread.start();
    void this.#runSuspects();
  }

  thread(number: number): HostedThread {
    const thread = this.threads[number];
    if (thread === undefined) throw new RangeError(`there is no thread ${number}`);
    return thread;
  }

  storage(task: number): TestStorage {
    const storage = this.storages[task];
    if (storage === undefined) throw new RangeError(`there is no task ${task}`);
    return storage;
  }

  driver(task: number): TaskDriver {
    const { host } = this.thread(threadOf(this.plan, task));
    const driver = host.drivers.find((candidate) => candidate.task.taskId === task);
    if (driver === undefined) throw new RangeError(`there is no task ${task}`);
    return driver;
  }

  /** A client of a store, on one of the threads. */
  store(name: string, thread = 0): AnyStoreClient {
    return this.thread(thread).store(name);
  }

  /** A client of an agent, on one of the threads. */
  agent(name: string, thread = 0): AgentClient<unknown, unknown> {
    const hosted = this.thread(thread);
    let clients = this.#agents.get(hosted);
    if (clients === undefined) {
      clients = createAgentClients(programEntries(this.#declared), hosted.programPort);
      this.#agents.set(hosted, clients);
    }
    const client = clients.get(name);
    if (client === undefined) throw new RangeError(`there is no agent ${name}`);
    return client;
  }

  /** As clusters do: one thread after the other. */
  async #runSuspects(): Promise<void> {
    for (const thread of this.threads) await thread.runSuspects();
  }

  #open(
    settings: HostClusterSettings,
    system: System,
    network: InlineNetwork,
    thread: number,
  ): HostedThread {
    const { plan } = this;
    const bounds: LaneBounds = {
      messagesMax: limits.laneMessagesMax,
      bytesMax: limits.laneBytesMax,
      whenFull: "wait",
      ...settings.bounds,
    };
    const makeHost = settings.host ?? ((parts) => new Host(parts));
    const host = makeHost({ plan, transport: network.endpoint(thread), system, bounds });
    const stores = plannedStores(this.#declared, plan);
    const readers = this.storages.map((storage, task) => {
      return new StoppingReader(storage.reader(), task, system);
    });
    const guards = new ThreadGuards(system, unguarded(plan), thread);
    const objects = new ThreadObjects(objectEntries(this.#declared), system);
    const router = new Router(host, readers);
    const hosted = new HostedThread(host, router, stores.values(), guards, objects);
    const tasks = thread === 0 && plan.threadCount > 0 ? [] : tasksOf(plan, thread);
    for (const taskId of tasks) {
      const driver = this.#driver(settings, host, taskId, stores);
      host.adopt(driver);
      this.#install(hosted, driver);
    }
    return hosted;
  }

  #driver(
    settings: HostClusterSettings,
    host: Host,
    taskId: number,
    stores: ReadonlyMap<number, PlannedStore>,
  ): TaskDriver {
    const { taskCount, threadCount, epoch } = this.plan;
    const { system } = host;
    const storage = this.storage(taskId);
    const batchBytesMax = settings.batchBytesMax ?? limits.batchBytesMax;
    const durability = settings.durability ?? "durable";
    const makeTask = settings.task ?? ((parts) => new Task(parts));
    const bounds = { batchBytesMax, valueBytesMax: limits.valueBytesMax };
    const numbers = { taskId, taskCount, threadCount, epoch };
    const parts = { ...numbers, storage, durability, stores, system, ...bounds };
    return new TaskDriver(host, makeTask(parts), storage, settings.overlapsSyncs ?? false);
  }

  #install(hosted: HostedThread, driver: TaskDriver): void {
    const entries = programEntries(this.#declared);
    const first = entries.values().next().value;
    if (first === undefined) return;
    const { task, storage } = driver;
    const { system } = hosted.host;
    const port: TaskPort = {
      topology: this.#declared.name,
      taskId: task.taskId,
      taskCount: this.plan.taskCount,
      boot: task.boot,
      isWeak: task.isWeak,
      rowBytesMax: limits.valueBytesMax,
      ownerOf: (keyHash) => hosted.router.owner(keyHash),
      now: () => system.now(),
      random: () => system.random(),
      after: (delayMs, action) => system.after(delayMs, action),
      submit: (message) => driver.submit(message),
      get: (table, key) => storage.get(table, key, hashKey(key))?.value,
      page: (table, range, limit) => storage.page(table, range, limit),
      ...hosted.nodePort(task.taskId),
      compute: inlineCompute(this.#declared, system),
      objects: hosted.objects,
      neighbour: new Neighbours().callOf(system),
      ...hosted.guards.portOf(task.taskId),
    };
    driver.install(first.program(port, entries));
  }
}

/** `TaskDriver.begin` without waiting: storages in memory have room and need no time. */
function recordBoot({ task, storage }: TaskDriver, continuations: readonly Continuation[]): void {
  storage.append(task.bootRecords(false, continuations));
  storage.sync();
  storage.publish();
  storage.flush();
}

/** Guards that nobody watches by, over a disk that never fills. */
function unguarded({ threadCount }: PlanShape): GuardSpec {
  return {
    disk: { directory: "", diskLowBytes: 0, diskReserveBytes: 0, memory: createDiskMemory() },
    notes: createNotesMemory(threadCount),
    beatMs: 0,
    suspectHints: {},
  };
}

/** The plan of a topology in a new directory. */
export function planOf(declared: Topology, taskCount: number, threadCount: number): PlanShape {
  const tables = Object.entries(assignTables(declared, {}));
  return {
    topology: declared.name,
    taskCount,
    threadCount,
    tables: Object.fromEntries(tables.map(([name, { table }]) => [name, table])),
    epoch: 1,
    shapeHash: shapeHash(declared),
  };
}
