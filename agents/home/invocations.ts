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
import { type AckMessage, accountOf } from "../wire/ack.js";
import { decodeFailure, nodeFailureText } from "../wire/failure.js";
import {
  entryNodeId,
  type InvocationId,
  invocationName,
  noScope,
  placementOf,
  xorOf,
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
  encodeRun,
  type InitiateMessage,
  laneOf,
  type RunMessage,
} from "../wire/message.js";
import type { MessageBounds } from "../wire/message-bounds.js";
import { encodeNotice, encodeReply } from "../wire/outcome.js";
import { encodePoison, type ReportMessage, type ReviveMessage } from "../wire/poison-message.js";
import { Retention } from "./retention.js";

const pending: InvocationState = { kind: "pending" };

export class Invocations {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #bounds: MessageBounds;
  readonly #retention: Retention;
  /** By name of the invocation: threads that wait for its outcome. */
  readonly #waiting = new Map<string, readonly number[]>();
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
    this.#retention = new Retention(retainedMax);
  }

  start(): void {
    this.#createdLast = this.#retention.start(this.#port);
  }

  threadExited(thread: number): void {
    for (const [name, threads] of this.#waiting) {
      const others = threads.filter((other) => other !== thread);
      if (others.length === 0) this.#waiting.delete(name);
      else this.#waiting.set(name, others);
    }
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
      failures: [],
      failuresLost: 0,
      state: pending,
    };
    turn.put(invocationTable, invocationId, encodeRecord(record), true);
    const name = invocationName(invocationId);
    const { thread } = laneOf(turn);
    // A message that is taken back leaves nothing in memory either. No node can have run before.
    turn.afterCommit(() => {
      this.#retention.began(agent, name);
      if (subscribe) this.#wait(thread, name);
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
    turn.send(owner, encodeRun(run));
  }

  settle(turn: Turn, ack: AckMessage): void {
    const { invocationId, end } = ack;
    this.#assertHome(invocationId);
    const row = turn.get(invocationTable, invocationId);
    // Forgotten: it ended long ago, and what of it still ran has come to its end too.
    if (row === undefined) return;
    const before = decodeRecord(row);
    // A result stays: nothing asks for its account any more (E3).
    if (before.state.kind === "result" && end.kind !== "failure") return;
    const isLate = before.state.kind !== "pending";
    const counted = { ...before, outstanding: xorOf(before.outstanding, accountOf(ack)) };
    const failed = end.kind === "failure" ? withFailure(counted, end.error) : counted;
    const record = isLate ? failed : { ...failed, state: stateAfter(failed, end) };
    turn.put(invocationTable, invocationId, encodeRecord(record));
    const outcome = isLate ? undefined : outcomeOf(record);
    if (outcome === undefined) return;
    const name = invocationName(invocationId);
    const notice = encodeNotice({ kind: "outcome", invocationId, outcome });
    for (const thread of this.#waiting.get(name) ?? []) turn.notify(thread, notice);
    this.#waiting.delete(name);
    this.#retention.ended(name);
    this.#retention.collect(turn, record.agent);
  }

  /** A node invocation has failed and will be run again. */
  report(turn: Turn, { invocationId, error }: ReportMessage): void {
    this.#assertHome(invocationId);
    const row = turn.get(invocationTable, invocationId);
    if (row === undefined) return;
    turn.put(invocationTable, invocationId, encodeRecord(withFailure(decodeRecord(row), error)));
  }

  /** A dead letter is about to run again: a failed invocation waits for it (E3). */
  revive(turn: Turn, { letterNo, invocationId, nodeInvocationId }: ReviveMessage): void {
    this.#assertHome(invocationId);
    const row = turn.get(invocationTable, invocationId);
    if (row !== undefined) {
      const before = decodeRecord(row);
      const state = before.state.kind === "failed" ? pending : before.state;
      const outstanding = xorOf(before.outstanding, nodeInvocationId);
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
    this.#wait(laneOf(turn).thread, invocationName(invocationId));
    return encodeReply({ kind: "pending" });
  }

  #wait(thread: number, name: string): void {
    const threads = this.#waiting.get(name) ?? [];
    if (!threads.includes(thread)) this.#waiting.set(name, [...threads, thread]);
  }

  #assertHome(id: InvocationId): void {
    const home = this.#port.ownerOf(placementOf(id));
    const { taskId } = this.#port;
    assert(home === taskId, () => `an invocation of task ${home} reached task ${taskId}`);
  }
}

/** How a pending invocation stands after one of its node invocations has ended (E3). */
function stateAfter(record: InvocationRecord, end: AckMessage["end"]): InvocationState {
  if (end.kind === "result") return end;
  if (end.kind === "failure") {
    const reason = nodeFailureText(decodeFailure(end.error));
    return { kind: "failed", reason, failuresThen: record.failures.length };
  }
  const { high, low } = record.outstanding;
  if (high !== 0 || low !== 0) return pending;
  return { kind: "failed", reason: "Agent completed without result", failuresThen: 0 };
}
