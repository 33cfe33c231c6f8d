// Cluster — the running tasks of one plan: start them, see them through, drain and close them.
//
//   opening ──► running ──► closing ──► closed
//      │            └──► failed ──► closed       (a thread died and the launch asked to stop)
//      └──► closed                               (whatever was opened is closed again)
//
// Owns: the life of threads, pools and lock, and what the death of a thread means. Leaves to
// others: the launching thread's own part (hosting.ts), the grip on a thread
// (task-thread-handle.ts).
//
// Invariants:
//   F1. A directory is open while its lock is held, and the lock goes last.
//   F2. A thread is started again only when its checkpoint jobs are over and every other thread has
//       forgotten the old one; its tasks come back from their logs, over the same shared memory.
//   F3. `close` runs once; every caller gets the same promise.

import { MessageChannel } from "node:worker_threads";
import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { optionInvalid } from "../base/options.js";
import { runCheckpoint } from "../store/checkpoint.js";
import { CheckpointPool } from "./checkpoint-pool.js";
import type { ClusterOptions } from "./cluster-options.js";
import { ComputePool, inlineCompute } from "./compute.js";
import type { ComputeCall } from "./compute-call.js";
import { type DirectoryRecord, prepareDirectory, recordDirectory } from "./directory.js";
import { type HostedThread, type HostSpec, openHost, type TaskReport } from "./hosting.js";
import { type LaunchPlan, planLaunch } from "./launch-plan.js";
import { acquireOwnerLock, type OwnerLock } from "./owner-lock.js";
import { realSystem, type System } from "./system.js";
import {
  notRestarted,
  type Pools,
  TaskThreadHandle,
  unlessExited,
  whenAborted,
} from "./task-thread-handle.js";
import { ThreadTransport } from "./thread-transport.js";
import { isTopology, type Topology } from "./topology.js";
import { type Delivery, InlineNetwork } from "./transport.js";

/** What tests replace; production takes the machine's own. */
export interface ClusterSeams {
  readonly system?: System;
  readonly delivery?: Delivery;
}

type State = "opening" | "running" | "failed" | "closing" | "closed";

export class Cluster {
  readonly local: HostedThread;
  readonly #compute: ComputeCall;
  /** Compute calls of the launching thread that have not ended. */
  #computing = 0;
  readonly #declared: Topology;
  readonly #options: ClusterOptions;
  readonly #system: System;
  readonly #spec: HostSpec;
  readonly #record: DirectoryRecord;
  readonly #transport: ThreadTransport | undefined;
  readonly #pools: Pools | undefined;
  readonly #lock: OwnerLock;
  readonly #threads = new Map<number, TaskThreadHandle>();
  #state: State = "opening";
  #restarts = 0;
  #restarting: Promise<void> = Promise.resolve();
  /** The thread that a restart has begun and that does not serve yet. */
  #starting: TaskThreadHandle | undefined;
  #closed: Promise<void> | undefined;

  private constructor(parts: ClusterParts) {
    this.local = parts.local;
    this.#compute = parts.compute;
    this.#declared = parts.declared;
    this.#options = parts.options;
    this.#system = parts.system;
    this.#spec = parts.spec;
    this.#record = parts.record;
    this.#transport = parts.transport;
    this.#pools = parts.pools;
    this.#lock = parts.lock;
  }

  /** Opens a directory and starts its tasks; resolves when they serve. */
  static async open(
    declared: Topology,
    options: ClusterOptions,
    seams: ClusterSeams = {},
  ): Promise<Cluster> {
    if (!isTopology(declared)) {
      throw optionInvalid("launch", "topology", declared, "made by topology()");
    }
    await prepareDirectory(options.directory);
    const lock = await acquireOwnerLock(options.directory);
    try {
      const plan = await planLaunch(declared, options);
      const system = seams.system ?? realSystem;
      const parts = { ...plan, declared, options, system, lock };
      if (plan.spec.plan.threadCount === 0) return await Cluster.#openInline(parts, seams.delivery);
      return await Cluster.#openThreads(parts);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  static async #openInline(parts: OpeningParts, delivery: Delivery | undefined): Promise<Cluster> {
    const { declared, spec, system } = parts;
    const compute = inlineCompute(declared);
    const transport = new InlineNetwork(system, delivery).endpoint(0);
    const local = await openHost(declared, spec, transport, {
      system,
      runCheckpoint,
      compute,
    });
    try {
      await recordDirectory(parts.options.directory, parts.record);
      await local.begin();
      local.start();
    } catch (error) {
      // Tasks that did begin write nothing more: the lock is about to be released.
      local.abort(new PartitaError("CLOSED", { what: `topology "${spec.plan.topology}"` }));
      await local.close();
      throw error;
    }
    const unthreaded = { transport: undefined, pools: undefined };
    const cluster = new Cluster({ ...parts, ...unthreaded, local, compute });
    cluster.#state = "running";
    return cluster;
  }

  static async #openThreads(parts: OpeningParts): Promise<Cluster> {
    const { declared, options, spec, system } = parts;
    const checkpoints = new CheckpointPool(
      Math.min(spec.plan.taskCount, options.checkpointThreads),
    );
    const pools: Pools = {
      checkpoints,
      compute: new ComputePool(declared, options.computeThreads),
    };
    const transport = new ThreadTransport(0);
    transport.start();
    const compute = pools.compute.call;
    let cluster: Cluster | undefined;
    try {
      const services = { system, runCheckpoint: checkpoints.run.bind(checkpoints), compute };
      const local = await openHost(declared, spec, transport, services);
      cluster = new Cluster({ ...parts, local, compute, transport, pools });
      await cluster.#startThreads();
      cluster.#state = "running";
      return cluster;
    } catch (error) {
      if (cluster !== undefined) {
        await cluster.#endThreads();
        await cluster.local.close();
      }
      await Promise.all([checkpoints.close(), pools.compute.close()]);
      throw error;
    }
  }

  /** @throws PartitaError CLOSED, or TASK_EXITED after a thread took the runtime down */
  assertOpen(): void {
    this.local.router.assertOpen();
  }

  /** See ComputeCall; `close` waits for it. */
  readonly compute: ComputeCall = async (name, args, options) => {
    this.#computing += 1;
    try {
      return await this.#compute(name, args, options);
    } finally {
      this.#computing -= 1;
    }
  };

  /** Figures of every task, by number. */
  async reports(): Promise<readonly TaskReport[]> {
    // A thread that is being started again answers when it serves.
    await this.#restarting;
    const remote = await Promise.all([...this.#threads.values()].map((handle) => handle.reports()));
    return [...this.local.reports(), ...remote.flat()].sort((a, b) => a.task - b.task);
  }

  /** Resolves when nothing waits, runs or is on the way, on any thread. */
  async drain(signal?: AbortSignal): Promise<void> {
    for (let before = -1, pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, limits.drainPollMs)) {
      signal?.throwIfAborted();
      const applied = await this.#appliedWhenQuiet();
      // Quiet twice with nothing applied between: a single look at many threads is not one instant.
      if (applied >= 0 && applied === before) return;
      before = applied;
      await this.#pause(pauseMs);
    }
  }

  /**
   * Refuses new calls, drains for at most `closeTimeoutMs`, then closes everything. Idempotent.
   * Threads that do not answer are ended `closeGraceMs` later: what they acknowledged is in logs.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { topology } = this.#spec.plan;
    const closed = new PartitaError("CLOSED", { what: `topology "${topology}"` });
    // Before anything is awaited: a call that follows this one is refused.
    this.local.router.refuse(closed);
    const { closeTimeoutMs } = this.#options;
    const deadline = AbortSignal.timeout(closeTimeoutMs);
    const forced = AbortSignal.timeout(closeTimeoutMs + limits.closeGraceMs);
    const isForced = (error: unknown): boolean => error === forced.reason;
    // A restart waits for every other thread, one of which may be busy for ever.
    await Promise.race([this.#restarting, whenAborted(deadline).catch(() => {})]);
    const failed = this.#state === "failed";
    if (!failed) this.#state = "closing";
    const starting = this.#starting;
    if (starting !== undefined) {
      this.#threads.delete(starting.thread);
      await starting.end();
    }
    const handles = [...this.#threads.values()];
    let interrupted: PartitaError | undefined;
    if (!failed) {
      // A thread that is busy for ever does not answer: the time is over for it too.
      await Promise.race([this.drain(deadline), whenAborted(deadline)]).catch((error: unknown) => {
        if (PartitaError.is(error)) interrupted = error;
        else if (error !== deadline.reason) throw error;
      });
      await unlessExited(handles, async (handle) => {
        await handle.abort(closed, forced).catch((error: unknown) => {
          if (!isForced(error)) throw error;
        });
      });
      this.local.abort(closed);
    }
    this.local.host.lose("all", interrupted ?? closed);
    const ended = await Promise.allSettled(
      handles.map((handle) => (failed ? handle.end() : handle.close(forced))),
    );
    await this.local.close();
    this.#transport?.close();
    await Promise.all([this.#pools?.checkpoints.close(), this.#pools?.compute.close()]);
    await this.#lock.release();
    this.#state = "closed";
    for (const outcome of ended) {
      if (outcome.status === "rejected" && !isForced(outcome.reason)) throw outcome.reason;
    }
  }

  async #appliedWhenQuiet(): Promise<number> {
    await this.#restarting;
    const handles = [...this.#threads.values()];
    const quiet = await Promise.all(handles.map((handle) => handle.quiet()));
    const isQuiet = this.local.quiet && this.#computing === 0;
    if (!isQuiet || quiet.includes(false)) return -1;
    const reports = await this.reports();
    return reports.reduce((sum, { batches }) => sum + batches.messages, 0);
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#system.after(delayMs, resolve);
    });
  }

  async #startThreads(): Promise<void> {
    const { threadCount } = this.#spec.plan;
    for (let thread = 1; thread <= threadCount; thread += 1) this.#spawn(thread);
    const handles = [...this.#threads.values()];
    await Promise.all(handles.map((handle) => handle.open()));
    for (const handle of handles) {
      await this.#connect(
        handle,
        handles.filter(({ thread }) => thread < handle.thread),
      );
    }
    await recordDirectory(this.#options.directory, this.#record);
    await Promise.all(handles.map((handle) => handle.start()));
    // One may have ended after its own start, while another still began.
    for (const { exitCause } of handles) if (exitCause !== undefined) throw exitCause;
    this.#state = "running";
  }

  #spawn(thread: number): TaskThreadHandle {
    const pools = this.#pools;
    if (pools === undefined) throw new RangeError("inline clusters have no threads");
    const exited = (handle: TaskThreadHandle, error: PartitaError): void =>
      this.#exited(handle, error);
    const handle = new TaskThreadHandle(thread, this.#declared, this.#spec, pools, exited);
    this.#threads.set(thread, handle);
    return handle;
  }

  /** Fresh ports between a thread and the launching thread, and between it and `peers`. */
  async #connect(handle: TaskThreadHandle, peers: readonly TaskThreadHandle[]): Promise<void> {
    const home = new MessageChannel();
    this.#transport?.connect(handle.thread, home.port1);
    await handle.connect(0, home.port2);
    for (const peer of peers) {
      const channel = new MessageChannel();
      await Promise.all([
        handle.connect(peer.thread, channel.port1),
        unlessExited([peer], () => peer.connect(handle.thread, channel.port2)),
      ]);
    }
  }

  #exited(handle: TaskThreadHandle, error: PartitaError): void {
    if (this.#state !== "running") return;
    this.#transport?.disconnect(handle.thread);
    this.local.host.lose(handle.tasks, error);
    this.local.host.threadExited(handle.thread);
    const again = this.#options.onThreadExit === "restart";
    if (!again || this.#restarts >= limits.threadRestartsMax) {
      this.#fail(error);
      return;
    }
    this.#restarts += 1;
    this.#restarting = this.#restarting
      .then(() => this.#restart(handle, error))
      .catch((cause: unknown) => this.#fail(notRestarted(handle, cause)));
  }

  /** Nothing goes on: every caller, waiting or yet to come, is told why. */
  #fail(error: PartitaError): void {
    if (this.#state !== "running") return;
    this.#state = "failed";
    this.local.router.refuse(error);
    this.local.host.lose("all", error);
    void this.#endThreads();
  }

  async #restart(dead: TaskThreadHandle, error: PartitaError): Promise<void> {
    if (this.#state !== "running") return;
    this.#threads.delete(dead.thread);
    const others = [...this.#threads.values()];
    await unlessExited(others, (other) => other.lost(dead.thread, dead.tasks, error));
    await this.#pools?.checkpoints.settled(dead.tasks);
    // Closing or failed since: nobody would end a thread that begins now.
    if (this.#state !== "running") return;
    const handle = this.#spawn(dead.thread);
    this.#starting = handle;
    await unlessExited([handle], async () => {
      await handle.open();
      await this.#connect(handle, others);
      await unlessExited(others, (other) => other.reopened(dead.tasks));
      await handle.start();
      this.local.host.reopen(dead.tasks);
    });
    this.#starting = undefined;
  }

  async #endThreads(): Promise<void> {
    await Promise.all([...this.#threads.values()].map((handle) => handle.end()));
  }
}

interface OpeningParts extends LaunchPlan {
  readonly declared: Topology;
  readonly options: ClusterOptions;
  readonly system: System;
  readonly lock: OwnerLock;
}

interface ClusterParts extends OpeningParts {
  readonly local: HostedThread;
  readonly compute: ComputeCall;
  readonly transport: ThreadTransport | undefined;
  readonly pools: Pools | undefined;
}
