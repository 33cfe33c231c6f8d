// Simulated threads — the task threads of one simulated process, and the launching thread's grip on
// them.
//
// A call goes to the thread as an event of its own line, and so does its answer: a thread can die
// before, between and behind them, and it is known to be dead only when its end has been noticed.
// Owns: spawn, control calls, noticing the end. Leaves to others: what is called (hosting.ts), what
// kills a thread (simulated-process.ts). Invariants Z1 and Z3 of machine.ts.

import { fromWire, toWire } from "../base/error-wire.js";
import { PartitaError } from "../base/errors.js";
import { whenAborted } from "../runtime/deadline.js";
import type { Continuation, TaskStreams } from "../runtime/handshake.js";
import type { HostedThread, TaskReport } from "../runtime/hosting.js";
import type { ExitListener, ThreadHandle } from "../runtime/machine.js";
import type { SimulatedEndpoint } from "./simulated-network.js";
import type { SimulatedThread } from "./simulated-thread.js";
import type { Line, World } from "./simulated-world.js";

export interface SimulatedHandleParts {
  readonly world: World;
  /** The launching thread. */
  readonly main: SimulatedThread;
  readonly thread: SimulatedThread;
  readonly tasks: readonly number[];
  readonly endpoint: SimulatedEndpoint;
  /** Opens what the thread hosts. */
  readonly host: () => Promise<HostedThread>;
  /** The thread forgets what it has from another one. */
  readonly disconnect: (peer: number) => void;
  /** Ends the thread's life. */
  readonly kill: () => void;
  readonly onExit: ExitListener;
}

export class SimulatedHandle implements ThreadHandle {
  readonly thread: number;
  readonly tasks: readonly number[];
  readonly #parts: SimulatedHandleParts;
  /** Calls on the way to the thread, and answers on the way back. */
  readonly #calls: Line;
  readonly #answers: Line;
  readonly #waiting = new Set<(error: PartitaError) => void>();
  #hosted: HostedThread | undefined;
  #exitCause: PartitaError | undefined;
  #ending = false;

  constructor(parts: SimulatedHandleParts) {
    this.thread = parts.thread.thread;
    this.tasks = parts.tasks;
    this.#parts = parts;
    this.#calls = parts.world.line(`calls to thread ${this.thread}`);
    this.#answers = parts.world.line(`answers of thread ${this.thread}`);
  }

  get exitCause(): PartitaError | undefined {
    return this.#exitCause;
  }

  open(): Promise<void> {
    return this.#call(async () => {
      this.#hosted = await this.#parts.host();
    });
  }

  streams(): Promise<readonly TaskStreams[]> {
    return this.#call(() => this.#running().streams());
  }

  start(continuations: readonly Continuation[]): Promise<void> {
    return this.#call(async () => {
      await this.#running().begin(continuations);
      this.#running().start();
      this.#parts.endpoint.start();
    });
  }

  runSuspects(): Promise<void> {
    return this.#call(() => this.#running().runSuspects());
  }

  quiet(): Promise<boolean> {
    return this.#call(() => this.#running().quiet);
  }

  reports(): Promise<readonly TaskReport[]> {
    return this.#call(() => this.#running().reports());
  }

  lost(thread: number, tasks: readonly number[], error: Error): Promise<void> {
    return this.#call(() => {
      this.#parts.disconnect(thread);
      this.#running().host.lose(tasks, fromWire(toWire(error)));
      this.#running().host.threadExited(thread);
    });
  }

  reopened(tasks: readonly number[]): Promise<void> {
    return this.#call(() => this.#running().host.reopen(tasks));
  }

  abort(error: Error, deadline: AbortSignal): Promise<void> {
    const answer = this.#call(() => {
      const reason = fromWire(toWire(error));
      if (!PartitaError.is(reason)) throw reason;
      this.#running().abort(reason);
      this.#running().host.lose("all", reason);
    });
    return Promise.race([answer, whenAborted(deadline)]);
  }

  async close(deadline: AbortSignal): Promise<void> {
    this.#ending = true;
    try {
      const answer = this.#call(() => this.#running().close());
      await Promise.race([answer, whenAborted(deadline)]);
    } finally {
      await this.#terminate();
    }
  }

  async end(): Promise<void> {
    this.#ending = true;
    await this.#terminate();
  }

  /** The thread has died: the launching thread notices it some time later. */
  died(reason: string, cause?: unknown): void {
    const { world, main } = this.#parts;
    world.schedule(this.#answers, () => {
      main.run(() => {
        const details = { taskIds: this.tasks, threadId: this.thread, reason };
        const error = new PartitaError(
          "TASK_EXITED",
          details,
          cause === undefined ? {} : { cause },
        );
        this.#exitCause = error;
        for (const reject of this.#waiting) reject(error);
        this.#waiting.clear();
        if (!this.#ending) this.#parts.onExit(this, error);
      });
    });
  }

  /** What the thread hosts, once it is open. */
  get hosted(): HostedThread | undefined {
    return this.#hosted;
  }

  async #terminate(): Promise<void> {
    const { world, main, thread, kill } = this.#parts;
    if (this.#exitCause !== undefined) return;
    // It goes on for a while: to end a thread takes time.
    await new Promise<void>((resolve) => {
      world.schedule(this.#calls, () => {
        if (thread.alive) kill();
        main.later(resolve);
      });
    });
  }

  #running(): HostedThread {
    if (this.#hosted === undefined) throw new RangeError("a control call came before open");
    return this.#hosted;
  }

  #call<T>(action: () => T | Promise<T>): Promise<T> {
    const { world, thread } = this.#parts;
    return new Promise<T>((resolve, reject) => {
      if (this.#exitCause !== undefined) {
        reject(this.#exitCause);
        return;
      }
      this.#waiting.add(reject);
      world.schedule(this.#calls, () => {
        thread.run(() => {
          void this.#answer(action).then((settle) => {
            this.#reply(() => {
              this.#waiting.delete(reject);
              settle(resolve, reject);
            });
          });
        });
      });
    });
  }

  /** Runs a call on the thread; errors come back as they cross threads. */
  async #answer<T>(
    action: () => T | Promise<T>,
  ): Promise<(resolve: (value: T) => void, reject: (error: unknown) => void) => void> {
    try {
      const value = await action();
      return (resolve) => resolve(value);
    } catch (error) {
      return (_resolve, reject) => reject(fromWire(toWire(error)));
    }
  }

  #reply(settle: () => void): void {
    const { world, main, thread } = this.#parts;
    if (!thread.alive) return;
    world.schedule(this.#answers, () => main.run(settle));
  }
}
