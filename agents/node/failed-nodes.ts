// Failed nodes — what becomes of a node invocation that throws, or kills: its row waits for the
// next attempt of its invocation, or becomes a dead letter until somebody replays or discards it.
//
//   failed ──► parked: the row stays, the failure goes home, and home says what comes next
//      ├─ a fence ─► it runs again (node-runner.ts)
//      ├─ giveUp ──► dead letter: the row goes, the letter stays, the ack goes home
//      └─ drop ────► the row goes, and nothing is told of it
//   replay ──► revive (home: the record is pending again) ──► revived: a row of the queue again
//
// Owns: these steps at the task of the node. Leaves to others: what follows from a failure
// (home/attempts.ts), rows (node-queue.ts, dead-letters.ts), running (node-runner.ts), bytes
// (attempt-message.ts, poison-message.ts).
//
// Invariants:
//   P1. A failure is durable before the next run of its row starts, and on its way home; the row
//       keeps its key until then.
//   P2. A row becomes a dead letter in one frame: it leaves the queue, the letter is there, the ack
//       leaves, and behind that frame its key is open to the next.
//   P3. A letter runs again once for each time it was replayed, and not before its home task has
//       made the invocation pending again: whoever then asks for the result waits for the new one.
//   P4. A row that a stop concerns goes with an ack that says so, whatever its run came to; one
//       that home has dropped goes without.

import { PartitaError } from "../../base/errors.js";
import { assert } from "../../base/invariant.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { type DeadLetters, formatLetterId } from "./dead-letters.js";
import type { AgentDefinition } from "../declare/definition.js";
import type { DoneNodes } from "./done-nodes.js";
import { encodeAck } from "../wire/ack.js";
import {
  type DropMessage,
  encodeAttempt,
  type GiveUpMessage,
  type LiftMessage,
} from "../wire/attempt-message.js";
import { decodeFailure, encodeFailure, nodeFailureText } from "../wire/failure.js";
import { withNewest } from "../wire/failure-list.js";
import {
  formatNodeId,
  isSameNode,
  type NodeInvocationId,
  placementOf,
} from "../wire/invocation-id.js";
import { decodeRun, encodeRun, type RunMessage } from "../wire/message.js";
import { attemptOf, type Fences, isStopped } from "./fences.js";
import { declaredNode } from "./node-run.js";
import type { CompletedRun } from "./node-effects.js";
import type { NodeQueue } from "./node-queue.js";
import type { NodeRunner } from "./node-runner.js";
import { encodeNotice } from "../wire/outcome.js";
import {
  anyLater,
  type BuryMessage,
  encodePoison,
  type RevivedMessage,
} from "../wire/poison-message.js";
import type { ChildStoppedMessage } from "../wire/wait-message.js";
import type { Waits } from "./waits.js";
import { noBytes } from "../wire/wire-field.js";
import { firstRecorded, type RecordedOperations } from "../wire/recorded-operations.js";

/** Numbers of store operations that a letter keeps: its row is small beside its message's. */
const recordedMax = 16_384;

/** What a run of a row came to. */
interface NodeFailure extends Pick<CompletedRun, "arrivalNo" | "attempt" | "recorded"> {
  /** failure.ts has its bytes. */
  readonly error: Uint8Array;
  readonly final: boolean;
  /** What it has done (node-trace.ts). */
  readonly trace?: Uint8Array;
  /** Runs that it stands for. Default 1. */
  readonly runs?: number;
}

export class FailedNodes {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #queue: NodeQueue;
  readonly #fences: Fences;
  readonly #waits: Waits;
  readonly #runner: NodeRunner;
  readonly #letters: DeadLetters;
  readonly #done: DoneNodes;
  /** By number of a letter that is being replayed: threads that are told when it runs again. */
  readonly #replaying = new Map<number, readonly number[]>();
  /** What is recorded of cancelled rows that only wait for their children to stop. */
  readonly #lingering = new Map<number, readonly RecordedOperations[]>();

  constructor(
    port: TaskPort,
    agents: ReadonlyMap<string, AgentDefinition>,
    queue: NodeQueue,
    fences: Fences,
    waits: Waits,
    runner: NodeRunner,
    letters: DeadLetters,
    done: DoneNodes,
  ) {
    this.#done = done;
    this.#port = port;
    this.#agents = agents;
    this.#queue = queue;
    this.#fences = fences;
    this.#waits = waits;
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

  /** The run of a row has come to a failure: the row is parked, and home is told (P1). */
  failed(turn: Turn, run: RunMessage, failure: NodeFailure): void {
    const { arrivalNo, attempt, error, final, recorded, trace = noBytes } = failure;
    const before = this.#queue.stored(turn, arrivalNo);
    this.#queue.store(turn, arrivalNo, {
      ...before,
      ...withNewest(before, error),
      attempts: before.attempts + (failure.runs ?? 1),
      parkedAttempt: attempt,
      // Those beyond are not repeated either, and stay until a replay is done.
      recorded: firstRecorded(recorded, recordedMax),
    });
    this.#waits.failed(turn, arrivalNo);
    const { invocationId, nodeInvocationId } = run;
    const home = this.#port.ownerOf(placementOf(invocationId));
    const report = { invocationId, nodeInvocationId, arrivalNo, attempt, final, trace, error };
    turn.send(home, encodeAttempt({ kind: "failed", ...report }));
    turn.afterCommit(() => this.#runner.parked(arrivalNo));
  }

  /** Rows of a cancelled invocation: what their nodes have begun is to stop, whatever these do. */
  cancelled(turn: Turn, arrivalNos: readonly number[]): void {
    const { children } = this.#waits;
    for (const arrivalNo of arrivalNos) {
      const row = this.#queue.find(turn, arrivalNo);
      const run = row === undefined ? undefined : decodeRun(row);
      if (run === undefined || !isStopped(run, this.#fences.seen(turn, run.invocationId))) continue;
      children.adopt(turn, arrivalNo);
      children.cancel(turn, arrivalNo);
    }
  }

  /**
   * A row goes, and its invocation does not wait for it any more (P4): when it was cancelled, not
   * before its children have stopped.
   */
  stopped(
    turn: Turn,
    run: RunMessage,
    arrivalNo: number,
    recorded: readonly RecordedOperations[],
  ): void {
    const { children } = this.#waits;
    children.adopt(turn, arrivalNo);
    this.#waits.drop(turn, arrivalNo, run);
    const isCancelled = this.#fences.seen(turn, run.invocationId)?.stop === "cancelled";
    if (isCancelled && !this.isDropped(turn, arrivalNo)) children.cancel(turn, arrivalNo);
    else children.abandon(turn, arrivalNo);
    if (!children.has(arrivalNo)) {
      this.#leave(turn, run, arrivalNo, recorded);
      return;
    }
    this.#lingering.set(arrivalNo, recorded);
    turn.afterCommit(() => this.#runner.waiting.linger(arrivalNo));
  }

  /** A child of a row that is cancelled has stopped. */
  childStopped(turn: Turn, message: ChildStoppedMessage): void {
    const { arrivalNo } = message;
    this.#waits.children.stopped(turn, message);
    const recorded = this.#lingering.get(arrivalNo);
    if (recorded === undefined || this.#waits.children.has(arrivalNo)) return;
    this.#lingering.delete(arrivalNo);
    this.#leave(turn, decodeRun(this.#queue.look(turn, arrivalNo)), arrivalNo, recorded);
  }

  #leave(
    turn: Turn,
    run: RunMessage,
    arrivalNo: number,
    recorded: readonly RecordedOperations[],
  ): void {
    const isDropped = this.isDropped(turn, arrivalNo);
    this.#queue.take(turn, arrivalNo);
    if (!isDropped) sendUnfinished(turn, this.#port, run);
    this.#done.forget(turn, run, recorded);
    turn.afterCommit(() => this.#runner.completed(arrivalNo));
  }

  /** Nobody waits for a row, whatever it comes to. */
  drop(turn: Turn, { arrivalNo, nodeInvocationId }: DropMessage): void {
    if (this.#isRowOf(turn, arrivalNo, nodeInvocationId)) this.#drop(turn, arrivalNo);
  }

  /** Home says that nothing of an invocation is left: what is here has been done elsewhere. */
  lift(turn: Turn, { invocationId, attempt }: LiftMessage): void {
    for (const arrivalNo of this.#runner.held.of(invocationId)) {
      const row = this.#queue.find(turn, arrivalNo);
      if (row !== undefined && decodeRun(row).attempt <= attempt) this.#drop(turn, arrivalNo);
    }
  }

  #drop(turn: Turn, arrivalNo: number): void {
    this.#queue.store(turn, arrivalNo, { ...this.#queue.stored(turn, arrivalNo), dropped: true });
    this.#waits.failed(turn, arrivalNo);
    turn.afterCommit(() => this.#runner.stop(arrivalNo));
  }

  isDropped(turn: Turn, arrivalNo: number): boolean {
    return this.#queue.stored(turn, arrivalNo).dropped;
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
    const run = decodeRun(this.#queue.look(turn, arrivalNo));
    const fence = this.#fences.seen(turn, run.invocationId);
    if (isStopped(run, fence)) {
      this.stopped(turn, run, arrivalNo, recorded);
      return;
    }
    const { agent, node, nodeInvocationId } = run;
    const { deaths } = this.#queue.stored(turn, arrivalNo);
    const attempt = attemptOf(run, fence);
    const failure = { node, nodeInvocationId: formatNodeId(nodeInvocationId), attempt };
    const error = encodeFailure(failure, new PartitaError("NODE_DEADLY", { agent, node, deaths }));
    this.failed(turn, run, { arrivalNo, attempt, error, final: true, recorded, runs: deaths });
  }

  /** Home does not wait for a parked row any more: it becomes a dead letter (P2). */
  giveUp(turn: Turn, { arrivalNo, nodeInvocationId }: GiveUpMessage): void {
    // A power cut may have taken it from a task that does not sync, or only that it failed: then it
    // runs again, and what that comes to is for home to say.
    const isHere = this.#isRowOf(turn, arrivalNo, nodeInvocationId);
    if (!isHere || !this.#isParked(turn, arrivalNo) || this.isDropped(turn, arrivalNo)) return;
    const { attempts, recorded, ...failures } = this.#queue.stored(turn, arrivalNo);
    // A copy: it moves to another table.
    const bytes = this.#queue.take(turn, arrivalNo).slice();
    const run = decodeRun(bytes);
    this.#waits.drop(turn, arrivalNo, run);
    const { agent } = run;
    const newest = failures.failures.at(-1);
    assert(newest !== undefined, () => `row ${arrivalNo} is given up and never failed`);
    const reason = nodeFailureText(decodeFailure(newest));
    const at = this.#port.now();
    const info = { agent, replaying: false, attempts, at, reason, recorded, ...failures };
    if (!this.#letters.add(turn, arrivalNo, info, bytes)) {
      this.#done.forget(turn, run, recorded);
      this.#waits.children.forget(turn, arrivalNo);
    }
    sendUnfinished(turn, this.#port, run);
    turn.afterCommit(() => this.#runner.completed(arrivalNo));
  }

  /** Whether a row is that of a node invocation: a power cut may let a number be given again. */
  #isRowOf(turn: Turn, arrivalNo: number, id: NodeInvocationId): boolean {
    const row = this.#queue.find(turn, arrivalNo);
    return row !== undefined && isSameNode(decodeRun(row).nodeInvocationId, id);
  }

  /** Whether a row has failed, and no later attempt has begun to run it again. */
  #isParked(turn: Turn, arrivalNo: number): boolean {
    const { parkedAttempt } = this.#queue.stored(turn, arrivalNo);
    if (parkedAttempt === undefined) return false;
    const run = decodeRun(this.#queue.look(turn, arrivalNo));
    return attemptOf(run, this.#fences.seen(turn, run.invocationId)) <= parkedAttempt;
  }

  /**
   * Makes it durable that the letter runs again; a notice tells the thread when it does.
   * @throws PartitaError DEAD_LETTER_UNKNOWN, AGENT_UNKNOWN, NODE_UNKNOWN
   */
  replay(turn: Turn, letterNo: number, thread: number): void {
    const { replaying } = this.#letters.info(turn, letterNo);
    const run = decodeRun(this.#letters.run(turn, letterNo));
    declaredNode(this.#agents, run);
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
  revived(turn: Turn, { letterNo, attempt }: RevivedMessage): void {
    // A power cut may have taken it: then its row runs by itself.
    if (!this.#letters.has(turn, letterNo)) return;
    const { failures } = this.#letters.info(turn, letterNo);
    const letter = decodeRun(this.#letters.run(turn, letterNo));
    const run = encodeRun({ ...letter, attempt: attemptBehind(failures, attempt) });
    this.#letters.remove(turn, letterNo);
    const arrivalNo = this.#queue.appendReplayed(turn, run);
    this.#waits.children.move(turn, letterNo, arrivalNo);
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
    this.#waits.children.forget(turn, letterNo);
    this.#done.forget(turn, run, recorded);
  }
}

/**
 * The attempt in which a letter runs again, as its home has said. Where home has forgotten the
 * invocation, or in a power cut an attempt of it, it is the one behind all in which the letter
 * failed, so that what it begins now is not what it had begun in them.
 */
function attemptBehind(failures: readonly Uint8Array[], attempt: number): number {
  const newest = failures.at(-1);
  const failedIn = newest === undefined ? 0 : decodeFailure(newest).attempt;
  return attempt === anyLater || attempt < failedIn ? failedIn + 1 : attempt;
}

/** An ack for a node invocation that has not finished, and that nothing waits for any more. */
export function sendUnfinished(turn: Turn, port: TaskPort, run: RunMessage): void {
  const { invocationId, nodeInvocationId, node, scope, attempt } = run;
  const end = { kind: "unfinished" } as const;
  const task = port.taskId;
  const nothing = { emits: [], gather: "", carry: noBytes, trace: noBytes };
  const record = { node, scope, attempt, task, end, ...nothing };
  const ack = encodeAck({ kind: "ack", invocationId, nodeInvocationId, ...record });
  turn.send(port.ownerOf(placementOf(invocationId)), ack);
}
