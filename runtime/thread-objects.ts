// Thread objects — what a topology declares under `objects`, on one thread: built when it is first
// asked for, lent to nodes, closed when the thread ends in order.
//
// Owns: who holds what, what builders get of other objects, the order of closing. Leaves to others:
// waiting for an instance (object-pool.ts), what a declaration may say (agents/declare/object.ts).
//
// Invariants:
//   T1. A holder gets the same instance of a pool however often it asks, until it is released.
//   T2. What was built is closed once, after everything that was built with it.
//   T3. Builders that need each other are refused, whenever they find out: nobody waits for ever.

import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { ObjectPool } from "./object-pool.js";
import type { System } from "./system.js";
import type { ObjectBuilder, ObjectEntry, ObjectLender } from "./task-program.js";

interface Built {
  readonly name: string;
  readonly instance: unknown;
}

/** What a holder was lent of one pool, or is about to be. */
interface Lease {
  readonly pool: ObjectPool;
  readonly lent: Promise<unknown>;
  /** Set when it has it. */
  got?: { readonly instance: unknown };
}

export class ThreadObjects implements ObjectLender {
  readonly #entries: ReadonlyMap<string, ObjectEntry>;
  readonly #system: Pick<System, "after">;
  readonly #shared = new Map<string, Promise<unknown>>();
  readonly #pools = new Map<string, ObjectPool>();
  readonly #held = new Map<object, Map<string, Lease>>();
  /** Object → the others that its builders have asked for. */
  readonly #needs = new Map<string, Set<string>>();
  readonly #built: Built[] = [];
  #closed: PartitaError | undefined;

  constructor(entries: ReadonlyMap<string, ObjectEntry>, system: Pick<System, "after">) {
    this.#entries = entries;
    this.#system = system;
  }

  async acquire(name: string, holder: object, signal?: AbortSignal): Promise<unknown> {
    if (this.#closed !== undefined) throw this.#closed;
    const plan = this.#entries.get(name)?.plan();
    assert(plan !== undefined, () => `the topology declares no object "${name}"`);
    switch (plan.kind) {
      case "value":
        return plan.value;
      case "shared":
        return await this.#sharedOf(name, plan.build);
      case "pool":
        return await this.#lend(name, holder, signal);
    }
  }

  holds(holder: object): boolean {
    return (this.#held.get(holder)?.size ?? 0) > 0;
  }

  release(holder: object): void {
    const held = this.#held.get(holder);
    if (held === undefined) return;
    this.#held.delete(holder);
    for (const { pool, lent, got } of held.values()) {
      if (got !== undefined) pool.giveBack(got.instance);
      else {
        lent.then(
          (instance) => pool.giveBack(instance),
          () => {},
        );
      }
    }
  }

  /**
   * Refuses whoever asks or waits, and closes what was built, the newest first. An error of a
   * user's `close` is a warning of the process: everything else is closed all the same.
   */
  async close(): Promise<void> {
    this.#closed = new PartitaError("CLOSED", { what: "the thread that holds its objects" });
    for (const pool of this.#pools.values()) pool.refuse(this.#closed);
    let timeUp = (): void => {};
    const deadline = new Promise<void>((resolve) => {
      timeUp = resolve;
    });
    const timer = this.#system.after(limits.objectCloseMs, timeUp);
    await Promise.race([this.#closeBuilt(), deadline]);
    timer.cancel();
  }

  async #closeBuilt(): Promise<void> {
    for (let built = this.#built.pop(); built !== undefined; built = this.#built.pop()) {
      await closeInstance(built);
    }
  }

  #sharedOf(name: string, build: ObjectBuilder): Promise<unknown> {
    const known = this.#shared.get(name);
    if (known !== undefined) return known;
    const building = this.#build(name, build);
    this.#shared.set(name, building);
    // What could not be built is built anew for the next one that asks.
    building.catch(() => this.#shared.delete(name));
    return building;
  }

  #lend(name: string, holder: object, signal: AbortSignal | undefined): Promise<unknown> {
    const held = this.#held.get(holder) ?? new Map<string, Lease>();
    const known = held.get(name);
    if (known !== undefined) return known.lent;
    const pool = this.#poolOf(name);
    const lease: Lease = { pool, lent: pool.take(signal) };
    this.#held.set(holder, held.set(name, lease));
    lease.lent.then(
      (instance) => {
        lease.got = { instance };
      },
      // Asking again after a refusal is asking anew.
      () => held.delete(name),
    );
    return lease.lent;
  }

  #poolOf(name: string): ObjectPool {
    const known = this.#pools.get(name);
    if (known !== undefined) return known;
    const plan = this.#entries.get(name)?.plan();
    assert(plan?.kind === "pool", () => `object "${name}" is none of a pool`);
    const { build, limit, acquireTimeoutMs } = plan;
    const make = (): Promise<unknown> => this.#build(name, build);
    const pool = new ObjectPool({ name, limit, acquireTimeoutMs, make, system: this.#system });
    this.#pools.set(name, pool);
    return pool;
  }

  async #build(name: string, build: ObjectBuilder): Promise<unknown> {
    // Holds what the builder gets for as long as there is what it builds.
    const parts = {};
    try {
      const instance = await build({ get: (other) => this.#partOf(name, parts, other) });
      const built = { name, instance };
      if (this.#closed === undefined) this.#built.push(built);
      else {
        await closeInstance(built);
        throw this.#closed;
      }
      return instance;
    } catch (error) {
      this.release(parts);
      throw error;
    }
  }

  async #partOf(name: string, parts: object, other: object): Promise<unknown> {
    const known = [...this.#entries].find(([, entry]) => entry === other)?.[0];
    if (known === undefined) {
      const names = [...this.#entries.keys()];
      throw new PartitaError("OBJECT_UNKNOWN", { object: name, known: names });
    }
    const needs = this.#needs.get(name) ?? new Set();
    const path = this.#wayTo(known, name);
    if (path !== undefined) throw new PartitaError("OBJECT_CYCLE", { path: [name, ...path] });
    this.#needs.set(name, needs.add(known));
    return await this.acquire(known, parts);
  }

  /** How `from` needs `to`, by the way of others; both included. */
  #wayTo(from: string, to: string): readonly string[] | undefined {
    const ways = new Map<string, readonly string[]>([[from, [from]]]);
    for (const [name, way] of ways) {
      if (name === to) return way;
      for (const next of this.#needs.get(name) ?? []) {
        if (!ways.has(next)) ways.set(next, [...way, next]);
      }
    }
    return undefined;
  }
}

async function closeInstance({ name, instance }: Built): Promise<void> {
  if (instance === null || (typeof instance !== "object" && typeof instance !== "function")) return;
  try {
    for (const way of [Symbol.asyncDispose, Symbol.dispose, "close"]) {
      const close: unknown = Reflect.get(instance, way);
      if (typeof close !== "function") continue;
      await Reflect.apply(close, instance, []);
      return;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.emitWarning(`object "${name}" could not be closed: ${reason}`, "PartitaWarning");
  }
}
