// Neighbours — the topologies that are launched in one process, as they know each other.
//
// Each launched topology answers requests of the others, wherever in the process these come from:
// the launching thread asks directly, task threads through it (neighbour-link.ts).
// Owns: who is launched, and waiting for one that is about to be. Leaves to others: what a request
// means (agents/client/neighbour-server.ts).
//
// Invariants:
//   K1. A request goes to a topology that is launched once under its name, or to none.
//   K2. A request that comes before the launch waits for it, so that nodes which go on after a
//       restart do not fail because of the order of launches.

import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import type { System } from "./system.js";
import type { NeighbourCall } from "./task-program.js";

/** Answers what others ask of a launched topology. */
export type NeighbourHandler = (
  request: Uint8Array,
  signal: AbortSignal | undefined,
) => Promise<Uint8Array>;

export class Neighbours {
  readonly #launched = new Map<string, Set<NeighbourHandler>>();
  readonly #waiting = new Set<() => void>();

  /** A topology answers from now on, until the returned function is called. */
  enter(topology: string, handler: NeighbourHandler): () => void {
    const handlers = this.#launched.get(topology) ?? new Set();
    this.#launched.set(topology, handlers.add(handler));
    for (const look of [...this.#waiting]) look();
    return () => void handlers.delete(handler);
  }

  /** The way of one thread to all of them. */
  callOf(system: Pick<System, "after">): NeighbourCall {
    return async (topology, request, signal) => {
      const handler = this.#handler(topology) ?? (await this.#launch(topology, system, signal));
      return await handler(request, signal);
    };
  }

  #handler(topology: string): NeighbourHandler | undefined {
    const [handler, another] = this.#launched.get(topology) ?? [];
    if (another !== undefined) throw this.#unavailable(topology, "it is launched more than once");
    return handler;
  }

  #launch(
    topology: string,
    system: Pick<System, "after">,
    signal: AbortSignal | undefined,
  ): Promise<NeighbourHandler> {
    return new Promise((resolve, reject) => {
      const settle = (settled: () => void): void => {
        timer.cancel();
        this.#waiting.delete(look);
        signal?.removeEventListener("abort", aborted);
        settled();
      };
      const look = (): void => {
        const handler = this.#handler(topology);
        if (handler !== undefined) settle(() => resolve(handler));
      };
      const aborted = (): void => settle(() => reject(signal?.reason));
      const timer = system.after(limits.neighbourWaitMs, () => {
        const error = this.#unavailable(topology, "it is not launched in this process");
        settle(() => reject(error));
      });
      this.#waiting.add(look);
      signal?.addEventListener("abort", aborted, { once: true });
      if (signal?.aborted) aborted();
    });
  }

  #unavailable(topology: string, reason: string): PartitaError {
    const launched = [...this.#launched].flatMap(([name, { size }]) => (size > 0 ? [name] : []));
    return new PartitaError("NEIGHBOUR_UNAVAILABLE", { topology, reason, launched });
  }
}

/** Those of this process: a topology is launched in a thread, and known to all it has started. */
export const neighbours: Neighbours = new Neighbours();
