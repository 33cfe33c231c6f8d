// Key deadlocks — who waits in line for a key that one of its own callers holds, and so for ever.
//
// A node that holds a key and waits for an invocation waits for all of its nodes, and for those of
// the invocations that these wait for. One of them that waits for that very key is refused, so that
// the error goes up to who called.
// Owns: finding them, the error. Leaves to others: the lines (gates.ts), refusing (node-runner.ts).
//
// Invariant: callers that an invocation carries along are those that were waiting for it when it
// was begun. One that is begun without waiting, and waited for later, driven by steps or followed,
// is found where its caller holds the key itself, but not through others in between.

import { PartitaError } from "../../base/errors.js";
import { show } from "../../base/show.js";
import { decodeDynamicKey } from "../../store/tuple-key.js";
import { decodeCarried } from "../wire/carried.js";
import { formatInvocationId, type InvocationId } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";

/** The error for a row behind a holder that waits for `children`; `undefined` when it may wait. */
export function keyDeadlock(
  waiting: RunMessage,
  holder: RunMessage,
  children: readonly InvocationId[],
): PartitaError<"KEY_DEADLOCK"> | undefined {
  if (children.length === 0 || waiting.key === undefined) return undefined;
  const chain = [...decodeCarried(waiting.carried).callers, waiting.invocationId];
  const from = chain.findIndex((id) => children.some((child) => Buffer.compare(child, id) === 0));
  if (from === -1) return undefined;
  const { agent, node, key } = waiting;
  const cycle = shortened([holder.invocationId, ...chain.slice(from)]);
  return new PartitaError("KEY_DEADLOCK", {
    agent,
    node,
    key: show(decodeDynamicKey(key)),
    ...cycle,
  });
}

/** A failure has little room (wire/failure.ts): of a long cycle its two ends are shown. */
function shortened(cycle: readonly InvocationId[]): { cycle: string[]; leftOut: number } {
  const leftOut = Math.max(0, cycle.length - 2 * shownOfEnds);
  const shown =
    leftOut === 0 ? cycle : [...cycle.slice(0, shownOfEnds), ...cycle.slice(-shownOfEnds)];
  return { cycle: shown.map(formatInvocationId), leftOut };
}

/** Invocations of a long cycle that are shown at each of its ends. */
const shownOfEnds = 16;
