// Waiting callers — those whose requests have not left, since their lane has no room.
//
// Owns: their order and their bound. Leaves to others: when there is room (lane.ts).
//
// Invariant:
//   L5. At most `laneWaitingMax` of them wait, with about `laneWaitingBytesMax` bytes at most.

import { limits } from "../base/limits.js";
import type { Operation, Stamp } from "./lane-encoding.js";
import { Ring } from "./ring.js";
import type { Judge, Settle } from "./settle.js";

export interface WaitingCaller {
  readonly operation: Operation;
  readonly keyHash: number;
  /** Bytes of the request. */
  readonly bytes: number;
  readonly judge: Judge<unknown>;
  readonly settle: Settle;
  readonly table: number;
  readonly key: Uint8Array;
  readonly argument: Uint8Array;
  readonly stamp: Stamp | undefined;
}

export class WaitingCallers {
  readonly #callers = new Ring<WaitingCaller>(limits.laneWaitingMax);
  #bytes = 0;

  get length(): number {
    return this.#callers.length;
  }

  /** Whether so many more may wait, with so many bytes together. */
  hasRoom(callers: number, bytes: number): boolean {
    return (
      this.#callers.length + callers <= limits.laneWaitingMax &&
      this.#bytes + bytes <= limits.laneWaitingBytesMax
    );
  }

  push(caller: WaitingCaller): void {
    this.#callers.push(caller);
    this.#bytes += caller.bytes;
  }

  /** Takes out the one that has waited longest. */
  shift(): WaitingCaller | undefined {
    const caller = this.#callers.shift();
    if (caller !== undefined) this.#bytes -= caller.bytes;
    return caller;
  }
}
