// Scheduled cluster — hosts whose packets and turns come in the order a scheduler of fast-check
// picks.
//
// From one thread to another packets stay in order, as ports keep them; between pairs of threads,
// and between what threads do themselves, every order is possible. That is all that real threads
// may do.

import type fc from "fast-check";
import type { System } from "../../runtime/system.js";
import type { Topology } from "../../runtime/topology.js";
import type { Delivery } from "../../runtime/transport.js";
import { HostCluster, type HostClusterSettings } from "./host-cluster.js";
import { ManualSystem } from "./manual-system.js";

/**
 * Which of the packets that wait between two threads is next: the oldest, unless a twin is broken.
 */
export type Pick = (waiting: (() => void)[]) => (() => void) | undefined;

export const oldest: Pick = (waiting) => waiting.shift();

/** A cluster, and what was thrown by a packet's receiver or a task's turn. */
export interface ScheduledCluster {
  readonly cluster: HostCluster;
  readonly errors: readonly unknown[];
}

export function scheduledCluster(
  scheduler: fc.Scheduler,
  declared: Topology,
  settings: Omit<HostClusterSettings, "system" | "delivery">,
  pick: Pick = oldest,
): ScheduledCluster {
  const errors: unknown[] = [];
  const guarded = (action: () => void): void => {
    try {
      action();
    } catch (error) {
      errors.push(error);
    }
  };
  const queues = new Map<string, (() => void)[]>();
  const enqueue = (name: string, action: () => void, next: Pick): void => {
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = [];
      queues.set(name, queue);
    }
    const waiting = queue;
    waiting.push(action);
    void scheduler.schedule(Promise.resolve(), name).then(() => guarded(() => next(waiting)?.()));
  };
  const delivery: Delivery = (from, to, deliver) => enqueue(`${from} to ${to}`, deliver, pick);
  const system = (thread: number): System => {
    const manual = new ManualSystem(thread + 1);
    return {
      now: () => manual.now(),
      elapsed: () => manual.elapsed(),
      random: manual.random,
      soon: (action) => queueMicrotask(() => guarded(action)),
      later: (action) => enqueue(`thread ${thread}`, action, oldest),
      after: (delayMs, action) => manual.after(delayMs, action),
      stop: (diagnosis) => manual.stop(diagnosis),
    };
  };
  return { cluster: new HostCluster(declared, { ...settings, system, delivery }), errors };
}
