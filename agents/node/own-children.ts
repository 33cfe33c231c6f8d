// Own children — the invocations that nodes of a task have begun, as long as these nodes run: they
// are cancelled with them.
//
// A child is on record from when it is begun until its node has ended. A node whose invocation is
// cancelled ends only when its children have stopped: their homes are asked, and say when.
// Owns: these rows, the same in memory, asking, and being told. Leaves to others: what a node only
// waits for (waits.ts), rows that wait for their children (failed-nodes.ts), the child's home
// (home/attempts.ts), layouts of keys (wait-rows.ts).
//
// Invariants:
//   W1. A child that is on record as begun is asked to stop, whatever dies meanwhile: a start asks
//       all of them again, of which a home takes no notice.
//   W2. Nobody waits for a child that has an id of its own: it may have been begun by whoever waits
//       for this very node. The ids of others follow from their nodes, so no two wait for each
//       other.
//   W3. Of one row at most `limits.childrenStopMax` children are asked at a time: no frame grows
//       with their number.
//   W4. What has ended by itself, or was given up, cancels nothing: its children go their own way.

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { eachRow } from "../table-rows.js";
import { encodeAttempt } from "../wire/attempt-message.js";
import {
  formatInvocationId,
  type InvocationId,
  invocationIdOf,
  invocationName,
  placementOf,
} from "../wire/invocation-id.js";
import { encodeNeighbourRequest } from "../wire/neighbour-request.js";
import { type Wanted, wholeRow } from "../wire/wait-fields.js";
import { type ChildStoppedMessage, encodeTaskWait } from "../wire/wait-message.js";
import type { OpenWaits } from "./open-waits.js";
import {
  childKey,
  childOfKey,
  childrenRange,
  decodeChild,
  decodeWait,
  encodeChild,
  type OwnChild,
  ownChildOf,
  type WaitedFor,
  waitKey,
  waitTable,
} from "./wait-rows.js";

/** The children of one row, by name. */
interface Children {
  /** In the order in which they were begun. */
  readonly running: Set<string>;
  /** In this life. */
  readonly asked: Set<string>;
}

export class OwnChildren {
  readonly #port: TaskPort;
  readonly #open: OpenWaits;
  /** By row. */
  readonly #children = new Map<number, Children>();
  readonly #closed = new AbortController();

  constructor(port: TaskPort, open: OpenWaits) {
    this.#port = port;
    this.#open = open;
  }

  /** Reads what was left from before. */
  start(): void {
    eachRow(this.#port, waitTable, childrenRange, (key) => {
      const { arrivalNo, child } = childOfKey(key);
      this.#of(arrivalNo).running.add(invocationName(child));
    });
  }

  close(): void {
    this.#closed.abort();
  }

  /** Whether a row has children that may run. */
  has(arrivalNo: number): boolean {
    return this.#children.has(arrivalNo);
  }

  /** The node of a row has begun an invocation with what it waits for, or has asked for. */
  begun(turn: Turn, arrivalNo: number, wanted: Wanted | WaitedFor): void {
    const own = ownChildOf(wanted);
    if (own !== undefined) this.#add(turn, arrivalNo, own.child, own);
  }

  /** What the node of a row has begun, and waits for the result of, is on record as begun, too. */
  adopt(turn: Turn, arrivalNo: number): void {
    for (const index of this.#open.of(arrivalNo)) {
      const row = turn.get(waitTable, waitKey({ arrivalNo, index }));
      if (row !== undefined) this.begun(turn, arrivalNo, decodeWait(row.slice()).wanted);
    }
  }

  /** Known already, it stays as it is. */
  #add(turn: Turn, arrivalNo: number, child: InvocationId, row: OwnChild): void {
    const { running, asked } = this.#of(arrivalNo);
    const name = invocationName(child);
    if (running.has(name) || asked.has(name)) return;
    running.add(name);
    turn.put(waitTable, childKey(arrivalNo, child), encodeChild(row));
  }

  /** The children of a row are to stop, and it is to be told when they have (W1, W3). */
  cancel(turn: Turn, arrivalNo: number): void {
    const children = this.#children.get(arrivalNo);
    if (children === undefined) return;
    const { running, asked } = children;
    for (const name of running) {
      if (asked.size >= limits.childrenStopMax) return;
      running.delete(name);
      if (this.#ask(turn, arrivalNo, name, true)) asked.add(name);
    }
    this.#forgetEmpty(arrivalNo);
  }

  /** The same, and nobody waits for it: the row goes. */
  abandon(turn: Turn, arrivalNo: number): void {
    const { running } = this.#of(arrivalNo);
    for (const name of running) this.#ask(turn, arrivalNo, name, false);
    this.forget(turn, arrivalNo);
  }

  /** Nothing of a child runs any more: the next one is asked. */
  stopped(turn: Turn, { arrivalNo, child }: ChildStoppedMessage): void {
    const children = this.#children.get(arrivalNo);
    const name = invocationName(child);
    const { running, asked } = children ?? { running: new Set(), asked: new Set() };
    const isKnown = running.delete(name) || asked.delete(name);
    if (!isKnown) return;
    turn.delete(waitTable, childKey(arrivalNo, child));
    this.cancel(turn, arrivalNo);
  }

  /** A row has ended by itself (W4). */
  forget(turn: Turn, arrivalNo: number): void {
    const children = this.#children.get(arrivalNo);
    // Most have begun nothing.
    if (children === undefined) return;
    for (const names of [children.running, children.asked]) {
      for (const name of names) {
        turn.delete(waitTable, childKey(arrivalNo, invocationIdOf(name)));
      }
    }
    this.#children.delete(arrivalNo);
  }

  /** A row that was given up is there again, under another number. */
  move(turn: Turn, from: number, to: number): void {
    for (const name of this.#children.get(from)?.running ?? []) {
      const child = invocationIdOf(name);
      const row = turn.get(waitTable, childKey(from, child));
      if (row !== undefined) this.#add(turn, to, child, decodeChild(row.slice()));
    }
    this.forget(turn, from);
  }

  /** Returns whether it is waited for. */
  #ask(turn: Turn, arrivalNo: number, name: string, waits: boolean): boolean {
    const child = invocationIdOf(name);
    const row = turn.get(waitTable, childKey(arrivalNo, child));
    if (row === undefined) return false;
    const { topology, agent, isNamed } = decodeChild(row);
    if (topology !== "") {
      turn.afterCommit(() => void this.#askNeighbour(topology, agent, child, arrivalNo));
      return waits;
    }
    const isWaitedFor = waits && !isNamed;
    const by = isWaitedFor ? { task: this.#port.taskId, arrivalNo } : undefined;
    const home = this.#port.ownerOf(placementOf(child));
    turn.send(home, encodeAttempt({ kind: "cancel", agent, invocationId: child, by }));
    if (!isWaitedFor) turn.delete(waitTable, childKey(arrivalNo, child));
    return isWaitedFor;
  }

  /** Asks another topology until it has stopped there, or that topology is away. */
  async #askNeighbour(
    topology: string,
    agent: string,
    child: InvocationId,
    arrivalNo: number,
  ): Promise<void> {
    const { signal } = this.#closed;
    const invocationId = formatInvocationId(child);
    const request = { op: "ask", agent, invocationId, question: "cancel" } as const;
    const bytes = encodeNeighbourRequest(request);
    for (let tries = 1; !signal.aborted; tries += 1) {
      const isTold = await this.#port.neighbour(topology, bytes, signal).then(
        () => true,
        (error: unknown) => !PartitaError.is(error, "TASK_EXITED"),
      );
      if (isTold || tries >= limits.neighbourTriesMax) break;
      await new Promise<void>((resolve) => this.#port.after(limits.neighbourPauseMs, resolve));
    }
    if (signal.aborted) return;
    const place = { arrivalNo, index: wholeRow };
    this.#port.submit(encodeTaskWait({ kind: "childStopped", ...place, child }));
  }

  #of(arrivalNo: number): Children {
    const known = this.#children.get(arrivalNo);
    if (known !== undefined) return known;
    const children = { running: new Set<string>(), asked: new Set<string>() };
    this.#children.set(arrivalNo, children);
    return children;
  }

  #forgetEmpty(arrivalNo: number): void {
    const { running, asked } = this.#of(arrivalNo);
    if (running.size + asked.size === 0) this.#children.delete(arrivalNo);
  }
}
