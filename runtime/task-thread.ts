// Task thread — the entry of a worker thread that hosts tasks.
//
// Owns: this thread's ports and the answers to control calls. Leaves to others: everything it hosts
// (hosting.ts). Runs on no main thread.

import { isMainThread, type MessagePort, workerData } from "node:worker_threads";
import { fromWire } from "../base/error-wire.js";
import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { loadLmdb } from "../store/environment.js";
import { decodeValue } from "../store/value.js";
import { shapeHash } from "./compile.js";
import { assertKnown, encodeArguments } from "./compute.js";
import type { ComputeCall } from "./compute-call.js";
import { offer, servicesAt, type ThreadControl, tagged, untagged } from "./control.js";
import { freeBytesOf } from "./disk-meter.js";
import { isFault, stopFor } from "./fail-stop.js";
import { type HostedThread, type HostSpec, openHost } from "./hosting.js";
import { neighboursAt } from "./neighbour-link.js";
import { fileStorages } from "./storages.js";
import { realSystem } from "./system.js";
import { ThreadTransport } from "./thread-transport.js";
import type { Topology } from "./topology.js";
import { importTopology } from "./topology-module.js";

/** What a task thread is started with. */
export interface TaskThreadData {
  readonly thread: number;
  readonly module: string;
  readonly topology: string;
  readonly spec: HostSpec;
  readonly controlPort: MessagePort;
  readonly servicesPort: MessagePort;
  readonly neighboursPort: MessagePort;
}

assert(!isMainThread, "task-thread.js is the entry of a worker thread");
// cast: task-thread-handle.ts passes exactly this.
const data = workerData as TaskThreadData;
const transport = new ThreadTransport(data.thread);
const services = servicesAt(data.servicesPort);
let declared: Topology | undefined;
let hosted: HostedThread | undefined;
let computeCalls = 0;

const control: ThreadControl = {
  load: () => tagged(load),
  open: () => tagged(open),
  connect: (peer, port) => tagged(() => transport.connect(peer, port)),
  streams: () => tagged(() => running().streams()),
  start: (continuations) =>
    tagged(async () => {
      await running().begin(continuations);
      running().start();
      transport.start();
    }),
  runSuspects: () => tagged(() => running().runSuspects()),
  quiet: () => tagged(() => running().quiet),
  reports: () => tagged(() => running().reports()),
  lost: (thread, tasks, error) =>
    tagged(() => {
      transport.disconnect(thread);
      running().host.lose(tasks, fromWire(error));
      running().host.threadExited(thread);
    }),
  reopened: (tasks) => tagged(() => running().host.reopen(tasks)),
  abort: (error) =>
    tagged(() => {
      const reason = fromWire(error);
      assert(PartitaError.is(reason), "nodes are refused with a PartitaError");
      running().abort(reason);
      running().host.lose("all", reason);
    }),
  // The ports stay open until the launching thread ends this one: an end of its own could come
  // first, and the answer would be lost.
  close: () => tagged(() => running().close()),
};

// A node's function may end this thread with an error of its own: that is told as TASK_EXITED. An
// error that can only be ours ends the process, out of whatever callback or promise it comes.
process.on("uncaughtExceptionMonitor", (error) => {
  if (isFault(error)) stopFor(realSystem, `thread ${data.thread}`, "go on", error);
});

offer(control, data.controlPort);

async function load(): Promise<void> {
  const { module, topology, spec } = data;
  loadLmdb();
  declared = await importTopology(module, topology);
  const found = shapeHash(declared);
  if (found !== spec.plan.shapeHash) {
    const { shapeHash: expected } = spec.plan;
    const reason = `its structure is ${found} here and ${expected} in the launching thread`;
    throw new PartitaError("MODULE_INVALID", { module, topology, reason });
  }
}

async function open(): Promise<void> {
  const { spec } = data;
  assert(declared !== undefined, "a thread was opened before it was loaded");
  hosted = await openHost(declared, spec, transport, {
    system: realSystem,
    storages: fileStorages({
      ...spec,
      runCheckpoint: (job) => untagged(services.checkpoint(job)),
    }),
    compute: computeThrough(declared),
    neighbour: neighboursAt(data.neighboursPort),
    freeBytes: freeBytesOf(spec.directory),
  });
}

function running(): HostedThread {
  assert(hosted !== undefined, "a control call came before open");
  return hosted;
}

/** Compute functions run in the launching thread's pool. */
function computeThrough(declared: Topology): ComputeCall {
  return async (name, args, options = {}) => {
    assertKnown(declared, name);
    const { signal, timeoutMs } = options;
    signal?.throwIfAborted();
    computeCalls += 1;
    const call = computeCalls;
    const cancel = (): void => {
      void services.cancelCompute(call);
    };
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      const result = await untagged(
        services.compute(call, name, encodeArguments(name, args), timeoutMs),
      );
      return result.length === 0 ? undefined : decodeValue(result);
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  };
}
