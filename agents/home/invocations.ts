// Invocations — the records of a home task: begun, accounted for, ended, and revived.
//
// Owns: what `initiate`, `ack`, `report`, `revive` and `await` do to a record, and whom to tell.
// Leaves to others: rows (invocation-record.ts), forgetting them (retention.ts), what nodes do and
// what becomes of it (execution.ts, failed-nodes.ts), bytes (message.ts, outcome.ts).
//
// Invariants E1, E3 and E4 of execution.ts.

import { PartitaError } from "../../base/errors.js";
import { assert } from "../../base/invariant.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { hashKey } from "../../store/key-hash.js";
import type { AgentDefinition } from "../declare/definition.js";
import { type AckMessage, isDone, recordBytesOf } from "../wire/ack.js";
import { decodeFailure, failureText, nodeFailureText } from "../wire/failure.js";
import {
  entryNodeId,
  type InvocationId,
  invocationName,
  isZeroId,
  noScope,
  placementOf,
} from "../wire/invocation-id.js";
import {
  decodeRecord,
  encodeRecord,
  type InvocationRecord,
  type InvocationState,
  invocationTable,
  outcomeOf,
  withFailure,
} from "./invocation-record.js";
import {
  type AwaitMessage,
  type CollectMessage,
  encodeRun,
  type InitiateMessage,
  laneOf,
  type RunMessage,
} from "../wire/message.js";
import type { MessageBounds } from "../wire/message-bounds.js";
import { encodeNotice, encodeReply } from "../wire/outcome.js";
import { encodePoison, type ReportMessage, type ReviveMessage } from "../wire/poison-message.js";
import { Accounts } from "./accounts.js";
import { Retention } from "./retention.js";
import { Scopes } from "./scopes.js";
import { Streams } from "./streams.js";
import { leavingKey, nodeKey, originKey, treeTable } from "./tree.js";
import { WaitingThreads } from "./waiting-threads.js";

const pending: InvocationState = { kind: "pending" };

export class Invocations {
  readonly streams = new Streams();
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #bounds: MessageBounds;
  readonly #retention: Retention;
  readonly #scopes: Scopes;
  readonly #waiting = new WaitingThreads();
  #createdLast = 0;

  constructor(
    port: TaskPort,
    agents: ReadonlyMap<string, AgentDefinition>,
    bounds: MessageBounds,
    retainedMax: number,
  ) {
    this.#port = port;
    this.#agents = agents;
    this.#bounds = bounds;
    this.#retention = new Retention(port, (agent) => {
      return agents.get(agent)?.maxInvocationsPerTask ?? retainedMax;
    });
    this.#scopes = new Scopes(port, agents, bounds);
  }

  start(): void {
    this.#createdLast = this.#retention.start();
  }

  threadExited(thread: number): void {
    this.#waiting.threadExited(thread);
    this.streams.threadExited(thread);
  }

  /** @throws PartitaError AGENT_UNKNOWN, MESSAGE_TOO_LARGE */
  initiate(turn: Turn, message: InitiateMessage): void {
    const { agent, invocationId, subscribe, carried, key, input } = message;
    const definition = this.#agents.get(agent);
    if (definition === undefined) {
      throw new PartitaError("AGENT_UNKNOWN", { agent, known: [...this.#agents.keys()] });
    }
    this.#assertHome(invocationId);
    const { messageBytesMax } = this.#bounds;
    if (input.length > messageBytesMax) {
      const where = `input of agent "${agent}"`;
      const messageBytes = input.length;
      throw new PartitaError("MESSAGE_TOO_LARGE", { where, messageBytes, messageBytesMax });
    }
    const nodeInvocationId = entryNodeId(invocationId);
    this.#createdLast += 1;
    const record: InvocationRecord = {
      agent,
      createdNo: this.#createdLast,
      outstanding: nodeInvocationId,
      extras: false,
      failures: [],
      failuresLost: 0,
      state: pending,
    };
    turn.put(invocationTable, invocationId, encodeRecord(record), true);
    const { thread } = laneOf(turn);
    // A message that is taken back leaves nothing in memory either. No node can have run before.
    turn.afterCommit(() => {
      this.#retention.began(agent, invocationName(invocationId));
      if (subscribe) this.#waiting.add(thread, invocationId);
    });
    const node = definition.entry.name;
    const run: RunMessage = {
      kind: "run",
      agent,
      invocationId,
      node,
      nodeInvocationId,
      scope: noScope,
      attempt: 0,
      carried,
      key,
      message: input,
    };
    const owner = key === undefined ? this.#port.taskId : this.#port.ownerOf(hashKey(key));
    const bytes = encodeRun(run);
    turn.put(treeTable, originKey(invocationId, nodeInvocationId), bytes, true);
    turn.send(owner, bytes);
  }

  /** A node invocation has ended. `bytes`: the ack, whose last part is kept. */
  settle(turn: Turn, ack: AckMessage, bytes: Uint8Array): void {
    const { invocationId, nodeInvocationId, end } = ack;
    this.#assertHome(invocationId);
    const row = turn.get(invocationTable, invocationId);
    // Forgotten: only a dead letter that is replayed long afterwards comes home to no record.
    if (row === undefined) return;
    if (isDone(end)) {
      turn.put(treeTable, nodeKey(invocationId, nodeInvocationId), recordBytesOf(bytes), true);
    }
    const before = decodeRecord(row);
    const accounts = new Accounts(turn, invocationId, before);
    this.#scopes.settle(accounts, ack);
    accounts.write();
    const failures = [...(end.kind === "failure" ? [end.error] : []), ...accounts.failures];
    const counted = { ...before, outstanding: accounts.outstanding };
    const failed = failures.reduce(withFailure, counted);
    const isLate = before.state.kind !== "pending";
    const record = isLate ? failed : { ...failed, state: stateAfter(failed, end, failures.at(-1)) };
    turn.put(invocationTable, invocationId, encodeRecord(record));
    if (!isLate) this.#tellOutcome(turn, invocationId, record);
    this.streams.nodeEnded(turn, invocationId, nodeInvocationId);
    const isFinished = isZeroId(record.outstanding);
    if (isFinished || record.state.kind === "failed") this.streams.ended(turn, invocationId);
    if (record.state.kind !== "pending" && isFinished) {
      this.#retention.over(turn, record.agent, invocationId);
    }
  }

  /** More rows of a tree that is forgotten are to be deleted. */
  collect(turn: Turn, { invocationId }: CollectMessage): void {
    this.#retention.collect(turn, invocationId);
  }

  /** A node invocation has failed and will be run again. */
  report(turn: Turn, { invocationId, error }: ReportMessage): void {
    this.#assertHome(invocationId);
    const row = turn.get(invocationTable, invocationId);
    if (row === undefined) return;
    turn.put(invocationTable, invocationId, encodeRecord(withFailure(decodeRecord(row), error)));
  }

  /** A dead letter is about to run again: a failed invocation waits for it (E3). */
  revive(turn: Turn, { letterNo, invocationId, nodeInvocationId, scope }: ReviveMessage): void {
    this.#assertHome(invocationId);
    const row = turn.get(invocationTable, invocationId);
    const isLeaving = turn.get(treeTable, leavingKey(invocationId)) !== undefined;
    if (row !== undefined && !isLeaving) {
      const before = decodeRecord(row);
      const state = before.state.kind === "failed" ? pending : before.state;
      const accounts = new Accounts(turn, invocationId, before);
      this.#scopes.revive(accounts, scope, nodeInvocationId);
      accounts.write();
      const { outstanding } = accounts;
      turn.put(invocationTable, invocationId, encodeRecord({ ...before, state, outstanding }));
    }
    const { origin } = turn;
    const task = origin.kind === "task" ? origin.task : this.#port.taskId;
    turn.send(task, encodePoison({ kind: "revived", letterNo }));
  }

  answer(turn: Turn, { agent, invocationId }: AwaitMessage): Uint8Array {
    this.#assertHome(invocationId);
    const row = turn.get(invocationTable, invocationId);
    const record = row === undefined ? undefined : decodeRecord(row);
    if (record === undefined || record.agent !== agent) return encodeReply({ kind: "unknown" });
    const outcome = outcomeOf(record);
    if (outcome !== undefined) return encodeReply({ kind: "ended", outcome });
    this.#waiting.add(laneOf(turn).thread, invocationId);
    return encodeReply({ kind: "pending" });
  }

  #tellOutcome(turn: Turn, invocationId: InvocationId, record: InvocationRecord): void {
    const outcome = outcomeOf(record);
    if (outcome === undefined) return;
    const notice = encodeNotice({ kind: "outcome", invocationId, outcome });
    for (const thread of this.#waiting.take(invocationId)) turn.notify(thread, notice);
  }

  #assertHome(id: InvocationId): void {
    const home = this.#port.ownerOf(placementOf(id));
    const { taskId } = this.#port;
    assert(home === taskId, () => `an invocation of task ${home} reached task ${taskId}`);
  }
}

/** How a pending invocation stands after one of its node invocations has ended (E3). */
function stateAfter(
  record: InvocationRecord,
  end: AckMessage["end"],
  failure: Uint8Array | undefined,
): InvocationState {
  if (end.kind === "result") return end;
  if (failure !== undefined) {
    const reason = nodeFailureText(decodeFailure(failure));
    return { kind: "failed", reason, failuresThen: record.failures.length };
  }
  if (!isZeroId(record.outstanding)) return pending;
  const last = record.failures.at(-1);
  const decoded = last === undefined ? undefined : decodeFailure(last);
  const reason = failureText("Agent completed without result", decoded);
  return { kind: "failed", reason, failuresThen: record.failures.length };
}
