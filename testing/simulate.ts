// Simulate — `launch` on a simulated machine: the façade that users hold.
//
// Owns: options, and clients that go on over the deaths of the process. Leaves to others: the
// simulation itself (simulation.ts).

import { limits } from "../base/limits.js";
import { checkOptionNames, optionInvalid } from "../base/options.js";
import type { Runtime } from "../launch.js";
import { newCallId } from "../runtime/call-id.js";
import { clusterOptions, type LaunchOptions } from "../runtime/cluster-options.js";
import type { ComputeOptions } from "../runtime/compute-call.js";
import type { Topology } from "../runtime/topology.js";
import type { TopologyParts } from "../runtime/topology-parts.js";
import { type CrashPoint, type FaultOptions, FaultPlan } from "./fault-plan.js";
import { livingAgent, livingDeadLetters, livingStore } from "./living-clients.js";
import { SimulatedSite } from "./simulated-site.js";
import { World } from "./simulated-world.js";
import { type Serving, Simulation, type SimulationControls } from "./simulation.js";

/** Options of `simulate`; those of `launch` but the directory mean what they mean there. */
export interface SimulateOptions
  extends Omit<
    LaunchOptions,
    "directory" | "computeThreads" | "checkpointThreads" | "threadHeapBytes"
  > {
  /** Where all chance begins: the same seed, topology and calls run the same way. */
  readonly seed: number;
  /** Task threads, simulated. Default 2, at most `tasks`. */
  readonly threads?: number;
  /** Default `restart`: what a simulation is for. */
  readonly onThreadExit?: "stop" | "restart";
  /**
   * Bytes of an arena; may be as small as 16,384 here, so that checkpoints come early. A frame that
   * does not fit stops the process, so values must be far smaller; and so must what an invocation
   * keeps of its failures, which is up to 100 KB where nodes fail again and again.
   */
  readonly arenaBytes?: number;
  /** Messages of one stream between tasks that may be on the way. */
  readonly streamWindowMessages?: number;
  /** Bytes of them, of all streams of a task: beyond, each stream sends one section at a time. */
  readonly streamWindowBytes?: number;
  /** What goes wrong by chance. Default: nothing. */
  readonly faults?: FaultOptions;
  /** Threads and ways that stall now and then. Default true. */
  readonly stalls?: boolean;
  /** Called with a line for everything that happens. */
  readonly trace?: (line: string) => void;
}

/** A simulated topology: a running one, and what can be done to it. */
export interface SimulatedRuntime<Parts extends TopologyParts>
  extends Runtime<Parts>,
    SimulationControls {}

const arenaBytesMin = 16_384;

/**
 * Runs a topology in a simulated process: the code of the runtime over simulated threads, time,
 * network and disks, one step at a time, in an order that the seed alone decides. Deaths of threads
 * and of the process, power cuts included, come where the test asks for them or by chance.
 *
 * Clients go on over a death of the process: calls that are under way reject with TASK_EXITED,
 * later ones wait for the next launch. What waits for real timers or I/O is outside of the
 * simulation: it makes a run depend on more than its seed.
 *
 * @throws PartitaError as `launch`
 */
export async function simulate<const Parts extends TopologyParts>(
  declared: Topology<Parts>,
  options: SimulateOptions,
): Promise<SimulatedRuntime<Parts>> {
  const simulation = beginSimulation(declared, options);
  await simulation.serving();
  return runtimeOf<Parts>(simulation);
}

/** The simulation without its façade: for the trial that judges the runtime itself. */
export function beginSimulation(declared: Topology, options: SimulateOptions): Simulation {
  const { seed, faults = {}, stalls = true, trace, ...others } = options;
  const { streamWindowMessages, streamWindowBytes, ...launch } = others;
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw optionInvalid("simulate", "seed", seed, "a whole number of at least 0");
  }
  const { arenaBytes = limits.arenaBytesMin, tasks = 2, threads = 2 } = launch;
  if (!Number.isInteger(arenaBytes) || arenaBytes < arenaBytesMin) {
    const valid = `a whole number of at least ${arenaBytesMin}`;
    throw optionInvalid("simulate", "arenaBytes", arenaBytes, valid);
  }
  const window = {
    messages: streamWindowMessages ?? limits.streamWindowMessages,
    bytes: streamWindowBytes ?? limits.streamWindowBytes,
  };
  atLeastOne("streamWindowMessages", window.messages);
  atLeastOne("streamWindowBytes", window.bytes);
  checkOptionNames("simulate faults", faults, faultNames);
  const world = new World({ seed, stalls, trace });
  const cluster = clusterOptions({
    onThreadExit: "restart",
    ...launch,
    directory: "simulated",
    tasks,
    threads,
    arenaBytes: Math.max(arenaBytes, limits.arenaBytesMin),
  });
  return new Simulation({
    declared,
    options: cluster,
    bounds: {
      streamWindow: window,
      batchBytesMax: Math.floor(arenaBytes / 4),
    },
    world,
    site: new SimulatedSite(world, cluster.durability, arenaBytes),
    faults: new FaultPlan(world, faults),
  });
}

function atLeastOne(option: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw optionInvalid("simulate", option, value, "a whole number of at least 1");
}

const faultNames = [
  "processCrash",
  "threadCrash",
  "commitCrash",
  "busyRead",
  "duplicate",
  "powerCut",
  "crashesMax",
] as const satisfies readonly (keyof FaultOptions)[];

/** The façade over a simulation. */
export function runtimeOf<Parts extends TopologyParts>(
  simulation: Simulation,
): SimulatedRuntime<Parts> {
  const alive = async <T>(call: (serving: Serving) => Promise<T>): Promise<T> => {
    const serving = await simulation.serving();
    return await Promise.race([call(serving), serving.death]);
  };
  const runtime = {
    store: (name: string) => {
      // Refused now when there is none of that name.
      simulation.current?.cluster.local.store(name);
      return livingStore(simulation, name);
    },
    agent: (name: string) => livingAgent(simulation, name),
    newId: () => newCallId(simulation.system),
    compute: (name: never, args: never, computeOptions?: ComputeOptions) => {
      return alive(({ runtime: served }) => served.compute(name, args, computeOptions));
    },
    deadLetters: livingDeadLetters(simulation),
    stats: () => alive(({ runtime: served }) => served.stats()),
    drain: (options?: { readonly signal?: AbortSignal }) => {
      return alive(({ runtime: served }) => served.drain(options));
    },
    close: () => simulation.close(),
    [Symbol.asyncDispose]: () => simulation.close(),
    crash: (thread?: number) => simulation.crash(thread),
    crashAt: (where: CrashPoint) => simulation.crashAt(where),
    advance: (ms: number) => simulation.advance(ms),
    heal: () => simulation.heal(),
    get elapsedMs() {
      return simulation.elapsedMs;
    },
    get steps() {
      return simulation.steps;
    },
    get crashes() {
      return simulation.crashes;
    },
    get traceHash() {
      return simulation.traceHash;
    },
    get stops() {
      return simulation.stops;
    },
  };
  // cast: names lead to clients of the declarations' types, as in launch.ts.
  return runtime as unknown as SimulatedRuntime<Parts>;
}
