// Settle — how a caller gets what became of his request: his own promise, settled from outside.
//
// Owns: making such a promise, and the two ways of settling it. Leaves to others: who is next
// (caller-ring.ts), what a reply means (the judges: store-client.ts).
//
// Invariants:
//   G1. For a call on the way there is its promise and the function that settles it, and nothing
//       else: no closure, no reaction, no promise behind it.
//   G2. What a caller is refused with is made in a reaction that his promise follows: V8 leads from
//       there to the line that awaits, so the stack names it.

import { type Reply, type Status, status } from "./lane-encoding.js";

/** Settles a caller's promise: with an outcome, or with a promise that it then follows. */
export type Settle = (outcome: unknown) => void;

/**
 * What a caller gets of a reply, whose bytes are `[start, end)` of a packet that nobody writes to
 * again. Throws what he is refused with.
 */
export type Judge<T> = (status: Status, packet: Uint8Array, start: number, end: number) => T;

/** What the promise made last is settled with. */
const last: { settle: Settle } = { settle: settlesNothing };

function settlesNothing(): void {}

/**
 * The executor of every such promise. That it and `last` are constants lets V8 put it into `new
 * Promise`, which then makes no function to reject with: 160 bytes for each call instead of 216.
 */
const capture = (settle: Settle): void => {
  last.settle = settle;
};

/** A promise to be settled from outside. */
export function unsettled<T>(): Promise<T> {
  // cast: it is given what the judge of a `Promise<T>` returns, which is a T.
  return new Promise(capture) as Promise<T>;
}

/** The function that settles the promise made last. */
export function takeCaptured(): Settle {
  const { settle } = last;
  last.settle = settlesNothing;
  return settle;
}

/** Gives a caller his reply. */
export function settled(
  settle: Settle,
  judge: Judge<unknown>,
  kind: Status,
  packet: Uint8Array,
  start: number,
  end: number,
): void {
  if (kind !== status.error) {
    let outcome: unknown;
    let isJudged = false;
    try {
      outcome = judge(kind, packet, start, end);
      isJudged = true;
    } catch {
      // Bytes that cannot be decoded here: judged again below, where the stack names the caller.
    }
    if (isJudged) {
      settle(outcome);
      return;
    }
  }
  judgedLater(settle, judge, kind, packet, start, end);
}

/** Apart from `settled`: what a closure holds is allocated by every call of the function around. */
function judgedLater(
  settle: Settle,
  judge: Judge<unknown>,
  kind: Status,
  packet: Uint8Array,
  start: number,
  end: number,
): void {
  // A turn later, when the caller's promise follows this one: else V8 finds no way to him (G2).
  const turn = Promise.resolve().then(nothing);
  settle(turn.then(() => judge(kind, packet, start, end)));
}

function nothing(): void {}

/** The reply as it came, refusals too. */
export function replyOf(kind: Status, packet: Uint8Array, start: number, end: number): Reply {
  return { status: kind, bytes: packet.subarray(start, end) };
}
