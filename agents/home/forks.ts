// Forks — invocations that are made from others: what is copied, what runs again, in which steps.
//
//   fork ──► a record and the changes, durable ──► walk ──► inputs ──► runs
//                                                  copies    of scopes   what is to run is sent
//
// Owns: accepting forks, the order of the steps, and who is whose. Leaves to others: a step of the
// copy (fork-copy.ts), rows (fork-rows.ts), what clients check (client/fork-client.ts).
//
// Invariants:
//   K1. A fork that was accepted is made, whatever dies: each step is a frame, and a start goes on
//       with the next.
//   K2. Nothing of a fork runs before all that it has of its parent is copied.
//   K3. A parent is not forgotten while it is copied: a token is in its account until then.

import { PartitaError } from "../../base/errors.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { encodeCarried } from "../wire/carried.js";
import {
  encodeForkMessage,
  encodeKin,
  type ForkFamilyMessage,
  type ForkMessage,
  type KinMessage,
} from "../wire/fork-message.js";
import {
  formatInvocationId,
  type InvocationId,
  isZeroId,
  type NodeInvocationId,
  noScope,
  rootNodeId,
  xorOf,
} from "../wire/invocation-id.js";
import { encodeRun, laneOf } from "../wire/message.js";
import type { MessageBounds } from "../wire/message-bounds.js";
import { noBytes } from "../wire/wire-field.js";
import type { Attempts } from "./attempts.js";
import { ForkCopy } from "./fork-copy.js";
import { addFork, decodeRunRow, forksOf, lastIdOf, readJob, writeJob } from "./fork-rows.js";
import type { InvocationRecord } from "./invocation-record.js";
import type { Invocations } from "./invocations.js";
import { metadataOf } from "./metadata.js";
import type { Records } from "./records.js";
import { standingOf } from "./standing.js";
import {
  forkJobKey,
  forkParentKey,
  forkPartKey,
  forkPartRange,
  leavingKey,
  treeTable,
} from "./tree.js";

/** Messages that one step sends. */
const runsMax = 64;

export class Forks {
  readonly #port: TaskPort;
  readonly #bounds: MessageBounds;
  readonly #records: Records;
  readonly #attempts: Attempts;
  readonly #invocations: Invocations;

  constructor(
    port: TaskPort,
    bounds: MessageBounds,
    records: Records,
    attempts: Attempts,
    invocations: Invocations,
  ) {
    this.#port = port;
    this.#bounds = bounds;
    this.#records = records;
    this.#attempts = attempts;
    this.#invocations = invocations;
  }

  /** A record that is found at the start. */
  found(id: InvocationId, { copying }: InvocationRecord): void {
    if (copying) this.#submitStep(id);
  }

  apply(turn: Turn, message: ForkFamilyMessage): Uint8Array | undefined {
    switch (message.kind) {
      case "fork":
        this.#fork(turn, message);
        return undefined;
      case "forkStep":
        this.#step(turn, message.invocationId);
        return undefined;
      case "kin":
        return kinOf(turn, message);
    }
  }

  /** @throws PartitaError INVOCATION_UNKNOWN, FORK_OUTDATED, MESSAGE_TOO_LARGE */
  #fork(turn: Turn, message: ForkMessage): void {
    const { agent, parent, invocationId: id, changes } = message;
    laneOf(turn);
    const before = this.#records.read(turn, parent);
    const isLeaving = turn.get(treeTable, leavingKey(parent)) !== undefined;
    if (before === undefined || before.agent !== agent || isLeaving) {
      throw new PartitaError("INVOCATION_UNKNOWN", {
        agent,
        invocationId: formatInvocationId(parent),
      });
    }
    this.#attempts.assertCurrent(parent, before);
    const { messageBytesMax } = this.#bounds;
    for (const { node, message: changed } of changes) {
      if (changed.length <= messageBytesMax) continue;
      const where = `message of the fork to node "${node}"`;
      const details = { where, messageBytes: changed.length, messageBytesMax };
      throw new PartitaError("MESSAGE_TOO_LARGE", details);
    }
    const metadata = metadataOf(turn, parent);
    const carried = encodeCarried({ metadata, callers: [], isCut: false });
    const root = rootNodeId(id, 0);
    const tree = { parts: noBytes, isSpread: true, extras: true };
    this.#invocations.create(turn, id, { agent, outstanding: root, copying: true, ...tree });
    for (const change of changes) {
      const { id: nodeInvocationId, ...given } = change;
      const ids = { invocationId: id, nodeInvocationId, scope: noScope, attempt: 0 };
      const row = encodeRun({ kind: "run", agent, carried: noBytes, ...ids, ...given });
      turn.put(treeTable, forkPartKey(id, "change", nodeInvocationId), row);
    }
    turn.put(treeTable, forkParentKey(id), parent);
    addFork(turn, parent, id);
    this.#hold(turn, parent, before, root);
    const created = this.#records.read(turn, id);
    if (created === undefined) return;
    const accounts = this.#invocations.accountsOf(turn, id, created);
    const job = { parent, phase: "walk", result: undefined, carried } as const;
    const copy = new ForkCopy(this.#port, accounts, job, undefined);
    copy.begin(rootNodeId(parent, before.rootAttempt), root);
    writeJob(turn, id, copy.job);
    turn.afterCommit(() => this.#submitStep(id));
  }

  /**
   * A parent is not over while it is copied (K3). Was it before, its attempt is behind all fences
   * that are still being lifted, as if it had been revived: a dead letter may be replayed while it
   * is copied.
   */
  #hold(turn: Turn, parent: InvocationId, before: InvocationRecord, token: NodeInvocationId): void {
    const attempt = isZeroId(before.outstanding) ? before.attempt + 1 : before.attempt;
    const outstanding = xorOf(before.outstanding, token);
    this.#records.write(turn, parent, before, { ...before, attempt, outstanding, extras: true });
  }

  #step(turn: Turn, id: InvocationId): void {
    const before = this.#records.read(turn, id);
    const job = readJob(turn, id);
    // Over, and forgotten since.
    if (before === undefined || !before.copying || job === undefined) return;
    if (job.phase === "runs") {
      this.#sendRuns(turn, id, before);
      return;
    }
    if (before.stop !== undefined) {
      this.#release(turn, job.parent, id);
      this.#conclude(turn, id, before, { outstanding: noScope, copying: false });
      return;
    }
    const accounts = this.#invocations.accountsOf(turn, id, before);
    const parent = this.#records.read(turn, job.parent);
    const result = parent?.state.kind === "result" ? parent.state.value : undefined;
    const copy = new ForkCopy(this.#port, accounts, job, result);
    const hasMore = job.phase === "walk" ? copy.walk() : copy.inputs();
    accounts.write();
    const { outstanding } = accounts.record;
    if (hasMore) {
      writeJob(turn, id, copy.job);
      this.#records.write(turn, id, before, { ...before, outstanding });
    } else if (job.phase === "walk") writeJob(turn, id, { ...job, phase: "inputs" });
    else {
      writeJob(turn, id, { ...job, phase: "runs" });
      this.#release(turn, job.parent, id);
      // What a copied node has given is the first result (E3 of execution.ts).
      const isFirst = job.result !== undefined && before.state.kind === "pending";
      const state = isFirst ? { kind: "result" as const, value: job.result } : before.state;
      this.#records.write(turn, id, before, { ...before, state });
    }
    turn.afterCommit(() => this.#submitStep(id));
  }

  /** All is copied: what is to run is sent, gathers whose scopes are complete begin (K2). */
  #sendRuns(turn: Turn, id: InvocationId, before: InvocationRecord): void {
    const runs = this.#port.page(treeTable, forkPartRange(id, "run"), runsMax);
    for (const { key, value } of runs) {
      const { task, run } = decodeRunRow(value);
      turn.send(task, run);
      turn.delete(treeTable, key);
    }
    const gathers =
      runs.length > 0 ? [] : this.#port.page(treeTable, forkPartRange(id, "gather"), runsMax);
    const accounts = this.#invocations.accountsOf(turn, id, before);
    for (const { key } of gathers) {
      turn.delete(treeTable, key);
      const scope = lastIdOf(key);
      this.#invocations.leave(accounts, scope, scope);
    }
    if (runs.length > 0 || gathers.length > 0) {
      if (gathers.length > 0) this.#invocations.conclude(turn, before, accounts);
      turn.afterCommit(() => this.#submitStep(id));
      return;
    }
    turn.delete(treeTable, forkJobKey(id));
    this.#conclude(turn, id, before, { copying: false });
  }

  /** The parent may be forgotten again (K3). */
  #release(turn: Turn, parent: InvocationId, id: InvocationId): void {
    const before = this.#records.read(turn, parent);
    if (before === undefined) return;
    const outstanding = xorOf(before.outstanding, rootNodeId(id, 0));
    this.#conclude(turn, parent, before, { outstanding });
  }

  #conclude(
    turn: Turn,
    id: InvocationId,
    before: InvocationRecord,
    changes: Partial<InvocationRecord>,
  ): void {
    const changed = { ...before, ...changes };
    const isSettled = isZeroId(changed.outstanding);
    const after = isSettled ? this.#attempts.settled(turn, id, changed) : changed;
    this.#records.write(turn, id, before, after);
  }

  #submitStep(invocationId: InvocationId): void {
    this.#port.submit(encodeForkMessage({ kind: "forkStep", invocationId }));
  }
}

/** @throws PartitaError INVOCATION_UNKNOWN */
function kinOf(turn: Turn, { agent, invocationId: id }: KinMessage): Uint8Array {
  if (standingOf(turn, id)?.agent !== agent) {
    throw new PartitaError("INVOCATION_UNKNOWN", { agent, invocationId: formatInvocationId(id) });
  }
  return encodeKin({ parent: turn.get(treeTable, forkParentKey(id)), forks: forksOf(turn, id) });
}
