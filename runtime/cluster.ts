// Cluster — the running tasks of one plan: start them, see them through, drain and close them.
//
//   opening ──► running ──► closing ──► closed
//      │            └──► failed ──► closed       (a thread died and the launch asked to stop)
//      └──► closed                               (whatever was opened is closed again)
//
// Owns: the order of opening and closing, and the lock. Leaves to others: what all stands on
// (machine.ts), the launching thread's own part (hosting.ts), the threads (task-threads.ts).
//
// Invariants:
//   F1. A directory is open while its lock is held, and the lock goes last.
//   F3. `close` runs once; every caller gets the same promise.

import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { optionInvalid } from "../base/options.js";
import type { ClusterOptions } from "./cluster-options.js";
import type { ComputeCall } from "./compute-call.js";
import { deadlineAfter, whenAborted } from "./deadline.js";
import { recordDirectory } from "./directory.js";
import { DiskGuard, type DiskReport } from "./disk-guard.js";
import { DiskState } from "./disk-state.js";
import { judgeStreams } from "./handshake.js";
import { type HostedThread, openHost, type TaskReport } from "./hosting.js";
import { type LaunchPlan, planLaunch } from "./launch-plan.js";
import type { Equipment, Machine } from "./machine.js";
import type { OwnerLock } from "./owner-lock.js";
import { type MachineSeams, realMachine } from "./real-machine.js";
import { type StopReport, stopReport } from "./suspect-file.js";
import { TaskThreads, unlessExited } from "./task-threads.js";
import { isTopology, type Topology } from "./topology.js";

/** What tests replace; production takes the machine's own. */
export interface ClusterSeams extends MachineSeams {
  /** Replaces everything that a cluster stands on; the other seams are then of no use. */
  readonly machine?: Machine;
}

type State = "opening" | "running" | "failed" | "closing" | "closed";

/** What a launch has, before its own tasks are open. */
interface OpeningParts extends LaunchPlan {
  readonly options: ClusterOptions;
  readonly machine: Machine;
  readonly lock: OwnerLock;
  readonly guard: DiskGuard;
  readonly equipment: Equipment;
}

export class Cluster {
  readonly local: HostedThread;
  readonly #parts: OpeningParts;
  readonly #threads: TaskThreads;
  /** Compute calls of the launching thread that have not ended. */
  #computing = 0;
  #state: State = "opening";
  #closed: Promise<void> | undefined;

  private constructor(parts: OpeningParts, local: HostedThread) {
    this.local = local;
    this.#parts = parts;
    this.#threads = new TaskThreads({
      source: parts.equipment.threads,
      threadCount: parts.spec.plan.threadCount,
      local,
      onThreadExit: parts.options.onThreadExit,
      isRunning: () => this.#state === "running",
      fail: (error) => this.#fail(error),
    });
  }

  /** Opens a place and starts its tasks; resolves when they serve. */
  static async open(
    declared: Topology,
    options: ClusterOptions,
    seams: ClusterSeams = {},
  ): Promise<Cluster> {
    if (!isTopology(declared)) {
      throw optionInvalid("launch", "topology", declared, "made by topology()");
    }
    const machine = seams.machine ?? realMachine(options, seams);
    const lock = await machine.place.claim();
    try {
      const plan = await planLaunch(declared, options, machine);
      const guard = new DiskGuard({
        system: machine.system,
        state: new DiskState(plan.spec.guards.disk),
        marks: options.diskMarks,
        place: machine.place,
      });
      const equipment = machine.equip(declared, plan.spec);
      try {
        await guard.begin();
        const { transport, services } = equipment;
        const local = await openHost(declared, plan.spec, transport, services);
        const cluster = new Cluster({ ...plan, options, machine, lock, guard, equipment }, local);
        await cluster.#begin();
        return cluster;
      } catch (error) {
        guard.close();
        await equipment.close();
        throw error;
      }
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Opens all, then lets all begin; on failure everything that was opened is closed again. */
  async #begin(): Promise<void> {
    try {
      await this.#threads.openAll();
      const continuations = judgeStreams([
        ...this.local.streams(),
        ...(await this.#threads.streams()),
      ]);
      await recordDirectory(this.#parts.machine.place, this.#parts.record);
      await this.#threads.startAll(continuations);
      // Its thread begins when a launch no longer keeps all processors busy; before this one runs
      // a handler, since it may never come back.
      this.#parts.equipment.watch?.();
      await this.local.begin(continuations);
      this.local.start();
      this.#state = "running";
      this.#parts.machine.place.suspects?.remove(this.#parts.suspects);
      this.#threads.beginSuspects();
    } catch (error) {
      // Tasks that did begin write nothing more: the lock is about to be released.
      this.local.abort(this.#closedError());
      await this.#threads.endAll();
      await this.local.close();
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
      return await this.#parts.equipment.services.compute(name, args, options);
    } finally {
      this.#computing -= 1;
    }
  };

  /** Figures of every task, by number. */
  async reports(): Promise<readonly TaskReport[]> {
    const reports = await this.#threads.reports();
    return [...this.local.reports(), ...reports].sort((a, b) => a.task - b.task);
  }

  /** Why the watchdog stopped the process before this one, if it did. */
  get lastStop(): StopReport | undefined {
    return stopReport(this.#parts.suspects);
  }

  /** Figures of the disk guard. */
  diskReport(): DiskReport {
    return this.#parts.guard.report();
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
    const closed = this.#closedError();
    // Before anything is awaited: a call that follows this one is refused.
    this.local.router.refuse(closed);
    const { options, machine, guard, equipment, lock } = this.#parts;
    const { closeTimeoutMs } = options;
    const deadline = deadlineAfter(machine.system, closeTimeoutMs);
    const forced = deadlineAfter(machine.system, closeTimeoutMs + limits.closeGraceMs);
    let failures: readonly unknown[];
    try {
      failures = await this.#end(closed, deadline.signal, forced.signal);
    } finally {
      deadline.cancel();
      forced.cancel();
    }
    guard.close();
    await equipment.close();
    await lock.release();
    this.#state = "closed";
    if (failures.length > 0) throw failures[0];
  }

  /**
   * Drains until `deadline`, then ends threads and tasks; at `forced` they are ended at once.
   * Returns why threads ended that should not have.
   */
  async #end(
    closed: PartitaError,
    deadline: AbortSignal,
    forced: AbortSignal,
  ): Promise<readonly unknown[]> {
    const isForced = (error: unknown): boolean => error === forced.reason;
    // A restart waits for every other thread, one of which may be busy for ever.
    await Promise.race([this.#threads.restarted, whenAborted(deadline).catch(() => {})]);
    const failed = this.#state === "failed";
    if (!failed) this.#state = "closing";
    await this.#threads.endStarting();
    const { handles } = this.#threads;
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
    return ended.flatMap((outcome) => {
      return outcome.status === "rejected" && !isForced(outcome.reason) ? [outcome.reason] : [];
    });
  }

  async #appliedWhenQuiet(): Promise<number> {
    const isQuiet = await this.#threads.quiet();
    if (!isQuiet || !this.local.quiet || this.#computing > 0) return -1;
    const reports = await this.reports();
    return reports.reduce((sum, { batches }) => sum + batches.messages, 0);
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.machine.system.after(delayMs, resolve);
    });
  }

  /** Nothing goes on: every caller, waiting or yet to come, is told why. */
  #fail(error: PartitaError): void {
    if (this.#state !== "running") return;
    this.#state = "failed";
    this.local.router.refuse(error);
    this.local.host.lose("all", error);
    void this.#threads.endAll();
  }

  #closedError(): PartitaError {
    return new PartitaError("CLOSED", { what: `topology "${this.#parts.spec.plan.topology}"` });
  }
}
