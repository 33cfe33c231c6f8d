// Child — a process that owns a directory and puts the workload on it, so that it can be watched,
// hindered and killed.
//
//   node child.js '<WorkloadSpec as JSON>'
//
// Its journal is a file that is appended to line by line: what it has written is there whatever
// happens to the process.

import { openSync, writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { launch } from "../../index.js";
import { begin, type Journal, load } from "./load.js";
import topology from "./topology.js";

/** What a child does. */
export interface WorkloadSpec {
  readonly directory: string;
  /** The journal's file; "-" is the standard output. */
  readonly journal: string;
  readonly seed: number;
  readonly life: number;
  readonly firstInvocation: number;
  readonly tasks: number;
  readonly threads: number;
  readonly arenaBytes: number;
  /** Requests of each client; null for no end. */
  readonly requests: number | null;
  /** Invocations of each kind; null for as many as requests. */
  readonly invocations: number | null;
  /** Closes under load after so many acknowledgements; null closes when the load has ended. */
  readonly closeAfter: number | null;
  /** Kills itself after so many acknowledgements; null does not. */
  readonly killAfter: number | null;
  /** Marks of the disk guard; the runtime's own when it is left out. */
  readonly diskLowBytes?: number;
  readonly onThreadExit?: "stop" | "restart";
}

async function run(spec: WorkloadSpec): Promise<void> {
  const { directory, seed, life, firstInvocation, tasks, threads, arenaBytes } = spec;
  const descriptor = spec.journal === "-" ? 1 : openSync(spec.journal, "a", 0o600);
  let acks = 0;
  let whenAcks = (): void => {};
  const say: Journal = (line) => {
    writeSync(descriptor, `${line}\n`);
    if (line.startsWith("ack ")) acks += 1;
    if (acks === spec.killAfter) process.kill(process.pid, "SIGKILL");
    if (acks === spec.closeAfter) whenAcks();
  };
  const { diskLowBytes, onThreadExit = "stop" } = spec;
  const marks = diskLowBytes === undefined ? {} : { diskLowBytes };
  const options = { directory, tasks, threads, arenaBytes, onThreadExit, ...marks };
  const runtime = await launch(topology, options);
  say("launched");
  const counts = await begin(runtime, say);
  const requests = spec.requests ?? Number.POSITIVE_INFINITY;
  const closing = new Promise<void>((resolve) => {
    whenAcks = resolve;
  });
  const invocations = spec.invocations ?? requests;
  const asked = { seed, life, firstInvocation, requests, invocations };
  const loading = load(runtime, counts, say, asked);
  await (spec.closeAfter === null ? loading : Promise.race([loading, closing]));
  say("closing");
  await runtime.close();
  await loading;
  say("closed");
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  // cast: whoever starts this process passes a WorkloadSpec.
  await run(JSON.parse(process.argv[2] ?? "") as WorkloadSpec);
}
