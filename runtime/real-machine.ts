// Real machine — directories, files, worker threads, ports and pools.
//
// Owns: what of it a plan needs, with task threads or without. Leaves to others: the parts
// themselves.

import { MessageChannel } from "node:worker_threads";
import { runCheckpoint } from "../store/checkpoint.js";
import { createTaskMemory } from "../store/task-memory.js";
import { CheckpointPool } from "./checkpoint-pool.js";
import type { ClusterOptions } from "./cluster-options.js";
import { ComputePool, inlineCompute } from "./compute.js";
import { plannedStores } from "./compile.js";
import { directoryAt, taskDirectories } from "./directory.js";
import { type DiskProbe, probeOf } from "./disk-guard.js";
import { freeBytesOf } from "./disk-meter.js";
import type { HostSpec } from "./hosting.js";
import type { Equipment, ExitListener, Machine, ThreadHandle, ThreadSource } from "./machine.js";
import { neighbours } from "./neighbours.js";
import { fileStorages } from "./storages.js";
import { tasksOf } from "./plan.js";
import { realSystem, type System } from "./system.js";
import { TaskThreadHandle, type ThreadParts } from "./task-thread-handle.js";
import { unlessExited } from "./task-threads.js";
import { ThreadTransport } from "./thread-transport.js";
import type { Topology } from "./topology.js";
import { type Delivery, InlineNetwork } from "./transport.js";
import { tableNames } from "./watchdog.js";
import { WatchdogHandle } from "./watchdog-handle.js";

/** What tests replace of it. */
export interface MachineSeams {
  readonly system?: System;
  /** Inline mode: when packets arrive. */
  readonly delivery?: Delivery;
  /** How full the disk is. */
  readonly freeBytes?: DiskProbe;
}

/** The machine that this process runs on. */
export function realMachine(options: ClusterOptions, seams: MachineSeams = {}): Machine {
  const { system = realSystem, freeBytes = probeOf(options.directory) } = seams;
  // A watchdog goes by the machine's clock: it can watch nobody who goes by another.
  const watches = system === realSystem;
  return {
    system,
    watches,
    place: { ...directoryAt(options.directory), freeBytes },
    memories: (taskCount, arenaBytes) => {
      return Array.from({ length: taskCount }, () => createTaskMemory({ arenaBytes }));
    },
    equip: (declared, spec) => {
      const equipment =
        spec.plan.threadCount === 0
          ? inlineEquipment(declared, spec, system, seams)
          : threadEquipment(declared, spec, system, options);
      return spec.guards.beatMs === 0 ? equipment : watched(equipment, declared, spec, options);
    },
  };
}

/** The same with a watchdog over its threads. */
function watched(
  equipment: Equipment,
  declared: Topology,
  spec: HostSpec,
  { handlerTimeoutMs }: ClusterOptions,
): Equipment {
  const { plan, directory, guards } = spec;
  const data = {
    folders: taskDirectories(directory, plan.taskCount),
    memory: guards.notes,
    settings: {
      handlerTimeoutMs,
      beatMs: guards.beatMs,
      pid: process.pid,
      tasks: Array.from({ length: plan.threadCount + 1 }, (_, thread) => tasksOf(plan, thread)),
      tables: tableNames(plannedStores(declared, plan).values()),
    },
  };
  let watchdog: WatchdogHandle | undefined;
  return {
    ...equipment,
    watch: () => {
      watchdog = new WatchdogHandle(data, equipment.services.system);
    },
    close: async () => {
      await Promise.all([watchdog?.close(), equipment.close()]);
    },
  };
}

/** Every task on the launching thread. */
function inlineEquipment(
  declared: Topology,
  spec: HostSpec,
  system: System,
  seams: MachineSeams,
): Equipment {
  const storages = fileStorages({ ...spec, runCheckpoint });
  const transport = new InlineNetwork(system, seams.delivery).endpoint(0);
  const compute = inlineCompute(declared, system);
  // Tests that say how full the disk is say so to the guard alone.
  const looks = seams.freeBytes === undefined ? { freeBytes: freeBytesOf(spec.directory) } : {};
  const services = { system, storages, compute, neighbour: neighbours.callOf(system), ...looks };
  return { transport, services, threads: noThreads, close: async () => {} };
}

const noThreads: ThreadSource = {
  spawn: () => {
    throw new RangeError("an inline cluster has no threads");
  },
  connect: async () => {},
  disconnect: () => {},
  settled: async () => {},
};

function threadEquipment(
  declared: Topology,
  spec: HostSpec,
  system: System,
  options: ClusterOptions,
): Equipment {
  const { taskCount } = spec.plan;
  const checkpoints = new CheckpointPool(Math.min(taskCount, options.checkpointThreads));
  const compute = new ComputePool(declared, options.computeThreads, system);
  const neighbour = neighbours.callOf(system);
  const pools = { checkpoints, compute, neighbour };
  const heapBytes = options.threadHeapBytes;
  const threads = new WorkerThreads({ declared, spec, pools, heapBytes });
  const storages = fileStorages({ ...spec, runCheckpoint: (job) => checkpoints.run(job) });
  return {
    transport: threads.transport,
    services: { system, storages, compute: compute.call, neighbour },
    threads,
    close: async () => {
      await Promise.all([checkpoints.close(), compute.close()]);
    },
  };
}

/** Worker threads, and message ports between them. */
class WorkerThreads implements ThreadSource {
  readonly transport = new ThreadTransport(0);
  readonly #parts: ThreadParts;
  /** The newest of each number. */
  readonly #handles = new Map<number, TaskThreadHandle>();

  constructor(parts: ThreadParts) {
    this.#parts = parts;
    this.transport.start();
  }

  spawn(thread: number, onExit: ExitListener): ThreadHandle {
    const handle = new TaskThreadHandle(thread, this.#parts, onExit);
    this.#handles.set(thread, handle);
    return handle;
  }

  async connect(thread: number, peer: number): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    const handle = this.#handle(thread);
    if (peer === 0) {
      this.transport.connect(thread, port1);
      await handle.connect(0, port2);
      return;
    }
    const other = this.#handle(peer);
    await Promise.all([
      handle.connect(peer, port1),
      unlessExited([other], () => other.connect(thread, port2)),
    ]);
  }

  disconnect(thread: number): void {
    this.transport.disconnect(thread);
  }

  settled(tasks: readonly number[]): Promise<void> {
    return this.#parts.pools.checkpoints.settled(tasks);
  }

  #handle(thread: number): TaskThreadHandle {
    const handle = this.#handles.get(thread);
    if (handle === undefined) throw new RangeError(`there is no thread ${thread}`);
    return handle;
  }
}
