// Handler notes — what each thread is about to run, and that it is alive, in memory that the
// watchdog reads.
//
// A thread writes with plain stores, since it must not wait for anybody: an update costs five of
// them. The watchdog reads only what has not moved for a long time, so nothing has to be atomic.
// Owns: the layout. Leaves to others: when a thread is stuck (watchdog.ts), when to note what
// (task.ts, task-driver.ts, agents).
//
//   row of a thread   0 watched u32 │ 1 beats u32 │ 2 kind │ 3 task │ 4, 5 what │ 6 label length
//                     │ from byte 32: label
//   row 0 of the launching thread has in word 7 whether an inspector is open, for all of them
//
// Invariants:
//   N1. A note stands from right before users' code is called until it has returned. A beat wipes
//       it too: the event loop turns, so nothing that was noted is on the stack.
//   N2. The kind is written after the rest of a note.

import { assert } from "../base/invariant.js";

const rowWords = 64;
const rowBytes = rowWords * 4;
const labelAt = 32;
/** Two names and what stands between them. */
const labelBytesMax = rowBytes - labelAt;

const word = { watched: 0, beats: 1, kind: 2, task: 3, low: 4, high: 5, label: 6, inspected: 7 };

const noted = { nothing: 0, update: 1, node: 2, device: 3, nodes: 4 } as const;

/** What a thread was about to run when it was last heard of. */
export type HandlerNote =
  | { readonly kind: "nothing" }
  /** Waits for the device: no handler. */
  | { readonly kind: "device"; readonly task: number }
  | {
      readonly kind: "update";
      readonly task: number;
      readonly table: number;
      readonly update: number;
    }
  | {
      readonly kind: "node";
      readonly task: number;
      /** Number of its row in the queue of the task. */
      readonly arrivalNo: number;
      readonly agent: string;
      readonly node: string;
    }
  /** Nodes go on behind what they waited for: this one or another that went on with it. */
  | {
      readonly kind: "nodes";
      readonly task: number;
      readonly agent: string;
      readonly node: string;
    };

/** One thread as the watchdog sees it. */
export interface ThreadLife {
  readonly watched: boolean;
  readonly beats: number;
}

/** Memory for the launching thread and `threadCount` task threads. */
export function createNotesMemory(threadCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer((threadCount + 1) * rowBytes);
}

/** One thread's pen. */
export class HandlerNotes {
  readonly #words: Int32Array;
  readonly #label: Uint8Array;

  constructor(memory: SharedArrayBuffer, thread: number) {
    this.#words = new Int32Array(memory, thread * rowBytes, rowWords);
    this.#label = new Uint8Array(memory, thread * rowBytes + labelAt, labelBytesMax);
  }

  /** From now on the thread has to beat. */
  watch(): void {
    this.beat();
    Atomics.store(this.#words, word.watched, 1);
  }

  /** It has ended, or is about to: it beats no more. */
  unwatch(): void {
    Atomics.store(this.#words, word.watched, 0);
  }

  beat(): void {
    this.#words[word.kind] = noted.nothing;
    Atomics.add(this.#words, word.beats, 1);
  }

  /** An update is about to run. */
  update(task: number, table: number, update: number): void {
    const words = this.#words;
    words[word.task] = task;
    words[word.low] = table;
    words[word.high] = update;
    words[word.kind] = noted.update;
  }

  /** A node function is about to be called. */
  node(task: number, arrivalNo: number, agent: string, node: string): void {
    const words = this.#words;
    words[word.task] = task;
    words[word.low] = arrivalNo % 2 ** 31;
    words[word.high] = Math.floor(arrivalNo / 2 ** 31);
    this.#writeLabel(agent, node);
    words[word.kind] = noted.node;
  }

  /** Node functions are about to go on, this one last. */
  nodes(task: number, agent: string, node: string): void {
    this.#words[word.task] = task;
    this.#writeLabel(agent, node);
    this.#words[word.kind] = noted.nodes;
  }

  /** A frame is about to be written and synced. */
  device(task: number): void {
    this.#words[word.task] = task;
    this.#words[word.kind] = noted.device;
  }

  /** What was noted has returned. */
  clear(): void {
    this.#words[word.kind] = noted.nothing;
  }

  /** Names are ASCII (base/name.ts). */
  #writeLabel(agent: string, node: string): void {
    const label = `${agent}/${node}`;
    assert(label.length <= labelBytesMax, "names are bounded");
    for (let index = 0; index < label.length; index += 1) {
      this.#label[index] = label.charCodeAt(index);
    }
    this.#words[word.label] = label.length;
  }

  /** The launching thread's alone: somebody debugs this process, so threads may stand still. */
  inspected(is: boolean): void {
    Atomics.store(this.#words, word.inspected, is ? 1 : 0);
  }
}

/** The watchdog's view of all threads. */
export class NotesReader {
  readonly threadCount: number;
  readonly #memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.threadCount = memory.byteLength / rowBytes;
    this.#memory = memory;
    this.#words = new Int32Array(memory);
  }

  get inspected(): boolean {
    return Atomics.load(this.#words, word.inspected) === 1;
  }

  life(thread: number): ThreadLife {
    const watched = this.#at(thread, word.watched) === 1;
    return { watched, beats: this.#at(thread, word.beats) };
  }

  note(thread: number): HandlerNote {
    const task = this.#at(thread, word.task);
    const low = this.#at(thread, word.low);
    const high = this.#at(thread, word.high);
    switch (this.#at(thread, word.kind)) {
      case noted.update:
        return { kind: "update", task, table: low, update: high };
      case noted.node: {
        const [agent = "", node = ""] = this.#label(thread).split("/");
        return { kind: "node", task, arrivalNo: high * 2 ** 31 + low, agent, node };
      }
      case noted.nodes: {
        const [agent = "", node = ""] = this.#label(thread).split("/");
        return { kind: "nodes", task, agent, node };
      }
      case noted.device:
        return { kind: "device", task };
      default:
        return { kind: "nothing" };
    }
  }

  #at(thread: number, index: number): number {
    return Atomics.load(this.#words, thread * rowWords + index);
  }

  #label(thread: number): string {
    const length = this.#at(thread, word.label);
    const bytes = new Uint8Array(this.#memory, thread * rowBytes + labelAt, length);
    return String.fromCharCode(...bytes);
  }
}
