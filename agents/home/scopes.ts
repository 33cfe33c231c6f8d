// Scopes — from a scatter to its gather: what is inside, what is collected, when the gather runs.
//
// A scope opens when its scatter has returned, and is named by that node invocation. What it counts
// settles when all that descends from the scatter's emits has ended; then, or when a step has
// returned `finished`, home sends the gather its message: the state, and what the scatter returned.
// The gather runs in the scope around it, like any other node invocation there.
//
// Owns: opening, collecting, starting gathers, and the accounts of scopes. Leaves to others: the
// state while it is collected (folding.ts), the rows (accounts.ts, scope-record.ts, tree.ts), the
// invocation's record (invocations.ts).
//
// Invariants:
//   S1. A gather starts once for each scope: when all that is in it has finished, or at a step that
//       returned `finished`, whichever comes first. Never while something in it was given up: a
//       dead letter that is replayed reopens the scope, and the scopes around it.
//   S2. The account around an open scope has the gather's id, until that has ended itself, and a
//       token until the scope's own account is settled. So no scope and no invocation is settled
//       before what is within.
//   S3. Inputs are recorded in the order of their arrival, whether they still count or not.
//   S4. What comes from a scope that home has no row of does not come here (invocations.ts): a
//       power cut in a weak mode has taken it, and its scatter runs again.
//   S5. An init or a step that throws, and a state that cannot be carried, is a failure of the
//       attempt, attributed to the gather. The next attempt begins with the state, at once; when
//       there is none the scope is broken, and its gather will not run.

import { PartitaError } from "../../base/errors.js";
import { assert } from "../../base/invariant.js";
import type { TaskPort } from "../../runtime/task-program.js";
import type { AgentDefinition } from "../declare/definition.js";
import { type AckMessage, decodeNodeRecord, isDone, startedOf } from "../wire/ack.js";
import { encodeFailure } from "../wire/failure.js";
import {
  entryNodeId,
  formatNodeId,
  gatherNodeId,
  isZeroId,
  type NodeInvocationId,
  noScope,
  scopeToken,
  xorOf,
} from "../wire/invocation-id.js";
import { decodeRun, encodeRun, type RunMessage } from "../wire/message.js";
import type { MessageBounds } from "../wire/message-bounds.js";
import { decodeMessage, encodeMessage, writeNodeId, written } from "../wire/wire-field.js";
import type { Accounts } from "./accounts.js";
import { Folding } from "./folding.js";
import { nodeOf, originOf } from "./parts.js";
import { inputKey, originKey, treeTable } from "./tree.js";

/** Where the making of a gather's message has got to. */
type Made =
  | { readonly kind: "open" }
  | { readonly kind: "message"; readonly message: Uint8Array }
  | { readonly kind: "threw"; readonly error: unknown };

export class Scopes {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #bounds: MessageBounds;
  readonly #folding: Folding;

  constructor(port: TaskPort, agents: ReadonlyMap<string, AgentDefinition>, bounds: MessageBounds) {
    this.#port = port;
    this.#agents = agents;
    this.#bounds = bounds;
    this.#folding = new Folding();
  }

  /** A node invocation has ended; if it has finished its record is in the frame in hand. */
  settle(accounts: Accounts, ack: AckMessage): void {
    const { nodeInvocationId, scope, gather, emits, end } = ack;
    const started = startedOf(emits);
    if (gather === "") {
      if (!isZeroId(scope)) this.#collect(accounts, scope, ack);
      const unfinished = isDone(end) ? 0 : 1;
      this.#enter(accounts, scope, xorOf(nodeInvocationId, started), unfinished);
      return;
    }
    accounts.open(nodeInvocationId, {
      parent: scope,
      gather,
      phase: "collecting",
      outstanding: started,
      unfinished: 0,
      producers: 0,
      inputs: 0,
    });
    this.#enter(accounts, scope, xorOf(nodeInvocationId, openOf(nodeInvocationId)));
    this.#collect(accounts, nodeInvocationId, ack);
    if (isZeroId(started)) this.#settled(accounts, nodeInvocationId);
  }

  /** What was given up in a scope is about to run again (S1). */
  revive(accounts: Accounts, scope: NodeInvocationId, nodeInvocationId: NodeInvocationId): void {
    if (accounts.has(scope)) this.#reopen(accounts, scope, nodeInvocationId, -1);
  }

  /** More runs in a scope than had been counted, perhaps after all of it had ended. */
  reopen(accounts: Accounts, scope: NodeInvocationId, started: NodeInvocationId): void {
    if (accounts.has(scope)) this.#reopen(accounts, scope, started, 0);
  }

  /** Nothing runs in these, nor beside them: the last one whose account is open is settled. */
  balance(accounts: Accounts, scopes: readonly NodeInvocationId[]): void {
    for (const id of scopes.toReversed()) {
      const outstanding = accounts.has(id) ? accounts.scope(id).outstanding : noScope;
      if (isZeroId(outstanding)) continue;
      this.#enter(accounts, id, outstanding);
      return;
    }
    accounts.enter(noScope, accounts.record.outstanding);
  }

  /** What stood in the account of a scope is gone (forks.ts). */
  leave(accounts: Accounts, scope: NodeInvocationId, xor: NodeInvocationId): void {
    this.#enter(accounts, scope, xor);
  }

  #reopen(
    accounts: Accounts,
    id: NodeInvocationId,
    xor: NodeInvocationId,
    unfinished: number,
  ): void {
    if (isZeroId(id)) {
      accounts.enter(id, xor);
      return;
    }
    const { outstanding, phase, parent } = accounts.scope(id);
    accounts.enter(id, xor, unfinished);
    if (!isZeroId(outstanding)) return;
    if (phase === "collecting") this.#reopen(accounts, parent, openOf(id), -1);
    else this.#reopen(accounts, parent, scopeToken(id), 0);
  }

  #enter(accounts: Accounts, id: NodeInvocationId, xor: NodeInvocationId, unfinished = 0): void {
    if (accounts.enter(id, xor, unfinished)) this.#settled(accounts, id);
  }

  /** All that was in a scope has ended. */
  #settled(accounts: Accounts, id: NodeInvocationId): void {
    const { phase, unfinished, parent } = accounts.scope(id);
    if (phase === "collecting" && unfinished > 0) {
      this.#enter(accounts, parent, openOf(id), 1);
      return;
    }
    if (phase === "collecting") this.#advance(accounts, id, true);
    this.#enter(accounts, parent, scopeToken(id));
  }

  /** Takes the inputs that a node invocation has given to a scope (S3). */
  #collect(
    accounts: Accounts,
    id: NodeInvocationId,
    { nodeInvocationId, emits }: AckMessage,
  ): void {
    const inputs = emits.filter(({ task }) => task === undefined);
    if (inputs.length === 0) return;
    const { producers, inputs: before, phase } = accounts.scope(id);
    const key = inputKey(accounts.invocationId, id, producers);
    const producer = written((writer) => writeNodeId(writer, nodeInvocationId));
    accounts.turn.put(treeTable, key, producer, true);
    accounts.change(id, { producers: producers + 1, inputs: before + inputs.length });
    if (phase !== "collecting") return;
    this.#advance(accounts, id, false);
  }

  /**
   * Folds what has come; starts the gather when the state is complete: since all inputs have come,
   * or before its time. What throws is tried again as long as the invocation is (S5).
   */
  #advance(accounts: Accounts, id: NodeInvocationId, isComplete: boolean): void {
    const { gather, parent } = accounts.scope(id);
    const nodeInvocationId = formatNodeId(gatherNodeId(id));
    for (;;) {
      const made = this.#make(accounts, id, isComplete);
      if (made.kind === "open") return;
      this.#folding.forget(accounts.invocationId, id);
      if (made.kind === "message") {
        accounts.change(id, { phase: "started" });
        this.#start(accounts, id, made.message);
        return;
      }
      const failure = { node: gather, nodeInvocationId, attempt: accounts.attempt };
      if (!accounts.failed(encodeFailure(failure, made.error))) break;
    }
    accounts.change(id, { phase: "broken" });
    this.#enter(accounts, parent, gatherNodeId(id), 1);
  }

  /** What the gather is run with, in bytes, once the state is complete. */
  #make(accounts: Accounts, id: NodeInvocationId, isComplete: boolean): Made {
    const { gather } = accounts.scope(id);
    const { agent } = accounts;
    const nodes = this.#agents.get(agent)?.nodes;
    const aggregator = nodes?.get(gather)?.collect;
    if (aggregator === undefined) {
      // An update has taken it.
      const known = [...(nodes?.keys() ?? [])];
      return {
        kind: "threw",
        error: new PartitaError("NODE_UNKNOWN", { agent, node: gather, known }),
      };
    }
    this.#port.goesOn(agent, gather);
    const folded = this.#folding.fold(accounts, id, aggregator);
    this.#port.left();
    if (folded.kind === "threw") return folded;
    if (folded.kind === "open" && !isComplete) return { kind: "open" };
    return this.#message(accounts, id, folded.state);
  }

  /** A GatherMessage in bytes. */
  #message(accounts: Accounts, id: NodeInvocationId, state: unknown): Made {
    const { turn, invocationId, record } = accounts;
    const scattered = nodeOf(turn, invocationId, id, record.parts);
    assert(scattered !== undefined, "a scope is named by a scatter that has finished");
    const where = `state of gather "${accounts.scope(id).gather}"`;
    const { messageBytesMax } = this.#bounds;
    try {
      const carry = decodeMessage(decodeNodeRecord(scattered).carry);
      const message = encodeMessage({ state, carry }, where);
      if (message.length <= messageBytesMax) return { kind: "message", message };
      const messageBytes = message.length;
      throw new PartitaError("MESSAGE_TOO_LARGE", { where, messageBytes, messageBytesMax });
    } catch (error) {
      return { kind: "threw", error };
    }
  }

  #start(accounts: Accounts, id: NodeInvocationId, message: Uint8Array): void {
    const { turn, invocationId, agent } = accounts;
    const { gather, parent } = accounts.scope(id);
    const entry = originOf(turn, invocationId, entryNodeId(invocationId));
    assert(entry !== undefined, "an invocation keeps what it began with");
    const nodeInvocationId = gatherNodeId(id);
    const run: RunMessage = {
      kind: "run",
      agent,
      invocationId,
      node: gather,
      nodeInvocationId,
      scope: parent,
      attempt: accounts.attempt,
      carried: decodeRun(entry).carried,
      key: undefined,
      message,
    };
    const bytes = encodeRun(run);
    turn.put(treeTable, originKey(invocationId, nodeInvocationId), bytes, true);
    turn.send(this.#port.taskId, bytes);
  }
}

/** What stands for an open scope in the account around it (S2). */
function openOf(scope: NodeInvocationId): NodeInvocationId {
  return xorOf(gatherNodeId(scope), scopeToken(scope));
}
