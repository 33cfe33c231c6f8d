// Neighbour link — how a task thread asks other topologies of the process: through the launching
// thread, which knows them.
//
// Owns: both ends of the port, and which answer belongs to which call; there may be thousands on
// the way, which is what comlink is not made for. Leaves to others: the registry (neighbours.ts).

import type { MessagePort } from "node:worker_threads";
import { type ErrorWire, fromWire, toWire } from "../base/error-wire.js";
import type { NeighbourCall } from "./task-program.js";

/** From the task thread; without a request: nobody waits for that call any more. */
interface Asked {
  readonly call: number;
  readonly topology?: string;
  readonly request?: Uint8Array;
}

interface Answered {
  readonly call: number;
  readonly bytes?: Uint8Array;
  readonly error?: ErrorWire;
}

/** The launching thread's end: asks through `call`, until the port is closed. */
export function serveNeighbours(port: MessagePort, call: NeighbourCall): void {
  const underWay = new Map<number, AbortController>();
  port.on("message", ({ call: number, topology, request }: Asked) => {
    if (topology === undefined || request === undefined) {
      underWay.get(number)?.abort();
      return;
    }
    const abort = new AbortController();
    underWay.set(number, abort);
    const answered = answerOf(number, call(topology, request, abort.signal));
    void answered.then((answer) => {
      underWay.delete(number);
      port.postMessage(answer);
    });
  });
  port.once("close", () => {
    for (const abort of underWay.values()) abort.abort();
  });
}

/** The task thread's end. */
export function neighboursAt(port: MessagePort): NeighbourCall {
  const waiting = new Map<number, (answer: Answered) => void>();
  let calls = 0;
  port.on("message", (answer: Answered) => {
    waiting.get(answer.call)?.(answer);
    waiting.delete(answer.call);
  });
  return (topology, request, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      calls += 1;
      const call = calls;
      const aborted = (): void => {
        waiting.delete(call);
        port.postMessage({ call } satisfies Asked);
        reject(signal?.reason);
      };
      waiting.set(call, ({ bytes, error }) => {
        signal?.removeEventListener("abort", aborted);
        if (bytes !== undefined) resolve(bytes);
        else reject(error === undefined ? new Error("an empty answer") : fromWire(error));
      });
      signal?.addEventListener("abort", aborted, { once: true });
      port.postMessage({ call, topology, request: owned(request) } satisfies Asked);
    });
}

async function answerOf(call: number, answer: Promise<Uint8Array>): Promise<Answered> {
  try {
    return { call, bytes: owned(await answer) };
  } catch (error) {
    return { call, error: toWire(error) };
  }
}

/** Bytes that are part of a larger buffer would take all of it along. */
function owned(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}
