// Outcome waiters — the callers of one thread that wait for invocations to end or to stop, and for
// dead letters to run again.
//
// Owns: who waits for which of them, and telling them: from notices, when a task is lost, when a
// signal aborts. Leaves to others: asking tasks (client.ts), whom tasks notify (execution.ts).
//
// Invariants:
//   W1. A waiter is opened before its request is sent: a notice that overtakes the reply is not
//       missed.
//   W2. A waiter is settled once and forgotten with that, whatever comes after.
//   W3. When a home task is lost every waiter of it is rejected: the task forgets whom to notify.
//   W4. A thread may be told what became of an answer that it gave in an earlier life: no waiter of
//       this life takes it for its own.

import { InvariantViolation } from "../../base/invariant.js";
import type { ProgramClientPort } from "../../runtime/task-program.js";
import { formatLetterId } from "../node/dead-letters.js";
import {
  formatNodeId,
  type InvocationId,
  invocationName,
  type NodeInvocationId,
} from "../wire/invocation-id.js";
import { type AwaitReply, decodeNotice } from "../wire/outcome.js";

/** What a waiter is told. */
export type Answer =
  | AwaitReply
  | { readonly kind: "begun" }
  /** The invocation asks a human. */
  | { readonly kind: "asked" }
  /** `error` (failure.ts): why an answer to a question was refused; empty when it was not. */
  | { readonly kind: "answered"; readonly error: Uint8Array }
  | { readonly kind: "replayed" }
  | { readonly kind: "streamed" }
  | { readonly kind: "stopped" };

/** Tokens of answers are numbers that are exact. */
const tokensMax = Number.MAX_SAFE_INTEGER;

/** One caller who waits; made by `OutcomeWaiters.open`. */
class Waiter {
  readonly home: number;
  /** Settles with what it is told, with the error when the task is lost, or on abort. */
  readonly answer: Promise<Answer>;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;
  readonly #forget: (waiter: Waiter) => void;
  #resolve: (answer: Answer) => void = unreachable;
  #reject: (error: unknown) => void = unreachable;

  constructor(home: number, signal: AbortSignal | undefined, forget: (waiter: Waiter) => void) {
    this.home = home;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#signal = signal;
    this.#forget = forget;
    if (signal === undefined) return;
    this.#onAbort = () => this.reject(signal.reason);
    signal.addEventListener("abort", this.#onAbort);
  }

  resolve(answer: Answer): void {
    this.#settle();
    this.#resolve(answer);
  }

  reject(error: unknown): void {
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#forget(this);
  }
}

export class OutcomeWaiters {
  readonly #waiting = new Map<string, readonly Waiter[]>();
  #token: number;

  /** One for each thread: a port has one listener of each kind. */
  constructor(port: ProgramClientPort) {
    // By chance: nobody knows which ones the lives before have used (W4).
    this.#token = Math.floor(port.random() * tokensMax);
    port.onNotice((task, bytes) => {
      const notice = decodeNotice(bytes);
      switch (notice.kind) {
        case "replayed":
          this.#resolve(replayName(formatLetterId(task, notice.letterNo)), { kind: "replayed" });
          return;
        case "streamed":
          this.#resolve(streamName(notice), { kind: "streamed" });
          return;
        case "stopped":
          this.#resolve(stopName(notice.invocationId), { kind: "stopped" });
          return;
        case "answered":
          this.#resolve(answerName(notice.token), notice);
          return;
        case "asked":
          this.#resolve(stepName(notice.invocationId), { kind: "asked" });
          return;
        case "outcome": {
          const { invocationId, outcome } = notice;
          const answer = { kind: "ended", outcome } as const;
          this.#resolve(invocationName(invocationId), answer);
          this.#resolve(stepName(invocationId), answer);
        }
      }
    });
    port.onLost((tasks, error) => {
      for (const waiter of [...this.#waiting.values()].flat()) {
        if (tasks === "all" || tasks.includes(waiter.home)) waiter.reject(error);
      }
    });
  }

  /** Begins to wait for an invocation whose home is the task `home` (W1). */
  open(id: InvocationId, home: number, signal: AbortSignal | undefined): Waiter {
    return this.#open(invocationName(id), home, signal);
  }

  /** Begins to wait for a dead letter of the task `task` to run again (W1). */
  openReplay(letterId: string, task: number, signal: AbortSignal | undefined): Waiter {
    return this.#open(replayName(letterId), task, signal);
  }

  /** Begins to wait until it is worth asking for a stream again (W1). */
  openStream(invocationId: InvocationId, nodeInvocationId: NodeInvocationId, home: number): Waiter {
    return this.#open(streamName({ invocationId, nodeInvocationId }), home, undefined);
  }

  /** Begins to wait until nothing of an invocation runs any more (W1). */
  openStop(id: InvocationId, home: number, signal: AbortSignal | undefined): Waiter {
    return this.#open(stopName(id), home, signal);
  }

  /** The same, until it asks a human too. */
  openStep(id: InvocationId, home: number, signal: AbortSignal | undefined): Waiter {
    return this.#open(stepName(id), home, signal);
  }

  /** Begins to wait for what becomes of an answer, which is to carry the token (W1). */
  openAnswer(
    home: number,
    signal: AbortSignal | undefined,
  ): { readonly token: number; readonly waiter: Waiter } {
    this.#token = (this.#token + 1) % tokensMax;
    return { token: this.#token, waiter: this.#open(answerName(this.#token), home, signal) };
  }

  #open(name: string, home: number, signal: AbortSignal | undefined): Waiter {
    const waiter = new Waiter(home, signal, (settled) => this.#forget(name, settled));
    this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), waiter]);
    return waiter;
  }

  #resolve(name: string, answer: Answer): void {
    for (const waiter of this.#waiting.get(name) ?? []) waiter.resolve(answer);
  }

  #forget(name: string, waiter: Waiter): void {
    const others = this.#waiting.get(name)?.filter((other) => other !== waiter) ?? [];
    if (others.length === 0) this.#waiting.delete(name);
    else this.#waiting.set(name, others);
  }
}

/** Longer than the name of any invocation. */
function replayName(letterId: string): string {
  return `replay of dead letter ${letterId}`;
}

function streamName(of: {
  readonly invocationId: InvocationId;
  readonly nodeInvocationId: NodeInvocationId;
}): string {
  return `stream ${invocationName(of.invocationId)} ${formatNodeId(of.nodeInvocationId)}`;
}

function stopName(id: InvocationId): string {
  return `stop of invocation ${invocationName(id)}`;
}

function stepName(id: InvocationId): string {
  return `step of ${invocationName(id)}`;
}

function answerName(token: number): string {
  return `answer ${token}`;
}

function unreachable(): never {
  throw new InvariantViolation("a promise runs its executor at once");
}
