// Simulation — a topology that runs in a simulated process: same code, same API, other machine.
//
//   launching ──► serving ──► dead ──► launching …         (crash)
//                    └──► closed                            (close)
//   launching, dead ──► failed                              (what a launch refused, a broken rule)
//
// Owns: the lives of the process, and what callers see over them. Leaves to others: one life
// (simulated-process.ts), order and time (simulated-world.ts), faults (fault-plan.ts).

import { PartitaError } from "../base/errors.js";
import { type Runtime, runtimeOver } from "../launch.js";
import { Cluster } from "../runtime/cluster.js";
import type { ClusterOptions } from "../runtime/cluster-options.js";
import type { MachineBounds } from "../runtime/machine.js";
import type { System } from "../runtime/system.js";
import type { Topology } from "../runtime/topology.js";
import type { TopologyParts } from "../runtime/topology-parts.js";
import type { CrashPoint, FaultPlan } from "./fault-plan.js";
import { SimulatedProcess } from "./simulated-process.js";
import type { SimulatedSite } from "./simulated-site.js";
import type { Line, World } from "./simulated-world.js";

/** What every simulation can be told while it runs. */
export interface SimulationControls {
  /**
   * The whole process dies between two steps, with the client: calls under way reject with
   * TASK_EXITED, their outcome is unknown. With a number only that task thread dies, and is started
   * again as `onThreadExit` says. Resolves when the topology serves again.
   */
  crash(thread?: number): Promise<void>;
  /** The same at a point of a task's commit. Resolves when it has happened and all serves again. */
  crashAt(where: CrashPoint): Promise<void>;
  /** Lets simulated time pass. Resolves when the clock has come so far. */
  advance(ms: number): Promise<void>;
  /** Nothing goes wrong by chance any more. Resolves when nothing waits, runs or is on the way. */
  heal(): Promise<void>;
  /** Milliseconds since the simulation began, as its threads see them. */
  readonly elapsedMs: number;
  /** Steps made so far. */
  readonly steps: number;
  /** Deaths so far, of threads and of the process. */
  readonly crashes: number;
  /** A hash of everything that has happened: the same seed and calls lead to the same. */
  readonly traceHash: string;
  /** Why the process has ended itself: none of it should have happened. */
  readonly stops: readonly string[];
}

/** A life that serves. */
export interface Serving {
  readonly process: SimulatedProcess;
  readonly cluster: Cluster;
  readonly runtime: Runtime<TopologyParts>;
  /** Rejects when the process dies. */
  readonly death: Promise<never>;
}

/** Launches that may fail in a row, since a thread died meanwhile. */
const failedLaunchesMax = 100;

interface SimulationParts {
  readonly declared: Topology;
  readonly options: ClusterOptions;
  readonly bounds: MachineBounds;
  readonly world: World;
  readonly site: SimulatedSite;
  readonly faults: FaultPlan;
}

/** Runs and controls the simulated lives of one topology. */
export class Simulation implements SimulationControls {
  readonly stops: string[] = [];
  readonly #parts: SimulationParts;
  readonly #outside: Line;
  #process: SimulatedProcess;
  #serving: Serving | undefined;
  #up!: Promise<Serving>;
  #resolveUp: (serving: Serving) => void = () => {};
  #rejectUp: (error: unknown) => void = () => {};
  #rejectDeath: (error: Error) => void = () => {};
  #crashes = 0;
  /** Calls that wait for the next life. */
  #queued = 0;
  #failedLaunches = 0;
  #closed: Promise<void> | undefined;

  constructor(parts: SimulationParts) {
    this.#parts = parts;
    this.#outside = parts.world.line("outside");
    this.#process = this.#launch();
    parts.world.between(() => this.#between());
  }

  get elapsedMs(): number {
    return this.#parts.world.elapsedMs;
  }

  get steps(): number {
    return this.#parts.world.steps;
  }

  get crashes(): number {
    return this.#crashes;
  }

  get traceHash(): string {
    return this.#parts.world.hash.toString();
  }

  /** What serves now. Rejects when nothing will any more. */
  serving(): Promise<Serving> {
    return this.#serving === undefined ? this.#up : Promise.resolve(this.#serving);
  }

  /** What serves at this very moment, unless calls that came before still wait for it. */
  get current(): Serving | undefined {
    return this.#queued === 0 ? this.#serving : undefined;
  }

  /** Calls what serves: at once when something does, else the next that does, in order. */
  call<T>(call: (serving: Serving) => Promise<T>): Promise<T> {
    const { current } = this;
    if (current !== undefined) return call(current);
    this.#queued += 1;
    return this.#up.then(
      () => {
        this.#queued -= 1;
        const serving = this.#serving;
        // It may have died between its first moment and this one.
        return serving === undefined ? this.call(call) : call(serving);
      },
      (error: unknown) => {
        this.#queued -= 1;
        throw error;
      },
    );
  }

  /** Rejects when so many steps were made, and makes no more. */
  limit(stepsMax: number): Promise<never> {
    return this.#parts.world.limit(stepsMax);
  }

  /** Nothing happens any more: what was not settled never is. */
  halt(): void {
    this.#parts.world.halt();
  }

  /** Time and chance of the life that is. */
  get system(): System {
    return this.#process.system;
  }

  get site(): SimulatedSite {
    return this.#parts.site;
  }

  /** Resolves when nothing can happen any more unless somebody begins something. */
  idle(): Promise<void> {
    return this.#parts.world.idle();
  }

  async crash(thread?: number): Promise<void> {
    if (thread === undefined) {
      this.#kill("it was asked for");
      await this.serving();
      return;
    }
    const { process } = await this.serving();
    if (!process.threads.includes(thread)) throw new RangeError(`there is no thread ${thread}`);
    process.killThread(thread, "it was asked for");
    await this.#restarted();
  }

  async crashAt(where: CrashPoint): Promise<void> {
    await this.#parts.faults.ask(where);
    await this.#restarted();
  }

  advance(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.world.after(this.#outside, ms, resolve);
    });
  }

  async heal(): Promise<void> {
    this.#parts.faults.heal();
    for (;;) {
      const serving = await this.serving();
      if (this.#closed !== undefined) return;
      try {
        await Promise.race([serving.cluster.drain(), serving.death]);
        serving.cluster.assertOpen();
        return;
      } catch (error) {
        // A thread that died may have taken the runtime down: a launch brings all of it back.
        if (!PartitaError.is(error)) throw error;
        if (serving.process.alive && this.#serving === serving) this.#kill("it serves no more");
      }
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#parts.faults.forget();
    // A thread that has died before is no reason for the close of a simulation to fail.
    await this.#restarted();
    const { runtime, death } = await this.serving();
    await Promise.race([runtime.close(), death]);
  }

  /** Begins a life. */
  #launch(): SimulatedProcess {
    const { declared, options, world, site, faults, bounds } = this.#parts;
    this.#up = new Promise((resolve, reject) => {
      this.#resolveUp = resolve;
      this.#rejectUp = reject;
    });
    this.#up.catch(() => {});
    const death = new Promise<never>((_resolve, reject) => {
      this.#rejectDeath = reject;
    });
    death.catch(() => {});
    const process = new SimulatedProcess({
      world,
      site,
      faults,
      bounds,
      onDeath: (dead, reason) => this.#died(dead, reason),
      onThreadDeath: () => {
        this.#crashes += 1;
      },
      onStop: (diagnosis) => this.stops.push(diagnosis),
    });
    process.system.later(() => {
      Cluster.open(declared, options, { machine: process }).then(
        (cluster) => {
          if (!process.alive) return;
          this.#serving = { process, cluster, runtime: runtimeOver(declared, cluster), death };
          this.#failedLaunches = 0;
          this.#resolveUp(this.#serving);
        },
        (error: unknown) => {
          if (!process.alive) return;
          // A thread has died meanwhile: somebody launches again. What else is refused would be
          // refused again.
          this.#failedLaunches += 1;
          const isAgain = this.#failedLaunches <= failedLaunchesMax;
          if (isAgain && PartitaError.is(error, "TASK_EXITED")) process.kill("no launch", "kill");
          else this.#rejectUp(error);
        },
      );
    });
    return process;
  }

  #kill(reason: string): void {
    this.#process.kill(reason, this.#parts.faults.loss);
  }

  /** The process is dead: its callers are told, and the next life begins. */
  #died(dead: SimulatedProcess, reason: string): void {
    if (dead !== this.#process) return;
    this.#crashes += 1;
    const error = new PartitaError("TASK_EXITED", {
      taskIds: Array.from({ length: this.#parts.options.taskCount ?? 0 }, (_, task) => task),
      threadId: 0,
      reason: `the simulated process died: ${reason}`,
    });
    const serving = this.#serving;
    this.#serving = undefined;
    const earlier = this.#resolveUp;
    const rejectEarlier = this.#rejectUp;
    const rejectDeath = this.#rejectDeath;
    this.#process = this.#launch();
    // Whoever waited for the life that has ended waits for the next one.
    this.#up.then(earlier, rejectEarlier);
    serving?.cluster.local.router.refuse(error);
    serving?.cluster.local.host.lose("all", error);
    rejectDeath(error);
  }

  /** Resolves when every thread that has died serves again, or the whole runtime has given up. */
  async #restarted(): Promise<void> {
    const { process, cluster, death } = await this.serving();
    while (process.alive && process.hasUnnoticed) await this.advance(1);
    await Promise.race([cluster.reports(), death]).catch(() => {});
    await this.serving();
  }

  #between(): void {
    this.#process.stepped();
    const scope = this.#parts.faults.beforeStep();
    if (scope === undefined) return;
    const { threads } = this.#process;
    const thread = threads[this.#parts.world.pick(threads.length)];
    if (scope === "process" || thread === undefined) this.#kill("by chance");
    else this.#process.killThread(thread, "by chance");
  }
}
