// Failed nodes — what becomes of a node invocation that throws, or kills: another attempt, or a
// dead letter that waits for somebody to replay or discard it.
//
//   failed ──► parked: the row stays with one more attempt, the failure is reported home
//      └─────► dead letter: the row goes, the letter stays, the ack with the failure goes home
//   replay ──► revive (home: the record is pending again) ──► revived: a row of the queue again
//
// Owns: these steps at the task of the node. Leaves to others: the record at home (execution.ts),
// rows (node-queue.ts, dead-letters.ts), running (node-runner.ts), bytes (poison-message.ts).
//
// Invariants:
//   P1. An attempt that failed is durable before the next one starts, and its failure on its way.
//   P2. A row becomes a dead letter in one frame: it leaves the queue, the letter is there, the ack
//       leaves, and behind that frame its key is open to the next.
//   P3. A letter runs again once for each time it was replayed, and not before its home task has
//       made the invocation pending again: whoever then asks for the result waits for the new one.

import { PartitaError } from "../../base/errors.js";
import { assert } from "../../base/invariant.js";
import { limits } from "../../base/limits.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { type DeadLetters, formatLetterId } from "./dead-letters.js";
import type { AgentDefinition } from "../declare/definition.js";
import { encodeAck } from "../wire/ack.js";
import { decodeFailure, encodeFailure, nodeFailureText } from "../wire/failure.js";
import { withNewest } from "../wire/failure-list.js";
import { formatNodeId, operationPrefix, placementOf } from "../wire/invocation-id.js";
import {
  type CompletedMessage,
  decodeRun,
  encodeForget,
  type RunMessage,
} from "../wire/message.js";
import type { NodeQueue } from "./node-queue.js";
import type { NodeRunner } from "./node-runner.js";
import { encodeNotice } from "../wire/outcome.js";
import { type BuryMessage, encodePoison } from "../wire/poison-message.js";
import { noBytes } from "../wire/wire-field.js";
import { firstRecorded, type RecordedOperations } from "../wire/recorded-operations.js";

/** Numbers of store operations that a letter keeps: its row is small beside its message's. */
const recordedMax = 16_384;

export class FailedNodes {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #queue: NodeQueue;
  readonly #runner: NodeRunner;
  readonly #letters: DeadLetters;
  /** By number of a letter that is being replayed: threads that are told when it runs again. */
  readonly #replaying = new Map<number, readonly number[]>();

  constructor(
    port: TaskPort,
    agents: ReadonlyMap<string, AgentDefinition>,
    queue: NodeQueue,
    runner: NodeRunner,
    letters: DeadLetters,
  ) {
    this.#port = port;
    this.#agents = agents;
    this.#queue = queue;
    this.#runner = runner;
    this.#letters = letters;
  }

  threadExited(thread: number): void {
    for (const [letterNo, threads] of this.#replaying) {
      this.#replaying.set(
        letterNo,
        threads.filter((other) => other !== thread),
      );
    }
  }

  /** A node function has thrown `error`: it is parked, or given up (P1, P2). */
  failed(turn: Turn, { arrivalNo, recorded }: CompletedMessage, error: Uint8Array): void {
    const { agent, invocationId } = decodeRun(this.#queue.look(turn, arrivalNo));
    const definition = this.#agents.get(agent);
    assert(definition !== undefined, () => `row ${arrivalNo} ran, and its agent is not declared`);
    const { maxRetries, retryBackoffMs } = definition;
    const before = this.#queue.stored(turn, arrivalNo);
    const attempts = before.attempts + 1;
    if (attempts > maxRetries) {
      this.#giveUp(turn, arrivalNo, error, attempts, recorded);
      return;
    }
    this.#queue.store(turn, arrivalNo, { ...before, ...withNewest(before, error), attempts });
    const home = this.#port.ownerOf(placementOf(invocationId));
    turn.send(home, encodePoison({ kind: "report", invocationId, error }));
    turn.afterCommit(() => this.#runner.parked(arrivalNo, this.#pauseMs(retryBackoffMs, attempts)));
  }

  /** Rows are about to start in a life that follows a death. */
  mark(turn: Turn, arrivalNos: readonly number[]): void {
    for (const arrivalNo of arrivalNos) {
      const before = this.#queue.stored(turn, arrivalNo);
      this.#queue.store(turn, arrivalNo, { ...before, deaths: before.deaths + 1 });
    }
    turn.afterCommit(() => this.#runner.marked(arrivalNos));
  }

  /** A row has met enough deaths. */
  bury(turn: Turn, { arrivalNo, recorded }: BuryMessage): void {
    const { agent, node, nodeInvocationId } = decodeRun(this.#queue.look(turn, arrivalNo));
    const { attempts, deaths } = this.#queue.stored(turn, arrivalNo);
    const failure = { node, nodeInvocationId: formatNodeId(nodeInvocationId), attempt: attempts };
    const error = new PartitaError("NODE_DEADLY", { agent, node, deaths });
    const bytes = encodeFailure(failure, error);
    this.#giveUp(turn, arrivalNo, bytes, attempts + deaths, recorded);
  }

  /**
   * Makes it durable that the letter runs again; a notice tells the thread when it does.
   * @throws PartitaError DEAD_LETTER_UNKNOWN, AGENT_UNKNOWN, NODE_UNKNOWN
   */
  replay(turn: Turn, letterNo: number, thread: number): void {
    const { replaying } = this.#letters.info(turn, letterNo);
    const run = decodeRun(this.#letters.run(turn, letterNo));
    this.#runner.assertDeclared(run);
    const waiting = this.#replaying.get(letterNo) ?? [];
    this.#replaying.set(letterNo, [...waiting, thread]);
    if (replaying) return;
    this.#letters.replaying(turn, letterNo);
    const { invocationId, nodeInvocationId, scope } = run;
    const home = this.#port.ownerOf(placementOf(invocationId));
    const message = { kind: "revive", letterNo, invocationId, nodeInvocationId, scope } as const;
    turn.send(home, encodePoison(message));
  }

  /** The home task waits: the letter is a row of the queue again (P3). */
  revived(turn: Turn, letterNo: number): void {
    // A copy: its row is about to go, and what is queued keeps its bytes.
    const run = this.#letters.run(turn, letterNo).slice();
    this.#letters.remove(turn, letterNo);
    const arrivalNo = this.#queue.appendReplayed(turn, run);
    const notice = encodeNotice({ kind: "replayed", letterNo });
    for (const thread of new Set(this.#replaying.get(letterNo))) turn.notify(thread, notice);
    turn.afterCommit(() => {
      this.#replaying.delete(letterNo);
      this.#runner.enqueue(arrivalNo, decodeRun(run));
    });
  }

  /** @throws PartitaError DEAD_LETTER_UNKNOWN, also for a letter that is being replayed */
  discard(turn: Turn, letterNo: number): void {
    const { replaying, recorded } = this.#letters.info(turn, letterNo);
    if (replaying) {
      const id = formatLetterId(this.#port.taskId, letterNo);
      throw new PartitaError("DEAD_LETTER_UNKNOWN", { id });
    }
    const run = decodeRun(this.#letters.run(turn, letterNo));
    this.#letters.remove(turn, letterNo);
    forgetOperations(turn, run, recorded);
  }

  #giveUp(
    turn: Turn,
    arrivalNo: number,
    error: Uint8Array,
    attempts: number,
    operations: readonly RecordedOperations[],
  ): void {
    const before = this.#queue.stored(turn, arrivalNo);
    // A copy: it moves to another table.
    const run = this.#queue.take(turn, arrivalNo).slice();
    const row = decodeRun(run);
    const { agent, invocationId, nodeInvocationId, node, scope } = row;
    const at = this.#port.now();
    const reason = nodeFailureText(decodeFailure(error));
    const failures = withNewest(before, error);
    // Those beyond are not repeated either, and stay until a replay is done.
    const recorded = firstRecorded(operations, recordedMax);
    const info = { agent, replaying: false, attempts, at, reason, recorded, ...failures };
    if (!this.#letters.add(turn, arrivalNo, info, run)) forgetOperations(turn, row, operations);
    const home = this.#port.ownerOf(placementOf(invocationId));
    const end = { kind: "failure", error } as const;
    turn.send(
      home,
      encodeAck({
        kind: "ack",
        invocationId,
        nodeInvocationId,
        node,
        scope,
        attempt: row.attempt,
        task: this.#port.taskId,
        end,
        emits: [],
        gather: "",
        carry: noBytes,
        trace: noBytes,
      }),
    );
    turn.afterCommit(() => this.#runner.completed(arrivalNo));
  }

  /** It doubles with each attempt that failed; chance keeps many from coming back at once. */
  #pauseMs(retryBackoffMs: number, attempts: number): number {
    if (retryBackoffMs === 0) return 0;
    const pauseMs = Math.min(retryBackoffMs * 2 ** (attempts - 1), limits.retryBackoffMsMax);
    return pauseMs * (1 - this.#port.random() / 2);
  }
}

/** A node invocation is done for good: tasks that have recorded operations of it forget them. */
export function forgetOperations(
  turn: Turn,
  run: RunMessage,
  recorded: readonly RecordedOperations[],
): void {
  const prefix = operationPrefix(run);
  for (const { task, indexes } of recorded) {
    turn.send(task, encodeForget({ kind: "forget", prefix, indexes }));
  }
}
