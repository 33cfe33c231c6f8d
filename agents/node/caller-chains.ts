// Caller chains — whether each of the callers that have led to an invocation waits for the next.
//
// Owns: asking the tasks where they run, in this topology or another, from the innermost caller
// outwards. Leaves to others: what they answer (probes.ts), when to ask (key-deadlocks.ts).
//
// Invariants:
//   C1. Asking changes nothing, and an answer is as old as its way here: a chain that is whole was
//       so caller by caller, not in one instant.
//   C2. A caller that has waited from the start is not asked: it waits until its child has ended.

import type { TaskPort } from "../../runtime/task-program.js";
import {
  type CarriedCaller,
  type CallerChain,
  chainSeenFrom,
  decodeCarried,
} from "../wire/carried.js";
import { decodeWaitsForReply, encodeWaitsFor, type WaitsForReply } from "../wire/chain-message.js";
import type { InvocationId } from "../wire/invocation-id.js";
import { encodeNeighbourRequest } from "../wire/neighbour-request.js";
import { decodeMessage } from "../wire/wire-field.js";

/** A chain from the invocation that somebody waits for, outermost, to one that is stuck. */
export interface AskedChain extends CallerChain {
  /** What the last caller has begun. */
  readonly last: InvocationId;
  /** Whose child the outermost is; where the chain is cut, further ones are asked for up to it. */
  readonly holder: InvocationId;
}

/** All callers of a chain whose every caller waits, outermost first, and the last one. */
export type WholeChain = readonly InvocationId[];

export class CallerChains {
  readonly #port: TaskPort;

  constructor(port: TaskPort) {
    this.#port = port;
  }

  /** The chain, when each of its callers waits for the next; otherwise `undefined`. */
  async whole({ last, holder, ...chain }: AskedChain): Promise<WholeChain | undefined> {
    const ids: InvocationId[] = [last];
    let { callers, isCut } = chain;
    for (let child = last; ; ) {
      const caller = callers.at(-1);
      if (caller === undefined) return ids.reverse();
      const isOutermost = isCut && callers.length === 1;
      if (!caller.waits || isOutermost) {
        const reply = await this.#ask(caller, child);
        if (!caller.waits && !reply.waits) return undefined;
        if (isOutermost) {
          const further = beyond(holder, this.#chainOf(caller, reply));
          if (further === undefined) return undefined;
          ids.push(caller.invocationId);
          child = caller.invocationId;
          ({ callers, isCut } = further);
          continue;
        }
      }
      ids.push(caller.invocationId);
      child = caller.invocationId;
      callers = callers.slice(0, -1);
    }
  }

  #chainOf({ topology }: CarriedCaller, { carried }: WaitsForReply): CallerChain {
    const chain = decodeCarried(carried);
    return topology === "" ? chain : chainSeenFrom(this.#port.topology, topology, chain);
  }

  async #ask(caller: CarriedCaller, child: InvocationId): Promise<WaitsForReply> {
    const { topology, task } = caller;
    const message = encodeWaitsFor({ caller: caller.invocationId, child });
    if (topology === "") return decodeWaitsForReply(await this.#port.ask(task, message));
    const request = encodeNeighbourRequest({ op: "waitsFor", task, message });
    const reply = await this.#port.neighbour(topology, request);
    // cast: the server answers `waitsFor` with the bytes of the task's reply
    return decodeWaitsForReply(decodeMessage(reply) as Uint8Array);
  }
}

/** What of a chain is beyond `holder`; all of one that is cut; `undefined` when it is neither. */
function beyond(holder: InvocationId, chain: CallerChain): CallerChain | undefined {
  const at = chain.callers.findIndex(({ invocationId }) => {
    return Buffer.compare(invocationId, holder) === 0;
  });
  if (at !== -1) return { callers: chain.callers.slice(at + 1), isCut: false };
  return chain.isCut ? chain : undefined;
}
