// Launch — from a topology to a running one: the typed façade that users hold.
//
// Owns: the types that lead from a topology's declarations to its clients. Leaves to others:
// everything that runs (runtime/cluster.ts) and the agents' clients (agents/client/client.ts).
// Here, and only here, runtime and agents meet.

import type { AgentDeclaration } from "./agents/agent.js";
import { type AgentClient, createAgentClients } from "./agents/client/client.js";
import {
  createDeadLetterClient,
  type DeadLetterClient,
} from "./agents/client/dead-letter-client.js";
import { neighbourServer } from "./agents/client/neighbour-server.js";
import { OutcomeWaiters } from "./agents/client/outcome-waiters.js";
import { PartitaError } from "./base/errors.js";
import { checkCallOptions, nameShown } from "./runtime/call-checks.js";
import { newCallId } from "./runtime/call-id.js";
import { Cluster, type ClusterSeams } from "./runtime/cluster.js";
import { clusterOptions, type LaunchOptions } from "./runtime/cluster-options.js";
import { programEntries } from "./runtime/compile.js";
import type { ComputeOptions } from "./runtime/compute-call.js";
import type { DiskReport } from "./runtime/disk-guard.js";
import type { StopReport } from "./runtime/suspect-file.js";
import type { TaskReport } from "./runtime/hosting.js";
import { type Neighbours, neighbours } from "./runtime/neighbours.js";
import type { Topology } from "./runtime/topology.js";
import type { TopologyParts } from "./runtime/topology-parts.js";
import type { StoreDeclaration } from "./store/declaration.js";
import type { KeyValueStore } from "./store/key-value-store.js";

/** The client type of a store declaration. */
export type StoreClientOf<S> =
  S extends StoreDeclaration<infer K, infer V, infer U> ? KeyValueStore<K, V, U> : never;

/** The client type of an agent declaration. */
export type AgentClientOf<A> =
  A extends AgentDeclaration<infer I, infer R> ? AgentClient<I, R> : never;

type Named<
  Parts extends TopologyParts,
  Part extends keyof TopologyParts,
> = Parts[Part] extends infer P extends object ? P : Record<never, never>;

/** Figures of a running topology. */
export interface RuntimeStats {
  readonly tasks: readonly TaskReport[];
  /** How far the free space has gone down, by the marks of the launch. */
  readonly disk: DiskReport;
  /** What the watchdog stopped the process before this one for; absent when it did not. */
  readonly lastStop?: StopReport;
}

/** A running topology. Close it, or declare it with `await using`. */
export interface Runtime<Parts extends TopologyParts> extends AsyncDisposable {
  /** The client of a store. Cheap; may be called again and again. */
  store<N extends keyof Named<Parts, "stores"> & string>(
    name: N,
  ): StoreClientOf<Named<Parts, "stores">[N]>;
  /** The client of an agent. */
  agent<N extends keyof Named<Parts, "agents"> & string>(
    name: N,
  ): AgentClientOf<Named<Parts, "agents">[N]>;
  /** Calls a compute function in the compute pool. */
  compute<N extends keyof Named<Parts, "compute"> & string>(
    name: N,
    args: Named<Parts, "compute">[N] extends (...args: infer A) => unknown ? A : never,
    options?: ComputeOptions,
  ): Promise<Named<Parts, "compute">[N] extends (...args: never[]) => infer R ? Awaited<R> : never>;
  /**
   * A new id for a call that is to be carried out once, however often it is sent: see
   * `KeyValueStore.once` and `InvokeOptions.id`. Keep it with what the call is about.
   */
  newId(): string;
  /** The messages that nodes have failed on for good: to look at, to run again, to throw away. */
  readonly deadLetters: DeadLetterClient;
  /** Figures of every task. Costs a round trip to each thread. */
  stats(): Promise<RuntimeStats>;
  /**
   * Resolves when everything accepted so far is done: no request, message or node is under way on
   * any thread. With a steady stream of new calls it may never be.
   */
  drain(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /**
   * Refuses new calls with CLOSED, waits at most `closeTimeoutMs` for what is under way, makes all
   * durable, ends the threads and frees the directory. What was not finished goes on at the next
   * launch.
   * Idempotent: every call gets the same promise. A thread that is too busy to answer is ended 5 s
   * later.
   * @throws PartitaError TASK_EXITED when a thread died meanwhile; everything is freed all the same
   */
  close(): Promise<void>;
}

/**
 * Starts a topology on a data directory and resolves when it serves.
 *
 * @throws PartitaError OPTION_INVALID, OPTION_UNKNOWN, DIRECTORY_LOCKED (another process has it
 * open),
 *   DIRECTORY_INVALID, FORMAT_UNKNOWN, TASK_COUNT_MISMATCH, TOPOLOGY_MISMATCH (it belongs to
 *   something else), LOG_CORRUPT, STORE_CORRUPT (with the place), STREAM_DIVERGED (tasks disagree
 *   on what one sent the other: one was restored from a copy), MODULE_INVALID (a thread found
 *   another topology). Whatever was opened is closed again; the data is as it was
 */
export async function launch<const Parts extends TopologyParts>(
  declared: Topology<Parts>,
  options: LaunchOptions,
): Promise<Runtime<Parts>> {
  return await launchWith(declared, options, {});
}

/** `launch` with replaced clock, chance, event loop and delivery: for tests. */
export async function launchWith<const Parts extends TopologyParts>(
  declared: Topology<Parts>,
  options: LaunchOptions,
  seams: ClusterSeams,
): Promise<Runtime<Parts>> {
  const cluster = await Cluster.open(declared, clusterOptions(options), seams);
  return runtimeOver(declared, cluster, neighbours);
}

/** What users hold of an open cluster; `others` are to know it. */
export function runtimeOver<const Parts extends TopologyParts>(
  declared: Topology<Parts>,
  cluster: Cluster,
  others?: Neighbours,
): Runtime<Parts> {
  const port = cluster.local.programPort;
  const waiters = new OutcomeWaiters(port);
  const entries = programEntries(declared);
  const agents = createAgentClients(entries, port, waiters);
  const store = (name: string) => cluster.local.store(name);
  const serving = { declared, agents, store, entries, port, waiters };
  const leave = others?.enter(declared.name, neighbourServer(serving));
  const close = (): Promise<void> => {
    leave?.();
    return cluster.close();
  };
  const runtime = {
    store,
    agent: (name: string) => {
      const client = agents.get(name);
      if (client !== undefined) return client;
      const known = [...agents.keys()];
      throw new PartitaError("AGENT_UNKNOWN", { agent: nameShown(name), known });
    },
    compute: async (name: string, args: readonly unknown[], callOptions?: ComputeOptions) => {
      cluster.assertOpen();
      return await cluster.compute(name, args, callOptions);
    },
    newId: () => newCallId(cluster.local.host.system),
    deadLetters: createDeadLetterClient(agents.keys(), port, waiters),
    stats: async () => {
      cluster.assertOpen();
      const { lastStop } = cluster;
      const stats = { tasks: await cluster.reports(), disk: cluster.diskReport() };
      return lastStop === undefined ? stats : { ...stats, lastStop };
    },
    drain: async (drainOptions: { readonly signal?: AbortSignal } = {}) => {
      checkCallOptions("drain", drainOptions, ["signal"]);
      cluster.assertOpen();
      await cluster.drain(drainOptions.signal);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  // cast: names lead to clients of the declarations' types; the runtime itself is untyped by
  // design.
  return runtime as unknown as Runtime<Parts>;
}
