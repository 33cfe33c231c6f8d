// Awaited children — which invocations a node invocation of this task waits for, as far as it goes
// on only when they have come to something.
//
// Owns: putting together what is on record (open-waits.ts) and what is only in memory: what a
// function follows (node-looks.ts).

import { entryNodeId, type InvocationId, isSameNode, rootNodeId } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import type { NodeRun } from "./node-run.js";
import type { OpenWaits } from "./open-waits.js";

export class AwaitedChildren {
  readonly #open: OpenWaits;
  readonly #running: ReadonlyMap<number, NodeRun>;

  constructor(open: OpenWaits, running: ReadonlyMap<number, NodeRun>) {
    this.#open = open;
    this.#running = running;
  }

  /** Those of a row that go on, or not, with `below`, if that is given. */
  of(arrivalNo: number, below?: RunMessage): readonly InvocationId[] {
    const awaited = this.#open.childrenOf(arrivalNo);
    const followed = this.#running.get(arrivalNo)?.followed ?? [];
    if (followed.length === 0) return awaited;
    const stuck = followed.filter(({ child, isWhole }) => {
      // Nothing else of it runs while its root does not.
      return isWhole || (below !== undefined && isRootOf(child, below));
    });
    return [...awaited, ...stuck.map(({ child }) => child)];
  }
}

/** Whether a row is the first one of an invocation. */
function isRootOf(child: InvocationId, run: RunMessage): boolean {
  const { invocationId, nodeInvocationId: id, attempt } = run;
  if (Buffer.compare(invocationId, child) !== 0) return false;
  return isSameNode(id, entryNodeId(child)) || isSameNode(id, rootNodeId(child, attempt));
}
