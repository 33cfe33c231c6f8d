// Inline cluster — a topology launched on the thread of the test, in a directory of its own.
//
// It runs what production runs, real files included; only task threads are missing. What is opened
// is closed when the test is over, before its directory is removed.

import { onTestFinished } from "vitest";
import { launchWith, type Runtime } from "../../launch.js";
import { Cluster, type ClusterSeams } from "../../runtime/cluster.js";
import { clusterOptions, type LaunchOptions } from "../../runtime/cluster-options.js";
import type { Topology } from "../../runtime/topology.js";
import type { TopologyParts } from "../../runtime/topology-parts.js";
import { tempDirectory } from "./temp-directory.js";

/** Options of `launch`, none of which is needed, and what it lets tests replace. */
export interface InlineSettings extends Partial<Omit<LaunchOptions, "threads">> {
  readonly seams?: ClusterSeams;
}

/** Launches `declared` with `threads: 0`; by default with 3 tasks in a new directory. */
export async function inlineCluster<const Parts extends TopologyParts>(
  declared: Topology<Parts>,
  settings: InlineSettings = {},
): Promise<Runtime<Parts>> {
  const { seams = {}, ...options } = settings;
  const runtime = await launchWith(declared, inlineOptions(options), seams);
  onTestFinished(() => runtime.close());
  return runtime;
}

/** The same with the runtime's inside: for tests that look at tasks or ask for checkpoints. */
export async function openedCluster(
  declared: Topology,
  settings: InlineSettings = {},
): Promise<Cluster> {
  const { seams = {}, ...options } = settings;
  const cluster = await Cluster.open(declared, clusterOptions(inlineOptions(options)), seams);
  onTestFinished(() => cluster.close());
  return cluster;
}

/** Writes what the memtables of every task hold into their environments. */
export async function checkpointAll(cluster: Cluster): Promise<void> {
  await Promise.all(cluster.local.host.drivers.map(({ storage }) => storage.checkpoint()));
}

function inlineOptions(options: Partial<LaunchOptions>): LaunchOptions {
  const { directory = tempDirectory(), tasks = 3, ...others } = options;
  // The watchdog's thread needs a compiled file: tests/thread has its tests.
  return { handlerTimeoutMs: 0, ...others, directory, tasks, threads: 0 };
}
