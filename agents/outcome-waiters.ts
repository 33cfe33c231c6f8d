// Outcome waiters — the callers of one thread that wait for invocations to end.
//
// Owns: who waits for which invocation, and telling them: from notices, when a task is lost, when a
// signal aborts. Leaves to others: asking tasks (client.ts), whom tasks notify (execution.ts).
//
// Invariants:
//   W1. A waiter is opened before its request is sent: a notice that overtakes the reply is not
//       missed.
//   W2. A waiter is settled once and forgotten with that, whatever comes after.
//   W3. When a home task is lost every waiter of it is rejected: the task forgets whom to notify.

import type { ProgramClientPort } from "../runtime/task-program.js";
import { type InvocationId, invocationName } from "./invocation-id.js";
import { type AwaitReply, decodeNotice } from "./outcome.js";

/** What a waiter is told. */
export type Answer = Exclude<AwaitReply, { readonly kind: "pending" }> | { readonly kind: "begun" };

/** One caller who waits. */
export interface Waiter {
  /** Settles when one of the functions is called, a notice comes, the task is lost, or on abort. */
  readonly answer: Promise<Answer>;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  /** The invocation is durable. */
  readonly begun: () => void;
}

interface Entry extends Waiter {
  readonly home: number;
}

export class OutcomeWaiters {
  readonly #waiting = new Map<string, Set<Entry>>();

  /** One for each thread: a port has one listener of each kind. */
  constructor(port: ProgramClientPort) {
    port.onNotice((_task, bytes) => {
      const { invocationId, outcome } = decodeNotice(bytes);
      for (const waiter of this.#waiting.get(invocationName(invocationId)) ?? []) {
        waiter.resolve({ kind: "ended", outcome });
      }
    });
    port.onLost((tasks, error) => {
      for (const waiter of [...this.#waiting.values()].flatMap((entries) => [...entries])) {
        if (tasks === "all" || tasks.includes(waiter.home)) waiter.reject(error);
      }
    });
  }

  /** Begins to wait for an invocation whose home is the task `home` (W1). */
  open(id: InvocationId, home: number, signal: AbortSignal | undefined): Waiter {
    const name = invocationName(id);
    const { promise, resolve, reject } = newPromise<Answer>();
    const onAbort = (): void => settle(() => reject(signal?.reason));
    const settle = (tell: () => void): void => {
      signal?.removeEventListener("abort", onAbort);
      this.#forget(name, waiter);
      tell();
    };
    const waiter: Entry = {
      home,
      answer: promise,
      resolve: (answer) => settle(() => resolve(answer)),
      reject: (error) => settle(() => reject(error)),
      begun: () => settle(() => resolve({ kind: "begun" })),
    };
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) this.#waiting.set(name, new Set([waiter]));
    else waiting.add(waiter);
    signal?.addEventListener("abort", onAbort);
    return waiter;
  }

  #forget(name: string, waiter: Entry): void {
    const waiting = this.#waiting.get(name);
    if (waiting?.delete(waiter) && waiting.size === 0) this.#waiting.delete(name);
  }
}

function newPromise<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  let settle: { resolve: (value: T) => void; reject: (error: unknown) => void } | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return {
    promise,
    resolve: (value) => settle?.resolve(value),
    reject: (error) => settle?.reject(error),
  };
}
