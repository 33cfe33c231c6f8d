// One thread of clients in the program harness: its requests on the way, and who waits for replies.

import type { MessageOrigin, OwnWork } from "../../runtime/task-program.js";
import type { HarnessStamp } from "./program-records.js";

/** A message in, or on its way to, a task's mailbox. */
export interface Received {
  readonly origin: MessageOrigin;
  readonly message: Uint8Array;
  /** In place of the message. */
  readonly work?: OwnWork;
  /** Streams only. */
  readonly sequence: number;
  /** Of what is recorded. */
  readonly stamp?: HarnessStamp;
  /** The id of a client's call. */
  readonly call?: Uint8Array | undefined;
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** What one task has sent to another. */
export interface Stream {
  /** Durable: messages that the destination has not committed, from `acknowledged + 1` on. */
  unacknowledged: Uint8Array[];
  acknowledged: number;
  /** Volatile: newest message on its way or there. */
  sent: number;
}

export class HarnessThread {
  readonly thread: number;
  /** By task: sent and not delivered; first in, first out. */
  readonly requests = new Map<number, Received[]>();
  notice: (task: number, notice: Uint8Array) => void = () => {};
  lost: (tasks: readonly number[] | "all", error: Error) => void = () => {};
  /** By task: without a reply. */
  readonly #pending = new Map<number, Set<Received>>();

  constructor(thread: number) {
    this.thread = thread;
  }

  request(task: number, message: Uint8Array, call?: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const origin: MessageOrigin = { kind: "lane", thread: this.thread };
      const request = { ...received(origin, message.slice()), call, resolve, reject };
      queueIn(this.requests, task).push(request);
      const pending = this.#pending.get(task) ?? new Set();
      this.#pending.set(task, pending.add(request));
    });
  }

  /** The request has its reply. */
  answered(task: number, request: Received): void {
    this.#pending.get(task)?.delete(request);
  }

  /** The task is gone, and with it what was on the way to it. */
  lose(task: number, error: Error): void {
    for (const request of this.#pending.get(task) ?? []) request.reject(error);
    this.#pending.delete(task);
    this.requests.delete(task);
    this.lost([task], error);
  }
}

/** A message without anybody who waits for its reply. */
export function received(origin: MessageOrigin, message: Uint8Array, sequence = 0): Received {
  return { origin, message, sequence, resolve: () => {}, reject: () => {} };
}

/** What a task has sent to itself. */
export function submitted(message: Uint8Array | OwnWork): Received {
  const origin = { kind: "self" } as const;
  if (typeof message !== "function") return received(origin, message.slice());
  return { ...received(origin, new Uint8Array(0)), work: message };
}

/** The queue of that name, made when it is asked for. */
export function queueIn<K, T>(queues: Map<K, T[]>, name: K): T[] {
  let queue = queues.get(name);
  if (queue === undefined) {
    queue = [];
    queues.set(name, queue);
  }
  return queue;
}

/** Stands for the lane of a task's own nodes: nobody is notified on it. */
const ownLane = -1;

/** A message that a task's own node sends to it, recorded; resolves with the reply. */
export function stampedRequest(
  message: Uint8Array,
  stamp: HarnessStamp,
  send: (request: Received) => void,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const origin: MessageOrigin = { kind: "lane", thread: ownLane };
    send({ ...received(origin, message), stamp, resolve, reject });
  });
}
