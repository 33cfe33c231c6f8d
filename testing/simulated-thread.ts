// Simulated thread — one thread of a simulated process: its System, its tasks, and how it dies.
//
// Everything a thread does goes through `run`, which does nothing once it is dead and knows what is
// thrown out of it: so a death takes effect at the very point where it is decided.
// Owns: life and death of one thread. Leaves to others: what a death means (machine.ts, cluster),
// storages, the network.
//
// Invariants:
//   1. A dead thread does nothing: its events are dropped, its storages and ends are closed to it.
//   2. What is thrown out of an event ends the thread; a death thrown out of it is one already.

import type { System, Timer } from "../runtime/system.js";
import { seededRandom } from "./seeded-random.js";
import { type Line, settled, type World } from "./simulated-world.js";

/** Thrown where a thread dies, so that nothing behind it happens. Never seen by users' code. */
export class SimulatedDeath extends Error {}

/** Milliseconds since the epoch when a simulation begins. */
const epochMs = 1_700_000_000_000;

export class SimulatedThread implements System {
  readonly thread: number;
  readonly random: () => number;
  alive = true;
  readonly #world: World;
  readonly #line: Line;
  readonly #onUncaught: (error: unknown) => void;
  readonly #onStop: (diagnosis: string) => void;

  constructor(
    world: World,
    thread: number,
    onUncaught: (error: unknown) => void,
    onStop: (diagnosis: string) => void,
  ) {
    this.thread = thread;
    this.#world = world;
    this.#line = world.line(`thread ${thread}`);
    this.random = seededRandom(world.pick(2 ** 32));
    this.#onUncaught = onUncaught;
    this.#onStop = onStop;
  }

  now(): number {
    return epochMs + Math.floor(this.#world.elapsedMs);
  }

  elapsed(): number {
    return this.#world.elapsedMs;
  }

  soon(action: () => void): void {
    void settled.then(() => this.run(action));
  }

  later(action: () => void): void {
    if (this.alive) this.#world.schedule(this.#line, () => this.run(action));
  }

  after(delayMs: number, action: () => void, background?: boolean): Timer {
    if (!this.alive) return { cancel: () => {} };
    return this.#world.after(this.#line, delayMs, () => this.run(action), background);
  }

  stop(diagnosis: string): never {
    if (this.alive) this.#onStop(diagnosis);
    throw new SimulatedDeath(diagnosis);
  }

  /** Runs what this thread does, if it lives. */
  run(action: () => void): void {
    if (!this.alive) return;
    try {
      action();
    } catch (error) {
      if (this.alive) this.#onUncaught(error);
    }
  }

  /** Resolves in a later event of this thread; never when it dies before. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.later(resolve));
  }

  /** Does nothing any more. */
  die(): void {
    this.alive = false;
    this.#line.keep(0);
    this.#world.dropTimers(this.#line);
  }
}

/**
 * A promise whose reactions are code of a thread: they run only while it lives, and a death that is
 * thrown out of them is no unhandled rejection.
 */
export class ThreadPromise<T> extends Promise<T> {
  readonly #thread: SimulatedThread;

  constructor(
    thread: SimulatedThread,
    begin: (resolve: (value: T | PromiseLike<T>) => void, reject: (error: unknown) => void) => void,
  ) {
    super(begin);
    this.#thread = thread;
  }

  /** What follows from a reaction is nobody's. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  override then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return super.then(this.#guarded(fulfilled), this.#guarded(rejected));
  }

  #guarded<V, R>(
    reaction: ((value: V) => R | PromiseLike<R>) | null | undefined,
  ): ((value: V) => R | PromiseLike<R>) | undefined {
    if (typeof reaction !== "function") return undefined;
    return (value) => {
      if (!this.#thread.alive) return never();
      try {
        return reaction(value);
      } catch (error) {
        if (!this.#thread.alive) return never();
        throw error;
      }
    };
  }
}

/** What a dead thread waits for. */
export function never(): Promise<never> {
  return new Promise(() => {});
}
