// Object pool — the instances of one declared object on one thread: made when they are needed, lent
// to one holder at a time.
//
// Owns: who waits, in what order and how long. Leaves to others: how an instance is made, who holds
// it, and closing it (thread-objects.ts).
//
// Invariants:
//   O1. There are never more than `limit` instances, those being made included.
//   O2. Who waits is served in the order of asking; nobody waits while one is free.

import { PartitaError } from "../base/errors.js";
import type { System } from "./system.js";

/** What a pool is told. */
export interface ObjectPoolParts {
  readonly name: string;
  readonly limit: number;
  readonly acquireTimeoutMs: number;
  make(): Promise<unknown>;
  readonly system: Pick<System, "after">;
}

interface Waiter {
  resolve(instance: unknown): void;
  reject(reason: unknown): void;
}

export class ObjectPool {
  readonly #parts: ObjectPoolParts;
  readonly #free: unknown[] = [];
  readonly #waiters = new Set<Waiter>();
  #count = 0;

  constructor(parts: ObjectPoolParts) {
    this.#parts = parts;
  }

  /**
   * An instance: a free one, a new one, or the first that is given back.
   * @throws PartitaError OBJECT_UNAVAILABLE after `acquireTimeoutMs`; or the signal's reason
   */
  async take(signal: AbortSignal | undefined): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#free.length > 0) return this.#free.pop();
    return this.#count < this.#parts.limit ? await this.#make() : await this.#wait(signal);
  }

  /** Nobody holds the instance any more. */
  giveBack(instance: unknown): void {
    const [waiter] = this.#waiters;
    if (waiter === undefined) this.#free.push(instance);
    else waiter.resolve(instance);
  }

  /** Refuses whoever waits. */
  refuse(reason: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(reason);
  }

  async #make(): Promise<unknown> {
    this.#count += 1;
    try {
      return await this.#parts.make();
    } catch (error) {
      this.#count -= 1;
      // Its place is free: whoever waits for an instance may have more luck.
      const [waiter] = this.#waiters;
      if (waiter !== undefined) {
        this.#waiters.delete(waiter);
        this.#make().then(waiter.resolve, waiter.reject);
      }
      throw error;
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<unknown> {
    const { name: object, limit, acquireTimeoutMs, system } = this.#parts;
    return new Promise((resolve, reject) => {
      let isSettled = false;
      const settle = (): boolean => {
        if (isSettled) return false;
        isSettled = true;
        timer.cancel();
        signal?.removeEventListener("abort", aborted);
        this.#waiters.delete(waiter);
        return true;
      };
      const waiter: Waiter = {
        resolve: (instance) => {
          if (settle()) resolve(instance);
          // It came too late: the next one gets it.
          else this.giveBack(instance);
        },
        reject: (reason) => {
          if (settle()) reject(reason);
        },
      };
      const aborted = (): void => waiter.reject(signal?.reason);
      const timer = system.after(acquireTimeoutMs, () => {
        const details = { object, limit, acquireTimeoutMs };
        waiter.reject(new PartitaError("OBJECT_UNAVAILABLE", details));
      });
      signal?.addEventListener("abort", aborted, { once: true });
      this.#waiters.add(waiter);
    });
  }
}
