// Thread transport — packets over one MessagePort for each pair of threads.
//
// Owns: the ports of one thread and the transfer of a packet's buffer. Leaves to others: making the
// port pairs (cluster.ts) and telling callers that a thread has died (host.ts).
// Invariants: X1 and X2 of transport.ts (a port's order and moved buffers give both), and
//   X3. Nothing is received before `start`: tasks that still recover must not meet new messages.
//   X4. Nothing of a dead peer is received after `disconnect`: its callers have been told already.

import type { MessagePort } from "node:worker_threads";
import { assert } from "../base/invariant.js";
import type { Transport } from "./transport.js";

/** The transport of `thread` over its ports, which can be replaced when a peer is started again. */
export class ThreadTransport implements Transport {
  readonly thread: number;
  readonly #ports = new Map<number, MessagePort>();
  #receive: (from: number, packet: Uint8Array) => void = () => {};
  #started = false;

  constructor(thread: number) {
    this.thread = thread;
  }

  /**
   * Uses `port` to talk to `peer`; an earlier port to it is closed, what it still holds is dropped.
   */
  connect(peer: number, port: MessagePort): void {
    this.disconnect(peer);
    this.#ports.set(peer, port);
    if (this.#started) this.#listen(peer, port);
  }

  /** Receives from now on, first what the ports have kept. */
  start(): void {
    this.#started = true;
    for (const [peer, port] of this.#ports) this.#listen(peer, port);
  }

  /** Forgets a peer that has died, and what of it has not been received yet. */
  disconnect(peer: number): void {
    this.#ports.get(peer)?.close();
    this.#ports.delete(peer);
  }

  send(thread: number, packet: Uint8Array): void {
    const port = this.#ports.get(thread);
    if (port === undefined) return;
    const { buffer } = packet;
    // A pooled buffer would take other people's bytes along; ByteWriter.finish never gives one.
    assert(buffer.byteLength === packet.byteLength, "a packet must own its buffer");
    assert(buffer instanceof ArrayBuffer, "shared memory is no packet");
    port.postMessage(packet, [buffer]);
  }

  onPacket(receive: (from: number, packet: Uint8Array) => void): void {
    this.#receive = receive;
  }

  close(): void {
    for (const port of this.#ports.values()) port.close();
    this.#ports.clear();
  }

  #listen(peer: number, port: MessagePort): void {
    port.on("message", (packet: Uint8Array) => {
      if (this.#ports.get(peer) === port) this.#receive(peer, packet);
    });
  }
}
