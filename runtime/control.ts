// Control — the slow plane between the launching thread and its task threads: comlink calls.
//
// Owns: the two interfaces, and that every call ends: comlink neither rejects when the other thread
// dies nor keeps an error's code, so each call returns a tagged result and races the thread's exit.
// Leaves to others: the data plane (transport.ts), when threads start and stop (cluster.ts).
//
// Invariants:
//   Z1. A call settles when the thread exits, with the error that explains the exit.
//   Z2. An error is the same after the hop: code, details, causes (base/error-wire.ts).

import type { MessagePort } from "node:worker_threads";
import * as Comlink from "comlink";
import { type ErrorWire, fromWire, toWire } from "../base/error-wire.js";
import type { CheckpointJob, CheckpointResult } from "../store/checkpoint.js";
import type { Continuation, TaskStreams } from "./handshake.js";
import type { TaskReport } from "./hosting.js";

/** The launching thread's view of a `ThreadControl`. */
export type ThreadControlProxy = Comlink.Remote<ThreadControl>;

/** The result of a call as it crosses. */
export type Tagged<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ErrorWire };

/** What a task thread offers to the launching thread. */
export interface ThreadControl {
  /** Loads all modules that it needs, and compares the topology's shape. */
  load(): Promise<Tagged<void>>;
  /** Opens the tasks; after `load`. Nothing runs yet. */
  open(): Promise<Tagged<void>>;
  /** A port to another thread; replaces an earlier one to the same. */
  connect(peer: number, port: MessagePort): Promise<Tagged<void>>;
  /** What the tasks know of others, before they begin. */
  streams(): Promise<Tagged<readonly TaskStreams[]>>;
  /** Lets the tasks begin. */
  start(continuations: readonly Continuation[]): Promise<Tagged<void>>;
  /** Runs what may have killed its tasks before, one after the other. */
  runSuspects(): Promise<Tagged<void>>;
  quiet(): Promise<Tagged<boolean>>;
  reports(): Promise<Tagged<readonly TaskReport[]>>;
  /** Tasks of another thread are gone. */
  lost(thread: number, tasks: readonly number[], error: ErrorWire): Promise<Tagged<void>>;
  /** They were started again, on the ports connected since. */
  reopened(tasks: readonly number[]): Promise<Tagged<void>>;
  /** Refuses new calls of nodes, aborts what runs. */
  abort(error: ErrorWire): Promise<Tagged<void>>;
  close(): Promise<Tagged<void>>;
}

/** What the launching thread offers to a task thread. */
export interface ThreadServices {
  checkpoint(job: CheckpointJob): Promise<Tagged<CheckpointResult>>;
  /** `call` names the call for `cancelCompute`. */
  compute(
    call: number,
    name: string,
    args: Uint8Array,
    timeoutMs: number | undefined,
  ): Promise<Tagged<Uint8Array>>;
  cancelCompute(call: number): Promise<Tagged<void>>;
}

/** Runs `action` and tags what comes of it; never rejects. */
export async function tagged<T>(action: () => T | Promise<T>): Promise<Tagged<T>> {
  try {
    return { ok: true, value: await action() };
  } catch (error) {
    return { ok: false, error: toWire(error) };
  }
}

/** The value of a tagged result. @throws the error it carries */
export async function untagged<T>(result: Promise<Tagged<T>>): Promise<T> {
  const settled = await result;
  if (settled.ok) return settled.value;
  throw fromWire(settled.error);
}

/** Offers `api` on a port. */
export function offer(api: ThreadControl | ThreadServices, port: MessagePort): void {
  Comlink.expose(api, endpoint(port));
}

/**
 * The other side's `ThreadServices`, on a task thread. Hold it: a collected proxy drops replies.
 */
export function servicesAt(port: MessagePort): Comlink.Remote<ThreadServices> {
  return Comlink.wrap<ThreadServices>(endpoint(port));
}

/** The other side's `ThreadControl`, on the launching thread. Hold it. */
export function controlAt(port: MessagePort): ThreadControlProxy {
  return Comlink.wrap<ThreadControl>(endpoint(port));
}

/** Marks a port to be moved with the call it is an argument of. */
export function moved(port: MessagePort): MessagePort {
  // cast: comlink types transfer lists by the DOM's names; a Node port is transferable here.
  return Comlink.transfer(port, [port] as unknown as Parameters<typeof Comlink.transfer>[1]);
}

/** Comlink speaks to event targets; Node's ports are emitters. */
function endpoint(port: MessagePort): Comlink.Endpoint {
  const listeners = new Map<object, (data: unknown) => void>();
  return {
    postMessage: (message, transfer) => {
      // cast: the list holds what `moved` put there: Node ports under the DOM's name.
      port.postMessage(message, (transfer ?? []) as unknown as MessagePort[]);
    },
    addEventListener: (_type, listener) => {
      const receive = (data: unknown): void => {
        const event = { data } as MessageEvent; // cast: comlink reads `data` alone
        if (typeof listener === "function") listener(event);
        else listener.handleEvent(event);
      };
      listeners.set(listener, receive);
      port.on("message", receive);
    },
    removeEventListener: (_type, listener) => {
      const receive = listeners.get(listener);
      if (receive !== undefined) port.off("message", receive);
      listeners.delete(listener);
    },
    start: () => port.start(),
  };
}
