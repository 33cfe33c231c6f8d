// Invocations — the records of a home task: begun, accounted for, ended, and revived.
//
// Owns: what `initiate`, `ack`, `revive` and `await` do to a record. Leaves to others: rows and
// whom to tell (records.ts), failures and what stops (attempts.ts), forgetting (retention.ts), what
// nodes do and what becomes of it (node/), bytes (message.ts, outcome.ts).
//
// Invariants E1, E3 and E4 of execution.ts, and:
//   V1. Each node invocation ends once for the accounts, however often it has run: behind a power
//       cut in a weak mode a second ack can come, and one of a scope that home has forgotten.

import { PartitaError } from "../../base/errors.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import type { AgentDefinition } from "../declare/definition.js";
import {
  type AckMessage,
  decodeNodeRecord,
  encodeAck,
  isDone,
  type NodeRecord,
  recordBytesOf,
  startedOf,
} from "../wire/ack.js";
import {
  type InvocationId,
  isSameNode,
  isZeroId,
  type NodeInvocationId,
  rootNodeId,
} from "../wire/invocation-id.js";
import {
  type FirstFields,
  firstRecord,
  type InvocationRecord,
  type InvocationState,
  outcomeOf,
} from "./invocation-record.js";
import { type AwaitMessage, type InitiateMessage, laneOf } from "../wire/message.js";
import type { MessageBounds } from "../wire/message-bounds.js";
import { encodeReply } from "../wire/outcome.js";
import { anyLater, encodePoison, type ReviveMessage } from "../wire/poison-message.js";
import { Accounts } from "./accounts.js";
import type { Attempts } from "./attempts.js";
import type { Records } from "./records.js";
import { startRoot } from "./roots.js";
import type { Unbalanced } from "./stalls.js";
import { Scopes } from "./scopes.js";
import { firstParts, nodeIn } from "./parts.js";
import { givenUp, givenUpKey, leavingKey, treeTable } from "./tree.js";

const pending: InvocationState = { kind: "pending" };

export class Invocations {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #bounds: MessageBounds;
  readonly #records: Records;
  readonly #attempts: Attempts;
  readonly #scopes: Scopes;

  constructor(
    port: TaskPort,
    agents: ReadonlyMap<string, AgentDefinition>,
    bounds: MessageBounds,
    records: Records,
    attempts: Attempts,
  ) {
    this.#port = port;
    this.#agents = agents;
    this.#bounds = bounds;
    this.#records = records;
    this.#attempts = attempts;
    this.#scopes = new Scopes(port, agents, bounds);
  }

  /** @throws PartitaError AGENT_UNKNOWN, MESSAGE_TOO_LARGE */
  initiate(turn: Turn, message: InitiateMessage): void {
    const { invocationId, subscribe } = message;
    this.begin(turn, message);
    const { thread } = laneOf(turn);
    if (subscribe) turn.afterCommit(() => this.#records.waiting.add(thread, invocationId));
  }

  /** The same for whoever asks. @throws PartitaError AGENT_UNKNOWN, MESSAGE_TOO_LARGE */
  begin(turn: Turn, message: Omit<InitiateMessage, "kind" | "subscribe">): void {
    const { agent, invocationId, carried, key, input } = message;
    const definition = this.#agents.get(agent);
    if (definition === undefined) {
      throw new PartitaError("AGENT_UNKNOWN", { agent, known: [...this.#agents.keys()] });
    }
    const { messageBytesMax } = this.#bounds;
    if (input.length > messageBytesMax) {
      const where = `input of agent "${agent}"`;
      const messageBytes = input.length;
      throw new PartitaError("MESSAGE_TOO_LARGE", { where, messageBytes, messageBytesMax });
    }
    const outstanding = rootNodeId(invocationId, 0);
    const node = definition.entry.name;
    const origin = { agent, invocationId, node, carried, key, message: input };
    const run = startRoot(turn, this.#port, origin, 0);
    const tree = firstParts(turn, invocationId, outstanding, run);
    const given = { agent, outstanding, extras: false, copying: false, ...tree };
    this.create(turn, invocationId, given);
  }

  /** The first record of an invocation. */
  create(turn: Turn, id: InvocationId, given: FirstFields): void {
    const version = this.#attempts.version(turn, given.agent);
    this.#records.create(turn, id, firstRecord(given, version));
  }

  /** A node invocation has ended. `kept`: the bytes of its record. */
  settle(turn: Turn, ack: AckMessage, kept: Uint8Array): void {
    const { invocationId, nodeInvocationId, end } = ack;
    const before = this.#records.read(turn, invocationId);
    // Forgotten: only a dead letter that is replayed long afterwards comes home to no record.
    if (before === undefined) return;
    const known = nodeIn(turn, invocationId, before, nodeInvocationId);
    if (known !== undefined) {
      this.#endedAgain(turn, before, ack, decodeNodeRecord(known));
      return;
    }
    const isFirst = end.kind === "result" && before.state.kind === "pending";
    const record: InvocationRecord = isFirst ? { ...before, state: end } : before;
    const accounts = this.accountsOf(turn, invocationId, record);
    if (!this.#counts(accounts, ack)) return;
    if (isDone(end)) accounts.keep(nodeInvocationId, kept);
    this.#scopes.settle(accounts, ack);
    this.conclude(turn, before, accounts, ack);
    this.#records.streams.nodeEnded(turn, invocationId, nodeInvocationId);
  }

  /**
   * A node invocation has ended before, and a power cut in a weak mode has let it run again. What
   * it came to then stays; what it has emitted beyond that runs, too.
   */
  #endedAgain(turn: Turn, before: InvocationRecord, ack: AckMessage, first: NodeRecord): void {
    const { invocationId, nodeInvocationId, scope, gather } = ack;
    const isKnown = (id: NodeInvocationId): boolean =>
      first.emits.some((emit) => emit.task !== undefined && isSameNode(emit.id, id));
    const further = ack.emits.filter(({ id, task }) => task !== undefined && !isKnown(id));
    if (further.length === 0) return;
    const accounts = this.accountsOf(turn, invocationId, before);
    this.#scopes.reopen(accounts, gather === "" ? scope : nodeInvocationId, startedOf(further));
    const all = { ...first, emits: [...first.emits, ...further] };
    const bytes = encodeAck({ kind: "ack", invocationId, nodeInvocationId, ...all });
    // Without it they run as well; only nobody would look for one that is lost.
    const hasRoom = bytes.length <= this.#port.rowBytesMax;
    if (hasRoom) accounts.keep(nodeInvocationId, recordBytesOf(bytes));
    this.conclude(turn, before, accounts);
  }

  /** Whether an ack changes anything; one that was given up may have run again and finished. */
  #counts(accounts: Accounts, { nodeInvocationId: node, scope, end }: AckMessage): boolean {
    const { turn, invocationId, record } = accounts;
    if (!accounts.has(scope)) return false;
    if (!record.extras) return true;
    const key = givenUpKey(invocationId, node);
    if (turn.get(treeTable, key)?.[0] !== givenUp.waits) return true;
    if (!isDone(end)) return false;
    this.#scopes.revive(accounts, scope, node);
    turn.put(treeTable, key, Uint8Array.of(givenUp.runs));
    return true;
  }

  /**
   * Nothing of an invocation runs: what its accounts count has been lost, or was never begun. Of
   * several that are off the innermost is set right; the next look finds the others.
   */
  balance(turn: Turn, { invocationId, scopes }: Unbalanced): void {
    const before = this.#records.read(turn, invocationId);
    if (before === undefined) return;
    const accounts = this.accountsOf(turn, invocationId, before);
    this.#scopes.balance(accounts, scopes);
    this.conclude(turn, before, accounts);
  }

  /** Something of a scope has ended that no ack tells of. */
  leave(accounts: Accounts, scope: NodeInvocationId, xor: NodeInvocationId): void {
    this.#scopes.leave(accounts, scope, xor);
  }

  /** Writes what has changed in accounts, and what follows from that. */
  conclude(turn: Turn, before: InvocationRecord, accounts: Accounts, ack?: AckMessage): void {
    const { invocationId } = accounts;
    accounts.write();
    const record = ack === undefined ? accounts.record : this.#counted(turn, ack, accounts.record);
    const isSettled = isZeroId(record.outstanding) && !isZeroId(before.outstanding);
    const after = isSettled ? this.#attempts.settled(turn, invocationId, record) : record;
    this.#records.write(turn, invocationId, before, after);
  }

  /** Notes what has ended and not finished: nobody looks for it any more (stalls.ts). */
  #counted(turn: Turn, ack: AckMessage, record: InvocationRecord): InvocationRecord {
    if (isDone(ack.end)) return record;
    const key = givenUpKey(ack.invocationId, ack.nodeInvocationId);
    turn.put(treeTable, key, Uint8Array.of(givenUp.waits));
    return { ...record, extras: true };
  }

  /** More rows of a tree that is forgotten are to be deleted. */
  collect(turn: Turn): void {
    this.#records.retention.collect(turn);
  }

  /** A dead letter is about to run again: a failed invocation waits for it (E3). */
  revive(turn: Turn, { letterNo, invocationId, nodeInvocationId, scope }: ReviveMessage): void {
    const before = this.#records.read(turn, invocationId);
    const isLeaving = turn.get(treeTable, leavingKey(invocationId)) !== undefined;
    let attempt: number = anyLater;
    if (before !== undefined && !isLeaving) {
      // When nothing else runs, what begins now is behind all fences that are still being lifted.
      attempt = isZeroId(before.outstanding) ? before.attempt + 1 : before.attempt;
      const state = before.state.kind === "failed" ? pending : before.state;
      const revived = { ...before, state, attempt, retries: 0 };
      const accounts = this.accountsOf(turn, invocationId, revived);
      this.#scopes.revive(accounts, scope, nodeInvocationId);
      accounts.write();
      const given = givenUpKey(invocationId, nodeInvocationId);
      turn.put(treeTable, given, Uint8Array.of(givenUp.runs));
      const record = { ...accounts.record, extras: true };
      const isNew = attempt > before.attempt;
      const after = isNew ? this.#attempts.begun(turn, record, attempt) : record;
      this.#records.write(turn, invocationId, before, after);
    }
    const { origin } = turn;
    const task = origin.kind === "task" ? origin.task : this.#port.taskId;
    turn.send(task, encodePoison({ kind: "revived", letterNo, attempt }));
  }

  /** Accounts that are to be concluded. */
  accountsOf(turn: Turn, id: InvocationId, record: InvocationRecord): Accounts {
    return new Accounts(turn, id, record, (failed, error) => {
      return this.#attempts.judge(turn, id, failed, error);
    });
  }

  answer(turn: Turn, { agent, invocationId, subscribe }: AwaitMessage): Uint8Array {
    const record = this.#records.read(turn, invocationId);
    if (record === undefined || record.agent !== agent) return encodeReply({ kind: "unknown" });
    const outcome = outcomeOf(record);
    if (outcome !== undefined) return encodeReply({ kind: "ended", outcome });
    if (subscribe) this.#records.waiting.add(laneOf(turn).thread, invocationId);
    return encodeReply({ kind: "pending" });
  }
}
