// Transport — carries packets between threads, and the inline one that stays on this thread.
//
// Owns: the contract, and `InlineNetwork`, whose endpoints live on one thread but still hand over
// copied bytes, so that nothing but names and bytes can ever cross. Leaves to others: worker
// threads and ports to thread-transport.ts, the meaning of packets to host.ts.
//
// Invariants:
//   X1. Packets from one thread to another arrive in the order they were sent, each once.
//   X2. A packet belongs to its receiver; the sender never touches its bytes again.

import type { System } from "./system.js";

/** One thread's end of the data plane. */
export interface Transport {
  /** This thread's number: 0 is the launching thread, task threads count from 1. */
  readonly thread: number;
  /** Posts a packet; to a thread that is gone it is dropped (its callers are told by control). */
  send(thread: number, packet: Uint8Array): void;
  /** Sets the one receiver of packets. */
  onPacket(receive: (from: number, packet: Uint8Array) => void): void;
  /** Sends and receives nothing any more. Idempotent. */
  close(): void;
}

/** Decides when a posted packet arrives; must keep the order per (from, to). */
export type Delivery = (from: number, to: number, deliver: () => void) => void;

/** Endpoints on one thread. Tests pass a `delivery` that permutes arrivals. */
export class InlineNetwork {
  readonly #delivery: Delivery;
  readonly #receivers = new Map<number, (from: number, packet: Uint8Array) => void>();

  constructor(system: System, delivery?: Delivery) {
    this.#delivery = delivery ?? ((_from, _to, deliver) => system.later(deliver));
  }

  endpoint(thread: number): Transport {
    return {
      thread,
      send: (to, packet) => {
        const copy = packet.slice();
        this.#delivery(thread, to, () => this.#receivers.get(to)?.(thread, copy));
      },
      onPacket: (receive) => {
        this.#receivers.set(thread, receive);
      },
      close: () => {
        this.#receivers.delete(thread);
      },
    };
  }
}
