// Task threads — all threads of one cluster together: begin, connect, ask, start again, end.
//
//   spawned ──► opened ──► connected ──► started ──► ended
//                                           └── exited ──► spawned again, when asked so
//
// Owns: which threads there are, and what the death of one means for the others. Leaves to others:
// where threads come from (machine.ts), what a death means for the launch (cluster.ts).
//
// Invariants:
//   F4. What may have killed a task before runs alone in the process: thread after thread is asked
//       to run its suspects, the launching one first, one that was started again when it serves.
//   F2. A thread is started again only when its checkpoint jobs are over and every other thread has
//       forgotten the old one; its tasks come back from their logs, over the same shared memory.

import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import type { Continuation, TaskStreams } from "./handshake.js";
import type { HostedThread, TaskReport } from "./hosting.js";
import type { ThreadHandle, ThreadSource } from "./machine.js";

/** What the threads need of their cluster. */
export interface ThreadsParts {
  readonly source: ThreadSource;
  readonly threadCount: number;
  /** The launching thread's own part. */
  readonly local: HostedThread;
  readonly onThreadExit: "stop" | "restart";
  /** Whether the cluster runs: deaths before and after that are told to whoever calls. */
  readonly isRunning: () => boolean;
  /** A death that nothing mends. */
  readonly fail: (error: PartitaError) => void;
}

export class TaskThreads {
  readonly #parts: ThreadsParts;
  readonly #handles = new Map<number, ThreadHandle>();
  #restarts = 0;
  #restarting: Promise<void> = Promise.resolve();
  /** The turns of threads that run their suspects. */
  #suspects: Promise<void> = Promise.resolve();
  /** The thread that a restart has begun and that does not serve yet. */
  #starting: ThreadHandle | undefined;

  constructor(parts: ThreadsParts) {
    this.#parts = parts;
  }

  get handles(): readonly ThreadHandle[] {
    return [...this.#handles.values()];
  }

  /** Resolves when no thread is being started again. */
  get restarted(): Promise<void> {
    return this.#restarting;
  }

  /** Begins every thread, opens its tasks and connects all with all. Nothing runs yet. */
  async openAll(): Promise<void> {
    const { threadCount } = this.#parts;
    for (let thread = 1; thread <= threadCount; thread += 1) this.#spawn(thread);
    const { handles } = this;
    await Promise.all(handles.map((handle) => handle.open()));
    for (const handle of handles) {
      await this.#connect(
        handle,
        handles.filter(({ thread }) => thread < handle.thread),
      );
    }
  }

  /** What their tasks know of others; before they begin. */
  async streams(): Promise<readonly TaskStreams[]> {
    const streams = await Promise.all(this.handles.map((handle) => handle.streams()));
    return streams.flat();
  }

  /** Lets every task begin. */
  async startAll(continuations: readonly Continuation[]): Promise<void> {
    const { handles } = this;
    await Promise.all(handles.map((handle) => handle.start(continuations)));
    // One may have ended after its own start, while another still began.
    for (const { exitCause } of handles) if (exitCause !== undefined) throw exitCause;
  }

  /** All serve: their suspects run, one at a time (F4). */
  beginSuspects(): void {
    const { local } = this.#parts;
    this.#suspects = local.runSuspects();
    for (const handle of this.handles) this.#runSuspects(handle);
  }

  /** Figures of every task thread's tasks. */
  async reports(): Promise<readonly TaskReport[]> {
    // A thread that is being started again answers when it serves.
    await this.#restarting;
    const reports = await Promise.all(this.handles.map((handle) => handle.reports()));
    return reports.flat();
  }

  /** Whether nothing waits, runs or is on the way on any of them. */
  async quiet(): Promise<boolean> {
    await this.#restarting;
    const quiet = await Promise.all(this.handles.map((handle) => handle.quiet()));
    return !quiet.includes(false);
  }

  /** Ends the thread that a restart has begun, if there is one. */
  async endStarting(): Promise<void> {
    const starting = this.#starting;
    if (starting === undefined) return;
    this.#handles.delete(starting.thread);
    await starting.end();
  }

  /** Ends all at once. */
  async endAll(): Promise<void> {
    await Promise.all(this.handles.map((handle) => handle.end()));
  }

  #spawn(thread: number): ThreadHandle {
    const handle = this.#parts.source.spawn(thread, (exited, error) => this.#exited(exited, error));
    this.#handles.set(thread, handle);
    return handle;
  }

  /** Fresh ways between a thread and the launching thread, and between it and `peers`. */
  async #connect(handle: ThreadHandle, peers: readonly ThreadHandle[]): Promise<void> {
    const { source } = this.#parts;
    await source.connect(handle.thread, 0);
    for (const peer of peers) await source.connect(handle.thread, peer.thread);
  }

  #exited(handle: ThreadHandle, error: PartitaError): void {
    const { source, local, onThreadExit, isRunning, fail } = this.#parts;
    if (!isRunning()) return;
    source.disconnect(handle.thread);
    local.host.lose(handle.tasks, error);
    local.host.threadExited(handle.thread);
    if (onThreadExit === "stop" || this.#restarts >= limits.threadRestartsMax) {
      fail(error);
      return;
    }
    this.#restarts += 1;
    this.#restarting = this.#restarting
      .then(() => this.#restart(handle, error))
      .catch((cause: unknown) => fail(notRestarted(handle, cause)));
  }

  async #restart(dead: ThreadHandle, error: PartitaError): Promise<void> {
    const { source, local, isRunning } = this.#parts;
    if (!isRunning()) return;
    this.#handles.delete(dead.thread);
    const others = this.handles;
    await unlessExited(others, (other) => other.lost(dead.thread, dead.tasks, error));
    await source.settled(dead.tasks);
    // Closing or failed since: nobody would end a thread that begins now.
    if (!isRunning()) return;
    const handle = this.#spawn(dead.thread);
    this.#starting = handle;
    await unlessExited([handle], async () => {
      await handle.open();
      await this.#connect(handle, others);
      await unlessExited(others, (other) => other.reopened(dead.tasks));
      // A thread's death takes nothing from logs: there is nothing to go on behind.
      await handle.start([]);
      local.host.reopen(dead.tasks);
    });
    this.#starting = undefined;
    this.#runSuspects(handle);
  }

  #runSuspects(handle: ThreadHandle): void {
    this.#suspects = this.#suspects.then(() => unlessExited([handle], () => handle.runSuspects()));
  }
}

/** Calls threads; one that ends meanwhile is left to its own restart, which comes next. */
export async function unlessExited<T extends ThreadHandle>(
  handles: readonly T[],
  call: (handle: T) => Promise<void>,
): Promise<void> {
  const outcomes = await Promise.allSettled(handles.map(call));
  for (const [index, outcome] of outcomes.entries()) {
    const isLeft = handles[index]?.exitCause !== undefined;
    if (outcome.status === "rejected" && !isLeft) throw outcome.reason;
  }
}

/** Why a thread that has ended stays so; what the storage refuses says it best itself. */
function notRestarted({ tasks, thread }: ThreadHandle, cause: unknown): PartitaError {
  if (PartitaError.is(cause)) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const reason = `it could not be started again: ${message}`;
  return new PartitaError("TASK_EXITED", { taskIds: tasks, threadId: thread, reason }, { cause });
}
