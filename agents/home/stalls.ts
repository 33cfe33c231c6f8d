// Stalls — invocations that do not come further because a node invocation is lost: nothing runs
// it, and nothing will.
//
// Messages between tasks arrive once; what can lose one is a power cut in a weak mode. A look walks
// the recorded tree for node invocations that were started and have not ended, and asks their
// tasks. One that runs, however long, that waits for its turn, for a key or a human, is held by its
// task, and not lost.
//
// What has come of emits that a power cut took back stands in the accounts, and nothing leads to
// it: where a look finds nothing open, nothing is outstanding.
// Owns: looks, and finding what a lost node invocation was to be run with. Leaves to others: when a
// look is due (stall-watch.ts), answers of tasks (node/probes.ts), that it costs a retry
// (attempts.ts).

import { limits } from "../../base/limits.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { hashKey } from "../../store/key-hash.js";
import { decodeNodeRecord } from "../wire/ack.js";
import {
  gatherNodeId,
  type InvocationId,
  isSameNode,
  isZeroId,
  type NodeInvocationId,
  noScope,
  rootNodeId,
} from "../wire/invocation-id.js";
import { decodeRun, type RunMessage } from "../wire/message.js";
import { encodeStall, type MissingMessage } from "../wire/stall-message.js";
import type { Records } from "./records.js";
import { decodeScope } from "./scope-record.js";
import { nodeOf, originOf } from "./parts.js";
import { givenUp, givenUpKey, scopeKey, treeTable } from "./tree.js";

/** A node invocation that was started, as far as the tree tells. */
interface Started {
  readonly id: NodeInvocationId;
  /** Who has emitted it; `noScope` when home has sent it. */
  readonly parent: NodeInvocationId;
  /** Whose stream has brought it, and where it runs. */
  readonly from: number;
  readonly task: number;
}

/** What a look at a tree has found. */
interface Walked {
  readonly open: readonly Started[];
  /** Each behind those around it. */
  readonly scopes: readonly NodeInvocationId[];
  /** Nothing was left out. */
  readonly isWhole: boolean;
}

/** An invocation of which nothing runs, whose accounts say otherwise. */
export interface Unbalanced {
  readonly invocationId: InvocationId;
  readonly scopes: readonly NodeInvocationId[];
}

/** What a lost node invocation was to be run with, and where. */
export interface Lost {
  readonly run: RunMessage;
  readonly task: number;
}

export class Stalls {
  readonly #port: TaskPort;
  readonly #records: Records;

  constructor(port: TaskPort, records: Records) {
    this.#port = port;
    this.#records = records;
  }

  /** Looks again and again from now on. */
  start(): void {
    const look = (): void => {
      const ids = this.#records.watch.due(this.#port.now());
      if (ids.length > 0) this.#port.submit(encodeStall({ kind: "look", ids }));
      this.#port.after(limits.stallLookMs, look, true);
    };
    this.#port.after(limits.stallLookMs, look, true);
  }

  /**
   * Asks for every node invocation that these have started and not heard of again. Returns those of
   * which there is none, and something is outstanding all the same.
   */
  look(turn: Turn, ids: readonly InvocationId[]): readonly Unbalanced[] {
    const unbalanced: Unbalanced[] = [];
    for (const invocationId of ids) {
      const record = this.#records.read(turn, invocationId);
      // Of a fork nothing has started before all is copied.
      if (record === undefined || record.copying) continue;
      const { attempt, rootAttempt } = record;
      const { open, scopes, isWhole } = this.#open(turn, invocationId, rootAttempt);
      const isOff = open.length === 0 && isWhole && !isZeroId(record.outstanding);
      if (isOff && this.#mayBeOff) unbalanced.push({ invocationId, scopes });
      for (const { id, parent, from, task } of open) {
        const sent = sentIn(this.#sent(turn, invocationId, id));
        const asked = { invocationId, nodeInvocationId: id, parent, attempt, sent, task };
        turn.send(from, encodeStall({ kind: "probe", ...asked }));
      }
    }
    return unbalanced;
  }

  /** A power cut can take what a node invocation came to, and leave what followed from that. */
  get #mayBeOff(): boolean {
    return this.#port.isWeak || this.#port.boot.lossy;
  }

  /** What a node invocation that is missing was to be run with; `undefined` when it is not lost. */
  lost(turn: Turn, missing: MissingMessage, rootAttempt: number): Lost | undefined {
    const { invocationId: of, nodeInvocationId: id, parent } = missing;
    if (nodeOf(turn, of, id) !== undefined) return undefined;
    if (turn.get(treeTable, givenUpKey(of, id))?.[0] === givenUp.waits) return undefined;
    const own = this.#sent(turn, of, id);
    // It was sent again since it was asked for.
    if (sentIn(own) !== missing.sent) return undefined;
    if (own !== undefined && isZeroId(parent)) return { run: own, task: this.#taskOf(own.key) };
    const row = nodeOf(turn, of, parent);
    const root = originOf(turn, of, rootNodeId(of, rootAttempt));
    if (row === undefined || root === undefined) return undefined;
    const { emits, scope, gather } = decodeNodeRecord(row);
    const emit = emits.find((one) => isSameNode(one.id, id));
    if (emit?.task === undefined) return undefined;
    const { node } = emit;
    // A fork runs with another message than its emitter has emitted in the parent.
    const { key, message } = own ?? emit;
    const inner = gather === "" ? scope : parent;
    const run = { ...decodeRun(root), node, nodeInvocationId: id, scope: inner, key, message };
    return { run, task: key === undefined ? emit.task : this.#taskOf(key) };
  }

  /** The node invocations of a tree that have started and not finished, within a bound. */
  #open(turn: Turn, of: InvocationId, rootAttempt: number): Walked {
    const { taskId } = this.#port;
    const sentHere = (id: NodeInvocationId): Started => {
      const task = this.#taskOf(this.#sent(turn, of, id)?.key);
      return { id, parent: noScope, from: taskId, task };
    };
    const open: Started[] = [];
    const scopes: NodeInvocationId[] = [];
    const nodes = [sentHere(rootNodeId(of, rootAttempt))];
    for (let looked = 0; looked < limits.stallNodesMax; looked += 1) {
      const node = nodes.pop();
      if (node === undefined || open.length >= limits.stallProbesMax) break;
      const row = nodeOf(turn, of, node.id);
      if (row === undefined) {
        const given = turn.get(treeTable, givenUpKey(of, node.id))?.[0];
        if (given === givenUp.waits) continue;
        // What was lost once, or given up, has come from here since.
        const isOwn = given === givenUp.runs || this.#sent(turn, of, node.id) !== undefined;
        open.push(isOwn ? { ...node, from: taskId } : node);
        continue;
      }
      const { emits, gather, task: from } = decodeNodeRecord(row);
      for (const { id, task } of emits) {
        if (task !== undefined) nodes.push({ id, parent: node.id, from, task });
      }
      if (gather === "") continue;
      scopes.push(node.id);
      const scope = turn.get(treeTable, scopeKey(of, node.id));
      if (scope === undefined || decodeScope(scope).phase !== "started") continue;
      nodes.push(sentHere(gatherNodeId(node.id)));
    }
    return { open, scopes, isWhole: nodes.length === 0 };
  }

  /** What home itself has sent to a node invocation. */
  #sent(turn: Turn, of: InvocationId, id: NodeInvocationId): RunMessage | undefined {
    const row = originOf(turn, of, id);
    return row === undefined ? undefined : decodeRun(row);
  }

  #taskOf(key: Uint8Array | undefined): number {
    return key === undefined ? this.#port.taskId : this.#port.ownerOf(hashKey(key));
  }
}

/** As a probe says it. */
function sentIn(run: RunMessage | undefined): number {
  return run === undefined ? 0 : run.attempt + 1;
}
