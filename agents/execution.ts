// Execution — what a task does with the messages of agents: it begins, runs, accounts, and ends.
//
// An invocation in five messages. `initiate` writes its record at home and sends `run` for the
// entry node; `run` puts a row into the queue of the task that is to run the node; when the
// function has returned, `completed` removes the row, sends a `run` for each emit and an `ack`
// home, all in one frame; `ack` settles the account of the record and ends it; `await` asks how
// it stands.
// Owns: these five steps, and whom to tell. Leaves to others: rows (invocation-record.ts,
// node-queue.ts), running functions (node-runner.ts), forgetting (retention.ts), bytes
// (message.ts, outcome.ts).
//
// Invariants:
//   E1. Everything that can be refused is refused before the first row is written.
//   E2. The completion of a node invocation is one frame: its row goes, its emits and its ack
//       leave.
//   E3. The first outcome of an invocation stays: a result, or a failure, or that all of its node
//       invocations have ended without either.
//   E4. What a task remembers beside its rows (whom to tell, order of records, gates) is rebuilt
//       from them by `start`, or is asked for again by the clients.

import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { operationId } from "../runtime/operation-id.js";
import type {
  MessageOrigin,
  ProgramEntry,
  TaskPort,
  TaskProgram,
  TaskProgramFactory,
  Turn,
} from "../runtime/task-program.js";
import { hashKey } from "../store/key-hash.js";
import { type AgentDefinition, definitionOf } from "./definition.js";
import { decodeFailure, failureText } from "./failure.js";
import {
  childNodeId,
  entryNodeId,
  type InvocationId,
  invocationName,
  type NodeInvocationId,
  operationPrefix,
  placementOf,
} from "./invocation-id.js";
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
  type AckMessage,
  type AwaitMessage,
  type CompletedMessage,
  decodeAgentMessage,
  decodeRun,
  encodeAck,
  encodeForget,
  encodeRun,
  type InitiateMessage,
  type RunMessage,
} from "./message.js";
import { type MessageBounds, messageBounds } from "./message-bounds.js";
import { NodeQueue } from "./node-queue.js";
import { NodeRunner, type RunnerBounds, runnerBoundsDefault } from "./node-runner.js";
import { encodeNotice, encodeReply } from "./outcome.js";
import { PlainRound } from "./plain-round.js";
import { Retention } from "./retention.js";

/** Bounds of an agent program; tests make them small. */
export interface ProgramBounds extends RunnerBounds {
  /** Records that are kept of each agent on each task, beside pending ones. */
  readonly invocationsRetainedMax: number;
}

/** The factory of programs that run agents. */
export function agentProgram(bounds: Partial<ProgramBounds> = {}): TaskProgramFactory {
  return (port, entries) => {
    const { rowBytesMax } = port;
    return new AgentProgram(port, entries, { ...boundsDefault, rowBytesMax, ...bounds });
  };
}

const boundsDefault: ProgramBounds = {
  ...runnerBoundsDefault,
  invocationsRetainedMax: limits.invocationsRetainedMax,
};

const pending: InvocationState = { kind: "pending" };

class AgentProgram implements TaskProgram {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #queue: NodeQueue;
  readonly #runner: NodeRunner;
  readonly #retention: Retention;
  readonly #messageBounds: MessageBounds;
  /** By name of the invocation: threads that wait for its outcome. */
  readonly #waiting = new Map<string, readonly number[]>();
  #createdLast = 0;

  constructor(port: TaskPort, entries: ReadonlyMap<string, ProgramEntry>, bounds: ProgramBounds) {
    this.#port = port;
    this.#agents = new Map(Array.from(entries, ([name, entry]) => [name, definitionOf(entry)]));
    this.#queue = new NodeQueue(port);
    this.#runner = new NodeRunner(port, this.#agents, this.#queue, bounds);
    this.#retention = new Retention(bounds.invocationsRetainedMax);
    this.#messageBounds = messageBounds(bounds.rowBytesMax);
  }

  get running(): number {
    return this.#runner.running;
  }

  start(): void {
    this.#createdLast = this.#retention.start(this.#port);
    this.#queue.start((arrivalNo, run) => this.#runner.enqueue(arrivalNo, run));
    this.#runner.begin();
  }

  abort(reason: unknown): void {
    this.#runner.abort(reason);
  }

  threadExited(thread: number): void {
    for (const [name, threads] of this.#waiting) {
      const others = threads.filter((other) => other !== thread);
      if (others.length === 0) this.#waiting.delete(name);
      else this.#waiting.set(name, others);
    }
  }

  apply(turn: Turn, bytes: Uint8Array): Uint8Array | undefined {
    const message = decodeAgentMessage(bytes);
    switch (message.kind) {
      case "initiate":
        this.#initiate(turn, message);
        return undefined;
      case "run":
        this.#accept(turn, message, bytes);
        return undefined;
      case "completed":
        this.#complete(turn, message);
        return undefined;
      case "ack":
        this.#settle(turn, message);
        return undefined;
      case "await":
        return this.#answer(turn, message);
      case "forget":
        for (const index of message.indexes) {
          turn.forgetOperation(operationId(message.prefix, index));
        }
        return undefined;
    }
  }

  #initiate(turn: Turn, message: InitiateMessage): void {
    const { agent, invocationId, subscribe, key, input } = message;
    const definition = this.#agents.get(agent);
    if (definition === undefined) {
      throw new PartitaError("AGENT_UNKNOWN", { agent, known: [...this.#agents.keys()] });
    }
    this.#assertHome(invocationId);
    const { messageBytesMax } = this.#messageBounds;
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
      key,
      message: input,
    };
    turn.send(this.#ownerOf(key) ?? this.#port.taskId, encodeRun(run));
  }

  #accept(turn: Turn, run: RunMessage, bytes: Uint8Array): void {
    const owner = this.#ownerOf(run.key) ?? this.#port.taskId;
    const { taskId } = this.#port;
    assert(owner === taskId, () => `a key of task ${owner} reached task ${taskId}`);
    const arrivalNo = this.#queue.append(turn, bytes);
    // Bytes of another task are part of a packet, which a row that waits must not keep.
    const kept = turn.origin.kind === "task" ? decodeRun(bytes.slice()) : run;
    turn.afterCommit(() => this.#runner.enqueue(arrivalNo, kept));
  }

  #complete(turn: Turn, message: CompletedMessage): void {
    const { arrivalNo, emits, end, recorded } = message;
    const taken = this.#queue.take(turn, arrivalNo);
    const { agent, invocationId, nodeInvocationId } = taken;
    const round = new PlainRound(this.#port);
    let xor = nodeInvocationId;
    for (const [index, { node, key, message: emitted }] of emits.entries()) {
      const child = childNodeId(nodeInvocationId, index);
      xor = xorOf(xor, child);
      const run: RunMessage = {
        kind: "run",
        agent,
        invocationId,
        node,
        nodeInvocationId: child,
        key,
        message: emitted,
      };
      turn.send(this.#ownerOf(key) ?? round.next(), encodeRun(run));
    }
    const home = this.#port.ownerOf(placementOf(invocationId));
    turn.send(home, encodeAck({ kind: "ack", invocationId, xor, end }));
    const prefix = operationPrefix(taken);
    for (const { task, indexes } of recorded) {
      turn.send(task, encodeForget({ kind: "forget", prefix, indexes }));
    }
    turn.afterCommit(() => this.#runner.completed(arrivalNo));
  }

  #settle(turn: Turn, { invocationId, xor, end }: AckMessage): void {
    this.#assertHome(invocationId);
    const row = turn.get(invocationTable, invocationId);
    // Forgotten: it ended long ago, and what of it still ran has come to its end too.
    if (row === undefined) return;
    const before = decodeRecord(row);
    const isLate = before.state.kind !== "pending";
    if (isLate && end.kind !== "failure") return;
    const counted = { ...before, outstanding: xorOf(before.outstanding, xor) };
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

  #answer(turn: Turn, { agent, invocationId }: AwaitMessage): Uint8Array {
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

  #ownerOf(key: Uint8Array | undefined): number | undefined {
    return key === undefined ? undefined : this.#port.ownerOf(hashKey(key));
  }

  #assertHome(id: InvocationId): void {
    const home = this.#port.ownerOf(placementOf(id));
    const { taskId } = this.#port;
    assert(home === taskId, () => `an invocation of task ${home} reached task ${taskId}`);
  }
}

/** Who sent a message that only clients send. */
function laneOf(turn: Turn): MessageOrigin & { readonly kind: "lane" } {
  const { origin } = turn;
  assert(origin.kind === "lane", "only clients begin invocations and wait for them");
  return origin;
}

/** How a pending invocation stands after one of its node invocations has ended (E3). */
function stateAfter(record: InvocationRecord, end: AckMessage["end"]): InvocationState {
  if (end.kind === "result") return end;
  if (end.kind === "failure") {
    const last = decodeFailure(end.error);
    const reason = failureText(`Node "${last.node}" failed`, last);
    return { kind: "failed", reason, failuresThen: record.failures.length };
  }
  const { high, low } = record.outstanding;
  if (high !== 0 || low !== 0) return pending;
  return { kind: "failed", reason: "Agent completed without result", failuresThen: 0 };
}

function xorOf(a: NodeInvocationId, b: NodeInvocationId): NodeInvocationId {
  return { high: (a.high ^ b.high) >>> 0, low: (a.low ^ b.low) >>> 0 };
}
