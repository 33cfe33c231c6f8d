// Accounts — what of one invocation has not ended, scope by scope, while one message changes it.
//
// An account is the xor of ids of what was started and has not ended; it is zero when all has. That
// of the invocation is in its record, that of a scope in the scope's row.
// Owns: reading the rows of scopes, changing them, and writing each that was touched once. Leaves
// to others: what changes, and what follows from an account that is settled (scopes.ts).

import { assert } from "../../base/invariant.js";
import type { Turn } from "../../runtime/task-program.js";
import {
  formatNodeId,
  type InvocationId,
  isZeroId,
  type NodeInvocationId,
  xorOf,
} from "../wire/invocation-id.js";
import type { Judgement } from "./attempts.js";
import type { InvocationRecord } from "./invocation-record.js";
import { decodeScope, encodeScope, type ScopeRecord } from "./scope-record.js";
import { withNode } from "./parts.js";
import { scopeKey, treeTable } from "./tree.js";

interface Touched {
  readonly id: NodeInvocationId;
  readonly isNew: boolean;
  scope: ScopeRecord;
}

/** What follows from a failure of the current attempt. */
type Judge = (record: InvocationRecord, error: Uint8Array) => Judgement;

export class Accounts {
  readonly turn: Turn;
  readonly invocationId: InvocationId;
  readonly #judge: Judge;
  #record: InvocationRecord;
  /** Made with the first scope: most invocations have none. */
  #touched: Map<string, Touched> | undefined;

  constructor(turn: Turn, invocationId: InvocationId, record: InvocationRecord, judge: Judge) {
    this.turn = turn;
    this.invocationId = invocationId;
    this.#record = record;
    this.#judge = judge;
  }

  /** The record of the invocation, as it is left so far. */
  get record(): InvocationRecord {
    return this.#record;
  }

  get agent(): string {
    return this.#record.agent;
  }

  /** The attempt of the invocation that counts. */
  get attempt(): number {
    return this.#record.attempt;
  }

  /** The record of a node invocation that has finished. */
  keep(node: NodeInvocationId, bytes: Uint8Array): void {
    const { parts, isSpread } = withNode(this.turn, this.invocationId, this.#record, node, bytes);
    this.#record = { ...this.#record, parts, isSpread };
  }

  /** Home's own work has failed (failure.ts has the bytes); returns whether it is tried again. */
  failed(error: Uint8Array): boolean {
    const { record, next } = this.#judge(this.#record, error);
    this.#record = record;
    return next === "attempt";
  }

  /** A scope that has not been there before. */
  open(id: NodeInvocationId, scope: ScopeRecord): void {
    this.#remember({ id, isNew: true, scope });
    this.#record = { ...this.#record, isSpread: true };
  }

  /** Whether an account is known: a power cut in a weak mode may have taken a scope. */
  has(id: NodeInvocationId): boolean {
    return isZeroId(id) || this.#find(id) !== undefined;
  }

  scope(id: NodeInvocationId): ScopeRecord {
    return this.#touch(id).scope;
  }

  change(id: NodeInvocationId, changes: Partial<ScopeRecord>): ScopeRecord {
    const touched = this.#touch(id);
    touched.scope = { ...touched.scope, ...changes };
    return touched.scope;
  }

  /**
   * Enters `xor` into an account, and `unfinished` into the count beside it; returns whether there
   * is a scope whose account is settled now.
   */
  enter(id: NodeInvocationId, xor: NodeInvocationId, unfinished = 0): boolean {
    if (isZeroId(id)) {
      this.#record = { ...this.#record, outstanding: xorOf(this.#record.outstanding, xor) };
      return false;
    }
    const before = this.scope(id);
    const after = this.change(id, {
      outstanding: xorOf(before.outstanding, xor),
      unfinished: before.unfinished + unfinished,
    });
    return isZeroId(after.outstanding);
  }

  /** Puts what was touched into the frame in hand. */
  write(): void {
    if (this.#touched === undefined) return;
    for (const { id, isNew, scope } of this.#touched.values()) {
      this.turn.put(treeTable, scopeKey(this.invocationId, id), encodeScope(scope), isNew);
    }
  }

  #touch(id: NodeInvocationId): Touched {
    const touched = this.#find(id);
    assert(touched !== undefined, () => `scope ${formatNodeId(id)} has no row`);
    return touched;
  }

  #find(id: NodeInvocationId): Touched | undefined {
    const known = this.#touched?.get(formatNodeId(id));
    if (known !== undefined) return known;
    const row = this.turn.get(treeTable, scopeKey(this.invocationId, id));
    if (row === undefined) return undefined;
    return this.#remember({ id, isNew: false, scope: decodeScope(row) });
  }

  #remember(touched: Touched): Touched {
    this.#touched ??= new Map();
    this.#touched.set(formatNodeId(touched.id), touched);
    return touched;
  }
}
