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
import type { Started } from "./stall-watch.js";
import { nodeOf, originOf } from "./parts.js";
import { givenUp, givenUpKey, scopeKey, treeTable } from "./tree.js";

/** What a look at a tree has found. */
interface Walked {
  readonly open: readonly Started[];
  /** Each behind those around it. */
  readonly scopes: readonly NodeInvocationId[];
  /** What it did not come to: the next look begins there. */
  readonly left: readonly Started[];
}

/** What one look at one invocation may cost; tests make it small. */
export interface StallBounds {
  readonly stallNodesMax: number;
  readonly stallProbesMax: number;
  readonly stallLeftMax: number;
}

export const stallBoundsDefault: StallBounds = {
  stallNodesMax: limits.stallNodesMax,
  stallProbesMax: limits.stallProbesMax,
  stallLeftMax: limits.stallLeftMax,
};

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
  readonly #bounds: StallBounds;

  constructor(port: TaskPort, records: Records, bounds: StallBounds) {
    this.#port = port;
    this.#records = records;
    this.#bounds = bounds;
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
   * Asks for node invocations that these have started and not heard of again: as many as there is
   * room for, the others in the looks that follow. Returns those of which there is none, and
   * something is outstanding all the same.
   */
  look(turn: Turn, ids: readonly InvocationId[]): readonly Unbalanced[] {
    const unbalanced: Unbalanced[] = [];
    const { watch } = this.#records;
    for (const invocationId of ids) {
      const record = this.#records.read(turn, invocationId);
      // Of a fork nothing has started before all is copied.
      if (record === undefined || record.copying) continue;
      const { attempt, rootAttempt } = record;
      const from = watch.leftOf(invocationId);
      const { open, scopes, left } = this.#open(turn, invocationId, rootAttempt, from);
      if (from.length > 0 || left.length > 0) {
        turn.afterCommit(() => watch.looked(invocationId, left));
      }
      const isWhole = from.length === 0 && left.length === 0;
      const isOff = open.length === 0 && isWhole && !isZeroId(record.outstanding);
      if (isOff && this.#mayBeOff) unbalanced.push({ invocationId, scopes });
      for (const { id, parent, from: by, task } of open) {
        const sent = sentIn(this.#sent(turn, invocationId, id));
        const asked = { invocationId, nodeInvocationId: id, parent, attempt, sent, task };
        turn.send(by, encodeStall({ kind: "probe", ...asked }));
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

  /** Node invocations that have started and not finished: from `left` on, or from the root. */
  #open(turn: Turn, of: InvocationId, rootAttempt: number, left: readonly Started[]): Walked {
    const { taskId } = this.#port;
    const { stallNodesMax, stallProbesMax } = this.#bounds;
    const sentHere = (id: NodeInvocationId): Started => {
      const task = this.#taskOf(this.#sent(turn, of, id)?.key);
      return { id, parent: noScope, from: taskId, task };
    };
    const open: Started[] = [];
    const scopes: NodeInvocationId[] = [];
    const nodes = left.length > 0 ? [...left] : [sentHere(rootNodeId(of, rootAttempt))];
    for (let looked = 0; looked < stallNodesMax && open.length < stallProbesMax; looked += 1) {
      const node = nodes.pop();
      if (node === undefined) break;
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
    return { open, scopes, left: this.#kept(nodes) };
  }

  /** Of very many some, by chance: the others may be among those of the next time. */
  #kept(left: readonly Started[]): readonly Started[] {
    const { stallLeftMax } = this.#bounds;
    if (left.length <= stallLeftMax) return left;
    const first = Math.floor(this.#port.random() * left.length);
    return [...left.slice(first), ...left.slice(0, first)].slice(0, stallLeftMax);
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
