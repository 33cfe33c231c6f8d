// Attempts — what follows at home when a node invocation of an invocation has failed, when it is to
// stop, and when nothing of it runs any more.
//
//   failed ──► a fence to all tasks: the next attempt
//      └─────► giveUp to the task of the row, and the invocation has failed
//   cancel ──► a fence with a stop to all tasks; told when nothing runs any more
//   settled ─► lift to all tasks, when there were fences
//
// Owns: these decisions. Leaves to others: records (records.ts), what fences do to rows
// (node/node-runner.ts), how many retries there are (the agent's declaration).
//
// Invariants:
//   T1. Of several failures of one attempt one causes a retry; a failure of an attempt that is not
//       the current one is noted, and changes nothing else.
//   T2. There is no retry after the invocation has ended, or once it is to stop.
//   T3. Fences are lifted when nothing runs any more, and what begins afterwards belongs to a later
//       attempt than they were about.
//   T4. A stop is told once to each thread that asked for it, when nothing runs any more.

import { limits } from "../../base/limits.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import type { AgentDefinition } from "../declare/definition.js";
import {
  type CancelMessage,
  encodeAttempt,
  type FailedMessage,
  type FenceMessage,
} from "../wire/attempt-message.js";
import { decodeFailure, failureText, nodeFailureText } from "../wire/failure.js";
import { type InvocationId, isZeroId } from "../wire/invocation-id.js";
import { encodeNotice, encodeStanding } from "../wire/outcome.js";
import { type InvocationRecord, withFailure } from "./invocation-record.js";
import type { Records } from "./records.js";
import { WaitingThreads } from "./waiting-threads.js";

export class Attempts {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #records: Records;
  /** Threads that wait until nothing of an invocation runs any more. */
  readonly #stopping = new WaitingThreads();

  constructor(port: TaskPort, agents: ReadonlyMap<string, AgentDefinition>, records: Records) {
    this.#port = port;
    this.#agents = agents;
    this.#records = records;
  }

  threadExited(thread: number): void {
    this.#stopping.threadExited(thread);
  }

  /** A node invocation has failed, and its row waits for the word of its home (T1, T2). */
  failed(turn: Turn, { invocationId, arrivalNo, attempt, final, error }: FailedMessage): void {
    const before = this.#records.read(turn, invocationId);
    const giveUp = encodeAttempt({ kind: "giveUp", arrivalNo });
    if (before === undefined) {
      turn.send(this.#sender(turn), giveUp);
      return;
    }
    const noted = withFailure(before, error);
    const isCurrent = attempt >= before.attempt && before.stop === undefined;
    if (!isCurrent) {
      this.#records.write(turn, invocationId, before, noted);
      return;
    }
    if (before.state.kind === "pending" && !final && this.#hasRetries(before)) {
      const next = this.#retried(turn, invocationId, noted);
      this.#records.write(turn, invocationId, before, next);
      return;
    }
    turn.send(this.#sender(turn), giveUp);
    this.#records.write(turn, invocationId, before, failedWith(before, error));
  }

  /**
   * Stops an invocation: replies how it stands, and a notice follows when nothing runs any more.
   */
  cancel(turn: Turn, { agent, invocationId }: CancelMessage): Uint8Array {
    const before = this.#records.read(turn, invocationId);
    if (before === undefined || before.agent !== agent) return encodeStanding("unknown");
    if (isZeroId(before.outstanding)) return encodeStanding("stopped");
    if (turn.origin.kind === "lane") this.#stopping.add(turn.origin.thread, invocationId);
    if (before.stop === "cancel") return encodeStanding("stopping");
    const { attempt, state } = before;
    this.#fence(turn, { invocationId, attempt, stop: "cancelled", pauseMs: 0 });
    const after: InvocationRecord = {
      ...before,
      stop: "cancel",
      isFenced: true,
      state: state.kind === "pending" ? { kind: "cancelled" } : state,
    };
    this.#records.write(turn, invocationId, before, after);
    return encodeStanding("stopping");
  }

  /** Nothing of an invocation runs any more: its record as it goes on from there (T3, T4). */
  settled(turn: Turn, invocationId: InvocationId, record: InvocationRecord): InvocationRecord {
    const notice = encodeNotice({ kind: "stopped", invocationId });
    for (const thread of this.#stopping.take(invocationId)) turn.notify(thread, notice);
    const isPending = record.state.kind === "pending";
    const ended = isPending ? { ...record, state: withoutResult(record) } : record;
    if (!ended.isFenced) return ended;
    this.#toAll(turn, encodeAttempt({ kind: "lift", invocationId }));
    return { ...ended, isFenced: false, stop: undefined };
  }

  #hasRetries({ agent, retries }: InvocationRecord): boolean {
    const definition = this.#agents.get(agent);
    return definition !== undefined && retries < definition.maxRetries;
  }

  #retried(turn: Turn, invocationId: InvocationId, record: InvocationRecord): InvocationRecord {
    const attempt = record.attempt + 1;
    const pauseMs = this.#pauseMs(record);
    this.#fence(turn, { invocationId, attempt, stop: undefined, pauseMs });
    this.#records.questions.closeOlder(turn, invocationId, attempt);
    return { ...record, attempt, retries: record.retries + 1, isFenced: true };
  }

  /** It doubles with each retry; chance keeps many from coming back at once. */
  #pauseMs({ agent, retries }: InvocationRecord): number {
    const retryBackoffMs = this.#agents.get(agent)?.retryBackoffMs ?? 0;
    if (retryBackoffMs === 0) return 0;
    const pauseMs = Math.min(retryBackoffMs * 2 ** retries, limits.retryBackoffMsMax);
    return Math.ceil(pauseMs * (1 - this.#port.random() / 2));
  }

  #fence(turn: Turn, fence: Omit<FenceMessage, "kind">): void {
    this.#toAll(turn, encodeAttempt({ kind: "fence", ...fence }));
  }

  #toAll(turn: Turn, message: Uint8Array): void {
    for (let task = 0; task < this.#port.taskCount; task += 1) turn.send(task, message);
  }

  /** The task whose message is in hand. */
  #sender({ origin }: Turn): number {
    return origin.kind === "task" ? origin.task : this.#port.taskId;
  }
}

/** A record with a failure that no retry follows: a pending invocation has failed with it. */
export function failedWith(record: InvocationRecord, error: Uint8Array): InvocationRecord {
  const noted = withFailure(record, error);
  if (record.state.kind !== "pending") return noted;
  const reason = nodeFailureText(decodeFailure(error));
  return { ...noted, state: { kind: "failed", reason, failuresThen: noted.failures.length } };
}

/** How an invocation has failed of which nothing runs any more. */
function withoutResult({ failures }: InvocationRecord): InvocationRecord["state"] {
  const last = failures.at(-1);
  const failure = last === undefined ? undefined : decodeFailure(last);
  const reason = failureText("Agent completed without result", failure);
  return { kind: "failed", reason, failuresThen: failures.length };
}
