// Attempts — what follows at home when a node invocation of an invocation has failed, when it is to
// stop, and when nothing of it runs any more.
//
//   failed ──► a fence to all tasks: the next attempt
//      ├─────► giveUp to the task of the row, and the invocation has failed
//      └─────► of what counts no more: the fence once more to that task, or drop
//   cancel ──► a fence with a stop to all tasks; told when nothing runs any more
//   missing ─► as failed, and what was lost is sent again
//   update ──► the same as cancel, for invocations that a changed graph restarts or drops
//   settled ─► lift to all tasks, when there were fences
//
// Owns: these decisions. Leaves to others: records (records.ts), what fences do to rows
// (node/node-runner.ts), how many retries there are (the agent's declaration), what a changed graph
// means (updates.ts).
//
// Invariants:
//   T1. Of several failures of one attempt one causes a retry; a failure of an attempt that is not
//       the current one is noted, and changes nothing else.
//   T2. There is no retry after the invocation has ended, or once it is to stop.
//   T3. Fences are lifted when nothing runs any more, and what begins afterwards belongs to a later
//       attempt than they were about.
//   T4. A stop is told once to each thread, and to each row of a task, that asked for it, when
//       nothing runs any more.
//   T5. Every row that has failed, or asks in vain, is told what follows, each time that it says
//       so. What it was told before may be gone: a power cut in a weak mode can take fences from
//       its task, and from this one that they were sent, or lifted, or that it has run before.

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import type { AgentDefinition } from "../declare/definition.js";
import {
  type CancelMessage,
  encodeAttempt,
  type FailedMessage,
  type FenceMessage,
  type StopReason,
} from "../wire/attempt-message.js";
import { decodeFailure, encodeFailure, failureText, nodeFailureText } from "../wire/failure.js";
import {
  formatInvocationId,
  formatNodeId,
  type InvocationId,
  isZeroId,
  rootNodeId,
} from "../wire/invocation-id.js";
import { encodeRun } from "../wire/message.js";
import { encodeNotice, encodeStanding } from "../wire/outcome.js";
import type { MissingMessage } from "../wire/stall-message.js";
import { sendUnfinished } from "../node/failed-nodes.js";
import { type InvocationRecord, type Stop, withFailure } from "./invocation-record.js";
import type { Records } from "./records.js";
import { restartRoot } from "./roots.js";
import type { Stalls } from "./stalls.js";
import { nodeOf } from "./parts.js";
import { givenUpKey, originKey, treeTable } from "./tree.js";
import type { Updates } from "./updates.js";
import { WaitingThreads } from "./waiting-threads.js";

/**
 * What follows from a failure: the record behind it, and whether another attempt has begun, or one
 * from the root will, or nothing more is tried.
 */
export interface Judgement {
  readonly record: InvocationRecord;
  readonly next: "attempt" | "restart" | "nothing";
}

/** A row of a task that has failed, or asks. */
interface RecalledRow extends Pick<FailedMessage, "invocationId" | "nodeInvocationId"> {
  readonly task: number;
  readonly arrivalNo: number;
  readonly attempt: number;
  /** Why it has failed. */
  readonly error?: Uint8Array;
}

export class Attempts {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #records: Records;
  readonly #updates: Updates;
  readonly #stalls: Stalls;
  /** Threads that wait until nothing of an invocation runs any more. */
  readonly #stopping = new WaitingThreads();

  constructor(
    port: TaskPort,
    agents: ReadonlyMap<string, AgentDefinition>,
    records: Records,
    updates: Updates,
    stalls: Stalls,
  ) {
    this.#port = port;
    this.#agents = agents;
    this.#records = records;
    this.#updates = updates;
    this.#stalls = stalls;
  }

  threadExited(thread: number): void {
    this.#stopping.threadExited(thread);
  }

  /** The version of the graph in which an invocation of an agent begins. */
  version(turn: Turn, agent: string): number {
    const { versions } = this.#updates;
    versions.record(turn, agent);
    return versions.current(agent) ?? 0;
  }

  /** @throws PartitaError FORK_OUTDATED when the graph of its agent has changed since */
  assertCurrent(invocationId: InvocationId, { agent, version }: InvocationRecord): void {
    const current = this.#updates.versions.current(agent);
    if (current === version) return;
    const id = formatInvocationId(invocationId);
    throw new PartitaError("FORK_OUTDATED", {
      agent,
      invocationId: id,
      version,
      current: current ?? 0,
    });
  }

  /** A record whose next attempt begins now, with the graph that the agent has by now. */
  begun(turn: Turn, record: InvocationRecord, attempt: number): InvocationRecord {
    const { versions } = this.#updates;
    versions.record(turn, record.agent);
    return { ...record, attempt, version: versions.current(record.agent) ?? record.version };
  }

  /** A node invocation has failed, and its row waits for the word of its home (T1, T2, T5). */
  failed(turn: Turn, message: FailedMessage): void {
    const { invocationId, nodeInvocationId, arrivalNo, attempt, final, error } = message;
    const before = this.#records.read(turn, invocationId);
    const task = this.#sender(turn);
    const giveUp = encodeAttempt({ kind: "giveUp", arrivalNo, nodeInvocationId });
    if (before === undefined) {
      turn.send(task, giveUp);
      return;
    }
    if (this.recall(turn, before, { ...message, task })) return;
    // Home may have forgotten what it told that task: the next attempt is beyond both.
    const counted = { ...before, attempt: Math.max(before.attempt, attempt) };
    const { record, next } = this.judge(turn, invocationId, counted, error, final);
    if (next === "nothing") turn.send(task, giveUp);
    this.#records.write(turn, invocationId, before, record);
  }

  /**
   * Tells the task of a row that has failed, or asks, what it must do instead; false when that
   * counts, and home has to say what follows (T5). `before`: the record; nothing when it is gone.
   */
  recall(turn: Turn, before: InvocationRecord | undefined, row: RecalledRow): boolean {
    const { invocationId, nodeInvocationId, arrivalNo, attempt, task, error } = row;
    if (before === undefined || this.#isLeftOver(turn, before, row)) {
      turn.send(task, encodeAttempt({ kind: "drop", arrivalNo, nodeInvocationId }));
      return true;
    }
    if (attempt >= before.attempt && before.stop === undefined) return false;
    const stop = before.stop && stopReason(before.stop);
    const fence = { invocationId, attempt: before.attempt, stop, pauseMs: 0 };
    turn.send(task, encodeAttempt({ kind: "fence", ...fence }));
    const noted = error === undefined ? before : withFailure(before, error);
    this.#records.write(turn, invocationId, before, { ...noted, isFenced: true });
    return true;
  }

  /** Whether a node invocation has finished, or nothing is outstanding: nobody waits for it. */
  #isLeftOver(
    turn: Turn,
    { outstanding, state }: InvocationRecord,
    { invocationId, nodeInvocationId, error }: RecalledRow,
  ): boolean {
    if (nodeOf(turn, invocationId, nodeInvocationId) !== undefined) return true;
    if (!isZeroId(outstanding)) return false;
    // Given up, which its task has forgotten: it becomes a dead letter again, when it fails.
    if (state.kind === "cancelled" || error === undefined) return true;
    return turn.get(treeTable, givenUpKey(invocationId, nodeInvocationId)) === undefined;
  }

  /** What follows from a failure of the current attempt, and the record behind it (T2). */
  judge(
    turn: Turn,
    id: InvocationId,
    before: InvocationRecord,
    error: Uint8Array,
    final = false,
  ): Judgement {
    // What is to stop has failed or will begin again: this changes nothing of it.
    if (before.stop !== undefined) return { record: withFailure(before, error), next: "nothing" };
    if (before.state.kind !== "pending" || final || !this.#hasRetries(before)) {
      return { record: failedWith(before, error), next: "nothing" };
    }
    const noted = withFailure(before, error);
    switch (this.#updates.verdict(before)) {
      case "continue":
        return { record: this.#retried(turn, id, noted), next: "attempt" };
      case "restart": {
        const counted = { ...noted, retries: noted.retries + 1 };
        return { record: this.#stopped(turn, id, counted, "restart"), next: "restart" };
      }
      case "drop":
        return { record: this.#dropped(noted), next: "nothing" };
    }
  }

  /** A node invocation is lost: it is sent again, which costs a retry; or nobody waits for it. */
  missing(turn: Turn, message: MissingMessage): void {
    const { invocationId, attempt } = message;
    const before = this.#records.read(turn, invocationId);
    const lost = before && this.#stalls.lost(turn, message, before.rootAttempt);
    if (before === undefined || lost === undefined) return;
    if (before.state.kind !== "pending" || before.stop !== undefined) {
      sendUnfinished(turn, this.#port, lost.run);
      return;
    }
    const { agent, node, nodeInvocationId } = lost.run;
    const failure = { node, nodeInvocationId: formatNodeId(nodeInvocationId), attempt };
    const error = encodeFailure(failure, new PartitaError("NODE_LOST", { agent, node }));
    // Several that are lost in one attempt cost one retry.
    const isPaid = attempt < before.attempt;
    const { record, next } = isPaid
      ? { record: withFailure(before, error), next: "attempt" }
      : this.judge(turn, invocationId, before, error);
    if (next === "attempt") {
      const bytes = encodeRun({ ...lost.run, attempt: record.attempt });
      turn.put(treeTable, originKey(invocationId, nodeInvocationId), bytes);
      turn.send(lost.task, bytes);
    } else sendUnfinished(turn, this.#port, lost.run);
    this.#records.write(turn, invocationId, before, { ...record, extras: true });
  }

  /** The graphs of agents have changed: invocations that were under way are judged. */
  update(turn: Turn): void {
    for (const id of this.#updates.next(turn)) {
      const before = this.#records.read(turn, id);
      if (before?.state.kind !== "pending" || before.stop !== undefined) continue;
      const verdict = this.#updates.verdict(before);
      if (verdict === "continue") continue;
      const judged = verdict === "drop" ? this.#dropped(before) : before;
      this.#records.write(turn, id, before, this.#stopped(turn, id, judged, verdict));
    }
  }

  /**
   * Stops an invocation: replies how it stands, and a notice follows when nothing runs any more.
   */
  cancel(turn: Turn, { agent, invocationId, by }: CancelMessage): Uint8Array {
    const before = this.#records.read(turn, invocationId);
    const { questions } = this.#records;
    const isKnown = before !== undefined && before.agent === agent;
    if (!isKnown || isZeroId(before.outstanding)) {
      if (by !== undefined) questions.tellStopped(turn, invocationId, by);
      return encodeStanding(isKnown ? "stopped" : "unknown");
    }
    if (by !== undefined) questions.attachStopping(turn, invocationId, by);
    if (turn.origin.kind === "lane") this.#stopping.add(turn.origin.thread, invocationId);
    if (before.stop === "cancel") return encodeStanding("stopping");
    const isPending = before.state.kind === "pending";
    const ended: InvocationRecord = isPending
      ? { ...before, state: { kind: "cancelled" } }
      : before;
    const after = this.#stopped(turn, invocationId, ended, "cancel");
    this.#records.write(turn, invocationId, before, after);
    return encodeStanding("stopping");
  }

  /** Nothing of an invocation runs any more: its record as it goes on from there (T3, T4). */
  settled(turn: Turn, invocationId: InvocationId, record: InvocationRecord): InvocationRecord {
    if (record.stop === "restart" && record.state.kind === "pending") {
      return this.#restarted(turn, invocationId, record);
    }
    return this.#ended(turn, invocationId, record);
  }

  #ended(turn: Turn, invocationId: InvocationId, record: InvocationRecord): InvocationRecord {
    const notice = encodeNotice({ kind: "stopped", invocationId });
    for (const thread of this.#stopping.take(invocationId)) turn.notify(thread, notice);
    if (record.stop === "cancel") this.#records.questions.stopped(turn, invocationId);
    const isPending = record.state.kind === "pending";
    const ended = isPending ? failedFor(record, "Agent completed without result") : record;
    if (!ended.isFenced) return ended;
    this.#toAll(turn, encodeAttempt({ kind: "lift", invocationId, attempt: record.attempt }));
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
    const next = this.begun(turn, record, attempt);
    return { ...next, retries: record.retries + 1, isFenced: true };
  }

  #stopped(
    turn: Turn,
    invocationId: InvocationId,
    record: InvocationRecord,
    stop: Stop,
  ): InvocationRecord {
    const { attempt } = record;
    this.#fence(turn, { invocationId, attempt, stop: stopReason(stop), pauseMs: 0 });
    return { ...record, stop, isFenced: true };
  }

  /** Begins again from the root, when nothing runs any more of what was before (T3). */
  #restarted(turn: Turn, id: InvocationId, record: InvocationRecord): InvocationRecord {
    const { agent } = record;
    const definition = this.#agents.get(agent);
    const attempt = record.attempt + 1;
    try {
      if (definition === undefined) {
        throw new PartitaError("AGENT_UNKNOWN", { agent, known: [...this.#agents.keys()] });
      }
      restartRoot(turn, this.#port, definition, id, attempt);
    } catch (error) {
      const reason = `Retry dropped (${error instanceof Error ? error.message : String(error)})`;
      return this.#ended(turn, id, failedFor(record, reason));
    }
    this.#toAll(turn, encodeAttempt({ kind: "lift", invocationId: id, attempt: record.attempt }));
    this.#records.questions.closeOlder(turn, id, attempt);
    const outstanding = rootNodeId(id, attempt);
    const next = this.begun(turn, { ...record, outstanding, rootAttempt: attempt }, attempt);
    // What was before stays in the tree, and nothing leads to it.
    return { ...next, extras: true, isFenced: false, stop: undefined };
  }

  #dropped(record: InvocationRecord): InvocationRecord {
    const { agent, version } = record;
    const changes = this.#updates.changes(agent, version);
    const times = changes === 1 ? "once" : `${changes} times`;
    const since = `the graph of agent "${agent}" has changed ${times} since the attempt began`;
    return failedFor(record, `Retry dropped (${since})`);
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

function stopReason(stop: Stop): StopReason {
  return stop === "cancel" ? "cancelled" : "retried";
}

/** A record with a failure that no retry follows: a pending invocation has failed with it. */
function failedWith(record: InvocationRecord, error: Uint8Array): InvocationRecord {
  const noted = withFailure(record, error);
  if (record.state.kind !== "pending") return noted;
  const reason = nodeFailureText(decodeFailure(error));
  return { ...noted, state: { kind: "failed", reason, failuresThen: noted.failures.length } };
}

/** A record that has failed for a reason beside the failures of its nodes. */
function failedFor(record: InvocationRecord, why: string): InvocationRecord {
  const { failures } = record;
  const last = failures.at(-1);
  const reason = failureText(why, last === undefined ? undefined : decodeFailure(last));
  return { ...record, state: { kind: "failed", reason, failuresThen: failures.length } };
}
