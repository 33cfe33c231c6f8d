// Simulated process — one life of a simulated process: its threads, its network and what a launch
// takes from them, until it dies.
//
// It is a Machine: `Cluster` runs over it as over the real one.
// Owns: which threads live, deaths of one or all of them. Leaves to others: what outlives the
// process (simulated-site.ts), when faults happen (fault-plan.ts).
//
// Invariants:
//   1. A process that has died does nothing: every thread is dead, nothing it awaits comes.

import { PartitaError } from "../base/errors.js";
import { inlineCompute } from "../runtime/compute.js";
import { openHost } from "../runtime/hosting.js";
import type { HostServices, HostSpec } from "../runtime/hosting.js";
import type {
  Equipment,
  ExitListener,
  Machine,
  MachineBounds,
  Place,
  ThreadHandle,
  ThreadSource,
} from "../runtime/machine.js";
import { tasksOf } from "../runtime/plan.js";
import type { Storages } from "../runtime/storages.js";
import type { Topology } from "../runtime/topology.js";
import type { TaskReader } from "../store/storage.js";
import type { CommitPoint, FaultPlan, Loss } from "./fault-plan.js";
import { type SimulatedEndpoint, SimulatedNetwork } from "./simulated-network.js";
import type { SimulatedSite } from "./simulated-site.js";
import { SimulatedStorage } from "./simulated-storage.js";
import { never, SimulatedThread } from "./simulated-thread.js";
import { SimulatedHandle } from "./simulated-threads.js";
import type { World } from "./simulated-world.js";

export interface SimulatedProcessParts {
  readonly world: World;
  readonly site: SimulatedSite;
  readonly faults: FaultPlan;
  readonly bounds: MachineBounds;
  /** The process is dead. */
  readonly onDeath: (process: SimulatedProcess, reason: string) => void;
  /** One of its task threads is dead, by a fault or by itself. */
  readonly onThreadDeath: () => void;
  /** Product code ended it, or threw where nobody catches. */
  readonly onStop: (diagnosis: string, cause?: unknown) => void;
}

const directory = "simulated";

export class SimulatedProcess implements Machine, ThreadSource {
  readonly system: SimulatedThread;
  readonly bounds: MachineBounds;
  readonly #parts: SimulatedProcessParts;
  readonly #network: SimulatedNetwork;
  readonly #threads = new Map<number, SimulatedHandle>();
  /** Which thread a task's storage is open on. */
  readonly #lives = new Map<number, SimulatedThread>();
  #spec: HostSpec | undefined;
  #declared: Topology | undefined;
  /** Tasks whose batch is revealed when the step in hand is done. */
  #revealing: number[] = [];

  constructor(parts: SimulatedProcessParts) {
    const { world, faults } = parts;
    this.#parts = parts;
    this.bounds = parts.bounds;
    this.#network = new SimulatedNetwork(world, () => faults.duplicate);
    this.system = this.#thread(0);
  }

  get alive(): boolean {
    return this.system.alive;
  }

  /** Task threads that live, by number. */
  get threads(): readonly number[] {
    return [...this.#lives].filter(([, life]) => life.alive).map(([thread]) => thread);
  }

  /** A task thread has died, and the launching thread does not know it yet. */
  get hasUnnoticed(): boolean {
    return [...this.#threads].some(([number, { exitCause }]) => {
      return exitCause === undefined && this.#lives.get(number)?.alive === false;
    });
  }

  readonly place: Place = {
    directory,
    claim: async () => {
      await this.system.turn();
      const { site } = this.#parts;
      if (site.isOwned) throw new PartitaError("DIRECTORY_LOCKED", { directory, pid: null });
      site.isOwned = true;
      return {
        release: async () => {
          if (this.alive) site.isOwned = false;
        },
      };
    },
    readRecord: async () => {
      await this.system.turn();
      return this.#parts.site.record;
    },
    writeRecord: async (record) => {
      await this.system.turn();
      this.#parts.site.record = record;
    },
    makeTasks: () => this.system.turn(),
  };

  memories(): readonly [] {
    return [];
  }

  equip(declared: Topology, spec: HostSpec): Equipment {
    this.#declared = declared;
    this.#spec = spec;
    const { system } = this;
    const endpoint = this.#network.endpoint(system);
    endpoint.start();
    const storages = this.#storages(system);
    const compute = inlineCompute(declared, system);
    const services = { system, storages, compute, neighbour: noNeighbour };
    return { transport: endpoint, services, threads: this, close: async () => {} };
  }

  spawn(number: number, onExit: ExitListener): ThreadHandle {
    const spec = this.#spec;
    const declared = this.#declared;
    if (spec === undefined || declared === undefined) throw new RangeError("not equipped");
    const thread = this.#thread(number);
    const endpoint = this.#network.endpoint(thread);
    const handle = new SimulatedHandle({
      world: this.#parts.world,
      main: this.system,
      thread,
      tasks: tasksOf(spec.plan, number),
      endpoint,
      host: () => this.#host(declared, spec, thread, endpoint),
      disconnect: (peer) => this.#network.disconnect(number, peer),
      kill: () => this.#end(number, "it was asked to"),
      onExit,
    });
    this.#threads.set(number, handle);
    this.#lives.set(number, thread);
    return handle;
  }

  async connect(thread: number, peer: number): Promise<void> {
    await this.system.turn();
    this.#network.connect(thread, peer);
  }

  disconnect(thread: number): void {
    this.#network.disconnect(0, thread);
  }

  async settled(): Promise<void> {
    await this.system.turn();
  }

  /** One task thread dies at once; what it has written stays, as with any thread that ends. */
  killThread(number: number, reason: string, cause?: unknown): void {
    if (this.#end(number, reason, cause)) this.#parts.onThreadDeath();
  }

  /** All of it dies at once. */
  kill(reason: string, loss: Loss): void {
    if (!this.alive) return;
    this.#parts.world.tell(() => `the process dies (${loss}): ${reason}`);
    this.system.die();
    for (const life of this.#lives.values()) life.die();
    const { site } = this.#parts;
    site.releaseAll(loss);
    site.isOwned = false;
    this.#parts.onDeath(this, reason);
  }

  /** Between two steps: what was posted in the last one is on its way. */
  stepped(): void {
    if (this.#revealing.length === 0) return;
    for (const task of this.#revealing.splice(0)) this.#passed(task, "revealed");
  }

  #end(number: number, reason: string, cause?: unknown): boolean {
    const life = this.#lives.get(number);
    if (life === undefined || !life.alive || !this.alive) return false;
    this.#parts.world.tell(() => `thread ${number} ends: ${reason}`);
    life.die();
    this.#network.died(number);
    const handle = this.#threads.get(number);
    for (const task of handle?.tasks ?? []) this.#parts.site.release(task, "kill");
    handle?.died(reason, cause);
    return true;
  }

  #thread(number: number): SimulatedThread {
    const stop = (diagnosis: string, cause?: unknown): void => {
      this.kill(diagnosis, "kill");
      this.#parts.onStop(diagnosis, cause);
    };
    const thread: SimulatedThread = new SimulatedThread(
      this.#parts.world,
      number,
      (error) => {
        const shown = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
        if (number === 0) stop(`uncaught in the launching thread: ${shown}`, error);
        else this.killThread(number, shown, error);
      },
      stop,
    );
    return thread;
  }

  async #host(
    declared: Topology,
    spec: HostSpec,
    thread: SimulatedThread,
    endpoint: SimulatedEndpoint,
  ): ReturnType<typeof openHost> {
    const compute = inlineCompute(declared, thread);
    const storages = this.#storages(thread);
    const services = { system: thread, storages, compute, neighbour: noNeighbour };
    return await openHost(declared, spec, endpoint, services);
  }

  #storages(thread: SimulatedThread): Storages {
    const { world, site, faults } = this.#parts;
    return {
      open: async (task) => {
        await thread.turn();
        const inner = site.image(task);
        const passed = (at: number, point: CommitPoint): void => this.#passed(at, point);
        const storage = new SimulatedStorage({ world, task, thread, inner, passed });
        site.open(task, storage);
        return storage;
      },
      reader: (task) => readerOf(thread, () => (faults.busyRead ? undefined : site.opened(task))),
    };
  }

  /** A commit has come to a point: whoever is to die there dies now. */
  #passed(task: number, point: CommitPoint): void {
    if (!this.alive) return;
    if (point === "published") this.#revealing.push(task);
    const scope = this.#parts.faults.at(task, point);
    if (scope === undefined) return;
    const reason = `task ${task} had its commit ${point}`;
    const number = [...this.#threads.values()].find(({ tasks }) => tasks.includes(task))?.thread;
    if (scope === "thread" && number !== undefined) this.killThread(number, reason);
    else this.kill(reason, this.#parts.faults.loss);
  }
}

/** A thread's look at a task's storage; where it is not open the owner has to be asked. */
function readerOf(thread: SimulatedThread, opened: () => SimulatedStorage | undefined): TaskReader {
  const inner = (): SimulatedStorage["inner"] | undefined =>
    thread.alive ? opened()?.inner : undefined;
  return {
    get: (table, key, keyHash) => {
      const storage = inner();
      return storage === undefined ? "busy" : storage.get(table, key, keyHash);
    },
    page: (table, range, limit) => inner()?.page(table, range, limit) ?? "busy",
    close: async () => {
      if (!thread.alive) await never();
    },
  };
}

/** A simulated process has one topology. */
const noNeighbour: HostServices["neighbour"] = async (topology) => {
  const reason = "a simulated process has no other topologies";
  throw new PartitaError("NEIGHBOUR_UNAVAILABLE", { topology, reason, launched: [] });
};
