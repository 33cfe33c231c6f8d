// Fault plan — which faults of a simulation happen, and when: by chance, or where a test asks.
//
// Owns: the probabilities, the points at which a commit can be cut, and what is asked for. Leaves
// to others: carrying a fault out (simulated-process.ts).

import type { World } from "./simulated-world.js";

/**
 * Where the commit of a batch can be cut short. `appended`: its frame is written and not synced.
 * `synced`: it is durable, and nobody has seen it. `published`: readers see it, and no reply or
 * message has left. `revealed`: they have left, and nothing of them has arrived.
 */
export type CommitPoint = "appended" | "synced" | "published" | "revealed";

/** What a process leaves when it dies: `power` means that the machine is gone with it. */
export type Loss = "kill" | "power";

/** What dies: one task thread, or the whole process with the client. */
export type FaultScope = "thread" | "process";

/** A crash that a test asks for. */
export interface CrashPoint {
  readonly task: number;
  readonly point: CommitPoint;
  /** So many times the point is passed first. Default 0. */
  readonly after?: number;
  /** Default: the whole process. A thread alone only where there are task threads. */
  readonly scope?: FaultScope;
}

/** Faults that come by chance. All default to 0: none. */
export interface FaultOptions {
  /** Probability of each step that the whole process dies before it. */
  readonly processCrash?: number;
  /** Probability of each step that one task thread dies before it. */
  readonly threadCrash?: number;
  /** Probability of each point of each commit that its thread, or the process, dies there. */
  readonly commitCrash?: number;
  /** Probability that a direct read finds the owner changing its arenas, and asks it instead. */
  readonly busyRead?: number;
  /** Probability of each new way that messages of the old one arrive again on it. */
  readonly duplicate?: number;
  /**
   * Probability that a death of the process by chance is a power cut, which takes what was not
   * synced; else it is a kill, which does not. Default 0.5.
   */
  readonly powerCut?: number;
  /** Crashes after which no more come by chance. Default 10. */
  readonly crashesMax?: number;
}

interface Asked {
  readonly where: CrashPoint;
  passes: number;
  readonly happened: () => void;
}

export class FaultPlan {
  readonly #world: World;
  #options: FaultOptions;
  readonly #powerCut: number;
  #asked: Asked[] = [];
  #crashes = 0;

  constructor(world: World, options: FaultOptions) {
    this.#world = world;
    this.#options = options;
    this.#powerCut = options.powerCut ?? 0.5;
  }

  /** From now on nothing goes wrong but what a test still asks for. */
  heal(): void {
    this.#options = {};
  }

  /** From now on nothing goes wrong at all: what was asked for and has not come, does not. */
  forget(): void {
    this.heal();
    this.#asked = [];
  }

  /** Resolves when the crash that is asked for happens. */
  ask(where: CrashPoint): Promise<void> {
    return new Promise((resolve) => {
      this.#asked.push({ where, passes: where.after ?? 0, happened: resolve });
    });
  }

  get busyRead(): boolean {
    return this.#world.chance(this.#options.busyRead ?? 0);
  }

  get duplicate(): boolean {
    return this.#world.chance(this.#options.duplicate ?? 0);
  }

  /** What a death of the process leaves. */
  get loss(): Loss {
    return this.#world.chance(this.#powerCut) ? "power" : "kill";
  }

  /** What dies before the next step, by chance. */
  beforeStep(): FaultScope | undefined {
    const { processCrash = 0, threadCrash = 0 } = this.#options;
    if (processCrash + threadCrash === 0 || !this.#mayCrash) return undefined;
    const chosen = this.#world.random();
    if (chosen < processCrash) return this.#counted("process");
    return chosen < processCrash + threadCrash ? this.#counted("thread") : undefined;
  }

  /** What dies where a task's commit is now. */
  at(task: number, point: CommitPoint): FaultScope | undefined {
    for (const asked of this.#asked) {
      if (asked.where.task !== task || asked.where.point !== point) continue;
      if (asked.passes > 0) {
        asked.passes -= 1;
        continue;
      }
      this.#asked = this.#asked.filter((other) => other !== asked);
      asked.happened();
      return asked.where.scope ?? "process";
    }
    if (!this.#mayCrash || !this.#world.chance(this.#options.commitCrash ?? 0)) return undefined;
    return this.#counted(this.#world.chance(0.5) ? "thread" : "process");
  }

  get #mayCrash(): boolean {
    return this.#crashes < (this.#options.crashesMax ?? 10);
  }

  #counted(scope: FaultScope): FaultScope {
    this.#crashes += 1;
    return scope;
  }
}
