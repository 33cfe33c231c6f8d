// Fork copy — one step of copying a parent's tree into a fork's.
//
// A node invocation that has finished, and was not changed, is copied as finished: its record with
// new ids, as if its ack had come. Whatever else its emitter has started is to run, and stays in
// the accounts. A scope in which all was copied is settled then, and its gather is visited; one in
// which something is to run stays open, so that its gather runs again, with everything behind it.
//
// Owns: what becomes of each node invocation and each scope. Leaves to others: the order of the
// steps and what is sent at the end (forks.ts), rows (fork-rows.ts), accounts (accounts.ts).
//
// Invariants:
//   C1. A step is bounded by the emits of one node invocation, or by `visitsMax` of them.
//   C2. Nothing is sent while copying: what is to run is a row.
//   C3. Ids follow from the fork's id alone (D2 of invocation-id.ts): a run that repeats a step
//       writes the same rows.

import { ByteReader } from "../../base/byte-reader.js";
import { assert } from "../../base/invariant.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { hashKey } from "../../store/key-hash.js";
import {
  decodeNodeRecord,
  type EmitRecord,
  encodeAck,
  type NodeRecord,
  recordBytesOf,
  startedOf,
} from "../wire/ack.js";
import {
  childNodeId,
  gatherNodeId,
  type InvocationId,
  isZeroId,
  type NodeInvocationId,
  noScope,
  scopeToken,
  xorOf,
} from "../wire/invocation-id.js";
import { decodeRun, encodeRun, type RunMessage } from "../wire/message.js";
import type { ForkChange } from "../wire/fork-message.js";
import { noBytes, readNodeId, writeNodeId, written } from "../wire/wire-field.js";
import type { Accounts } from "./accounts.js";
import {
  decodePair,
  decodeScopeCopy,
  encodePair,
  encodeRunRow,
  encodeScopeCopy,
  type ForkJob,
  lastIdOf,
} from "./fork-rows.js";
import { nodeOf, originOf } from "./parts.js";
import { forkPartKey, forkPartRange, inputKey, nodeKey, originKey, treeTable } from "./tree.js";

/** Node invocations, or producers of a scope, that one step looks at. */
const visitsMax = 64;
/** Bytes of records that one step copies, and a few more: a part of a frame. */
const stepSizeMax = 1_048_576;
/** What an emit counts for beside its bytes. */
const emitSize = 256;

/** A node invocation of the parent, and where its copy or its rerun belongs. */
interface Place {
  readonly old: NodeInvocationId;
  readonly id: NodeInvocationId;
  readonly scope: NodeInvocationId;
  /** Nothing has emitted it: home keeps its message. */
  readonly isOrigin: boolean;
}

type Runnable = Pick<RunMessage, "node" | "key" | "message"> & { readonly task: number };

export class ForkCopy {
  readonly #turn: Turn;
  readonly #port: TaskPort;
  readonly #id: InvocationId;
  readonly #accounts: Accounts;
  readonly #parentResult: Uint8Array | undefined;
  #job: ForkJob;

  /** `parentResult`: of the parent, if it has one. */
  constructor(
    port: TaskPort,
    accounts: Accounts,
    job: ForkJob,
    parentResult: Uint8Array | undefined,
  ) {
    this.#parentResult = parentResult;
    this.#turn = accounts.turn;
    this.#port = port;
    this.#id = accounts.invocationId;
    this.#accounts = accounts;
    this.#job = job;
  }

  get job(): ForkJob {
    return this.#job;
  }

  /** Begins with the root of the parent. */
  begin(old: NodeInvocationId, id: NodeInvocationId): void {
    const place = { old, id, scope: noScope, isOrigin: true };
    const origin = originOf(this.#turn, this.#job.parent, place.old);
    assert(origin !== undefined, "an invocation keeps what it began with");
    const run = decodeRun(origin);
    this.#place(place, { ...run, task: this.#port.taskId });
  }

  /** Visits some of what is known of the tree; false when nothing is left. */
  walk(): boolean {
    const rows = this.#port.page(treeTable, forkPartRange(this.#id, "visit"), visitsMax);
    let left = stepSizeMax;
    for (const { key, value } of rows) {
      if (left <= 0) break;
      const [old, scope] = decodePair(value);
      this.#turn.delete(treeTable, key);
      left -= this.#copy({ old, id: lastIdOf(key), scope, isOrigin: false });
    }
    return rows.length > 0;
  }

  /** Applies some of the inputs of a scope again, in their order; false when nothing is left. */
  inputs(): boolean {
    const [row] = this.#port.page(treeTable, forkPartRange(this.#id, "scope"), 1);
    if (row === undefined) return false;
    const scope = lastIdOf(row.key);
    const { of, looked } = decodeScopeCopy(row.value);
    let { producers, inputs } = this.#accounts.scope(scope);
    let no = looked;
    for (; no < looked + visitsMax; no += 1) {
      const given = this.#turn.get(treeTable, inputKey(this.#job.parent, of, no));
      if (given === undefined) break;
      const copied = this.#turn.get(treeTable, forkPartKey(this.#id, "producer", idOf(given)));
      if (copied === undefined) continue;
      const record = nodeOf(this.#turn, this.#id, idOf(copied));
      assert(record !== undefined, "who has given inputs to a scope has a record");
      this.#turn.put(treeTable, inputKey(this.#id, scope, producers), copied);
      producers += 1;
      inputs += decodeNodeRecord(record).emits.filter(({ task }) => task === undefined).length;
    }
    this.#accounts.change(scope, { producers, inputs });
    if (no < looked + visitsMax) this.#turn.delete(treeTable, row.key);
    else this.#turn.put(treeTable, row.key, encodeScopeCopy({ of, looked: no }));
    return true;
  }

  /** Returns about how large it was. */
  #copy(place: Place): number {
    const row = nodeOf(this.#turn, this.#job.parent, place.old);
    assert(row !== undefined, "only what has finished is visited");
    const old = decodeNodeRecord(row);
    const emits = old.emits.map((emit, index): EmitRecord => {
      return { ...emit, id: childNodeId(place.id, index) };
    });
    const record = { ...old, scope: place.scope, attempt: 0, emits };
    this.#putRecord(place.id, record);
    if (emits.some(({ task }) => task === undefined)) {
      const key = forkPartKey(this.#id, "producer", place.old);
      const copy = written((writer) => writeNodeId(writer, place.id));
      this.#turn.put(treeTable, key, copy);
    }
    const inner = old.gather === "" ? place.scope : place.id;
    for (const [index, { id, node, key, message, task }] of emits.entries()) {
      const child = old.emits[index];
      if (task === undefined || child === undefined) continue;
      const next = { old: child.id, id, scope: inner, isOrigin: false };
      this.#place(next, { node, key, message, task });
    }
    if (old.end.kind === "result") this.#noteResult(old.end.value);
    this.#account(place, record);
    return row.length + emits.length * emitSize;
  }

  /** What stands for a node invocation in the fork: a copy, or a run. */
  #place(place: Place, emitted: Runnable): void {
    const change = this.#changeOf(place.old);
    const isKnown = nodeOf(this.#turn, this.#job.parent, place.old) !== undefined;
    const given = change === undefined ? emitted : { ...emitted, ...change };
    const run = encodeRun(this.#runOf(place, given));
    const isToRun = change !== undefined || !isKnown;
    // What comes from home is kept there (stalls.ts).
    if (place.isOrigin || isToRun) {
      this.#turn.put(treeTable, originKey(this.#id, place.id), run);
    }
    if (isToRun) this.#run(place, given, run);
    else {
      const key = forkPartKey(this.#id, "visit", place.id);
      this.#turn.put(treeTable, key, encodePair(place.old, place.scope));
    }
  }

  /** Settles accounts, as the ack of the copied one would. */
  #account({ old, id, scope }: Place, { gather, emits }: NodeRecord): void {
    const started = startedOf(emits);
    if (gather === "") {
      this.#enter(scope, xorOf(id, started));
      return;
    }
    this.#accounts.open(id, {
      parent: scope,
      gather,
      phase: "collecting",
      outstanding: started,
      unfinished: 0,
      producers: 0,
      inputs: 0,
    });
    this.#turn.put(
      treeTable,
      forkPartKey(this.#id, "scope", id),
      encodeScopeCopy({ of: old, looked: 0 }),
    );
    this.#enter(scope, xorOf(id, xorOf(gatherNodeId(id), scopeToken(id))));
    const change = this.#changeOf(gatherNodeId(old));
    if (change !== undefined) {
      this.#accounts.change(id, { phase: "started" });
      this.#place(gatherPlace(old, id, scope), {
        ...change,
        node: gather,
        task: this.#port.taskId,
      });
    }
    if (isZeroId(started)) this.#settled(id);
  }

  #enter(scope: NodeInvocationId, xor: NodeInvocationId): void {
    if (this.#accounts.enter(scope, xor)) this.#settled(scope);
  }

  /** All that is in a scope was copied. */
  #settled(id: NodeInvocationId): void {
    const { phase, parent } = this.#accounts.scope(id);
    if (phase === "collecting") {
      const old = this.#scopeOf(id);
      const gathered = gatherPlace(old, id, parent);
      const origin = originOf(this.#turn, this.#job.parent, gathered.old);
      if (origin === undefined) {
        // It has not begun: it does as if a part of it were still to come, until all is copied.
        this.#accounts.enter(id, id);
        this.#turn.put(treeTable, forkPartKey(this.#id, "gather", id), noBytes);
        return;
      }
      this.#accounts.change(id, { phase: "started" });
      const run = decodeRun(origin);
      this.#place(gathered, { ...run, task: this.#port.taskId });
    }
    this.#enter(parent, scopeToken(id));
  }

  #run({ id }: Place, { key, task }: Runnable, run: Uint8Array): void {
    const to = key === undefined ? task : this.#port.ownerOf(hashKey(key));
    this.#turn.put(treeTable, forkPartKey(this.#id, "run", id), encodeRunRow(to, run));
  }

  #runOf(place: Place, of: Pick<RunMessage, "node" | "key" | "message">): RunMessage {
    return {
      kind: "run",
      agent: this.#accounts.agent,
      invocationId: this.#id,
      node: of.node,
      nodeInvocationId: place.id,
      scope: place.scope,
      attempt: 0,
      carried: this.#job.carried,
      key: of.key,
      message: of.message,
    };
  }

  #putRecord(nodeInvocationId: NodeInvocationId, record: NodeRecord): void {
    const ack = encodeAck({ kind: "ack", invocationId: this.#id, nodeInvocationId, ...record });
    this.#turn.put(treeTable, nodeKey(this.#id, nodeInvocationId), recordBytesOf(ack));
  }

  #changeOf(old: NodeInvocationId): Pick<ForkChange, "key" | "message"> | undefined {
    const row = this.#turn.get(treeTable, forkPartKey(this.#id, "change", old));
    if (row === undefined) return undefined;
    const { key, message } = decodeRun(row);
    return { key, message };
  }

  #scopeOf(id: NodeInvocationId): NodeInvocationId {
    const row = this.#turn.get(treeTable, forkPartKey(this.#id, "scope", id));
    assert(row !== undefined, "a scope that is being copied is known");
    return decodeScopeCopy(row).of;
  }

  /** The parent's own result, if a copied node invocation has given it; else the first found. */
  #noteResult(value: Uint8Array): void {
    const isParents =
      this.#parentResult !== undefined && Buffer.compare(value, this.#parentResult) === 0;
    if (this.#job.result === undefined || isParents) this.#job = { ...this.#job, result: value };
  }
}

/** Of a row that holds a node invocation's id. */
function idOf(row: Uint8Array): NodeInvocationId {
  return readNodeId(new ByteReader(row));
}

function gatherPlace(old: NodeInvocationId, id: NodeInvocationId, scope: NodeInvocationId): Place {
  return { old: gatherNodeId(old), id: gatherNodeId(id), scope, isOrigin: true };
}
