// Task thread handle — the launching thread's grip on one task thread: start it, call it, see it
// end.
//
// Owns: the Worker, its control proxy, and the first cause of its end. Leaves to others: what its
// end means for callers and tasks (task-threads.ts). Invariants Z1 and Z3 of machine.ts, and
//   Z4. A thread is not ended while it loads modules, unless that takes longer than `threadLoadMs`:
//       with one that is ended while native code among them begins, the process would end.

import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";

import { toWire } from "../base/error-wire.js";
import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import type { CheckpointPool } from "./checkpoint-pool.js";
import type { ComputePool } from "./compute.js";
import {
  controlAt,
  moved,
  offer,
  type Tagged,
  type ThreadControlProxy,
  type ThreadServices,
  tagged,
  untagged,
} from "./control.js";
import { deadlineAfter, whenAborted } from "./deadline.js";
import type { Continuation, TaskStreams } from "./handshake.js";
import { HandlerNotes } from "./handler-notes.js";
import type { HostSpec, TaskReport } from "./hosting.js";
import type { ExitListener, ThreadHandle } from "./machine.js";
import { serveNeighbours } from "./neighbour-link.js";
import { tasksOf } from "./plan.js";
import { realSystem } from "./system.js";
import type { NeighbourCall } from "./task-program.js";
import type { TaskThreadData } from "./task-thread.js";
import type { Topology } from "./topology.js";

/** What all task threads of a launch have in common. */
export interface ThreadParts {
  readonly declared: Topology;
  readonly spec: HostSpec;
  readonly pools: Pools;
  /** What V8's heap of a thread may take, beside what is young; V8's own limit when not given. */
  readonly heapBytes: number | undefined;
}

const mebibyte = 2 ** 20;

/** What the launching thread does for its task threads. */
export interface Pools {
  readonly checkpoints: CheckpointPool;
  readonly compute: ComputePool;
  readonly neighbour: NeighbourCall;
}

export class TaskThreadHandle implements ThreadHandle {
  readonly thread: number;
  readonly tasks: readonly number[];
  readonly #worker: Worker;
  readonly #control: ThreadControlProxy;
  readonly #exited: Promise<never>;
  readonly #loaded: Promise<void>;
  #exitCause: PartitaError | undefined;
  #ending = false;

  constructor(thread: number, parts: ThreadParts, onExit: ExitListener) {
    const { declared, spec, pools, heapBytes } = parts;
    this.thread = thread;
    this.tasks = tasksOf(spec.plan, thread);
    const control = new MessageChannel();
    const services = new MessageChannel();
    offer(servicesFor(pools), services.port1);
    this.#control = controlAt(control.port1);
    const { module, name: topology } = declared;
    const { port2: controlPort } = control;
    const { port2: servicesPort } = services;
    const { port1: asked, port2: neighboursPort } = new MessageChannel();
    serveNeighbours(asked, pools.neighbour);
    const ports = { controlPort, servicesPort, neighboursPort };
    const data: TaskThreadData = { thread, module, topology, spec, ...ports };
    this.#worker = new Worker(new URL("./task-thread.js", import.meta.url), {
      name: `partita-${thread}`,
      ...flagsOf(process.execArgv),
      workerData: data,
      resourceLimits: {
        maxYoungGenerationSizeMb: limits.threadYoungMebibytes,
        ...(heapBytes === undefined
          ? {}
          : { maxOldGenerationSizeMb: Math.floor(heapBytes / mebibyte) }),
      },
      transferList: Object.values(ports),
    });
    this.#exited = new Promise((_resolve, reject) => {
      let cause: unknown;
      this.#worker.once("error", (error) => {
        cause = error;
      });
      this.#worker.once("exit", (exitCode) => {
        control.port1.close();
        services.port1.close();
        asked.close();
        // It beats no more, and has not to.
        new HandlerNotes(spec.guards.notes, thread).unwatch();
        const error = this.#exitError(exitCode, cause);
        this.#exitCause = error;
        reject(error);
        if (!this.#ending) onExit(this, error);
      });
    });
    // Nobody may be calling when the thread ends; onExit hears of it all the same.
    this.#exited.catch(() => {});
    this.#loaded = this.#call(() => this.#control.load());
    // `open` tells it.
    this.#loaded.catch(() => {});
  }

  get exitCause(): PartitaError | undefined {
    return this.#exitCause;
  }

  async open(): Promise<void> {
    await this.#loaded;
    await this.#call(() => this.#control.open());
  }

  /** Gives the thread its end of a way to `peer`. */
  connect(peer: number, port: MessagePort): Promise<void> {
    return this.#call(() => this.#control.connect(peer, moved(port)));
  }

  streams(): Promise<readonly TaskStreams[]> {
    return this.#call(() => this.#control.streams());
  }

  start(continuations: readonly Continuation[]): Promise<void> {
    return this.#call(() => this.#control.start(continuations));
  }

  runSuspects(): Promise<void> {
    return this.#call(() => this.#control.runSuspects());
  }

  quiet(): Promise<boolean> {
    return this.#call(() => this.#control.quiet());
  }

  reports(): Promise<readonly TaskReport[]> {
    return this.#call(() => this.#control.reports());
  }

  lost(thread: number, tasks: readonly number[], error: Error): Promise<void> {
    return this.#call(() => this.#control.lost(thread, tasks, toWire(error)));
  }

  reopened(tasks: readonly number[]): Promise<void> {
    return this.#call(() => this.#control.reopened(tasks));
  }

  abort(error: Error, deadline: AbortSignal): Promise<void> {
    const answer = this.#call(() => this.#control.abort(toWire(error)));
    return Promise.race([answer, whenAborted(deadline)]);
  }

  async close(deadline: AbortSignal): Promise<void> {
    this.#ending = true;
    try {
      const answer = this.#call(() => this.#control.close());
      await Promise.race([answer, whenAborted(deadline)]);
    } finally {
      await this.#terminate();
    }
  }

  async end(): Promise<void> {
    this.#ending = true;
    await this.#terminate();
  }

  async #terminate(): Promise<void> {
    const { signal, cancel } = deadlineAfter(realSystem, limits.threadLoadMs);
    await Promise.race([this.#loaded, whenAborted(signal)]).catch(() => {});
    cancel();
    await this.#worker.terminate();
  }

  #call<T>(action: () => Promise<Tagged<T>>): Promise<T> {
    return Promise.race([untagged(action()), this.#exited]);
  }

  #exitError(exitCode: number, cause: unknown): PartitaError {
    const reason =
      cause instanceof Error
        ? `${cause.name}: ${cause.message}`
        : `it exited with status ${exitCode}`;
    const details = { taskIds: this.tasks, threadId: this.thread, reason };
    return new PartitaError("TASK_EXITED", details, cause === undefined ? {} : { cause });
  }
}

function servicesFor(pools: Pools): ThreadServices {
  const calls = new Map<number, AbortController>();
  return {
    checkpoint: (job) => tagged(() => pools.checkpoints.run(job)),
    compute: (call, name, args, timeoutMs) =>
      tagged(async () => {
        const abort = new AbortController();
        calls.set(call, abort);
        try {
          const { signal } = abort;
          return await pools.compute.run(
            name,
            args,
            timeoutMs === undefined ? { signal } : { signal, timeoutMs },
          );
        } finally {
          calls.delete(call);
        }
      }),
    cancelCompute: (call) => tagged(() => calls.get(call)?.abort()),
  };
}

/**
 * A thread inherits this process's flags. `--input-type` alone it must not have, since it runs a
 * file; and flags that are given, instead of inherited, must be few: V8's are refused then.
 */
function flagsOf(flags: readonly string[]): { readonly execArgv?: string[] } {
  if (!flags.some((flag) => flag.startsWith("--input-type"))) return {};
  return { execArgv: flags.filter((flag) => flag === "--enable-source-maps") };
}
