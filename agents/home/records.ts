// Records — the rows of invocations, read and written: who waits for what a change says is told.
//
// Owns: reading and writing them, threads that wait for an outcome, and telling streams and
// retention when an invocation is over. Leaves to others: what is in a record
// (invocation-record.ts), why it changes (invocations.ts, attempts.ts).
//
// Invariant: an outcome is told to the threads that waited for it in the frame that makes it so.

import { assert } from "../../base/invariant.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { type InvocationId, isZeroId, placementOf } from "../wire/invocation-id.js";
import { encodeNotice } from "../wire/outcome.js";
import {
  decodeRecord,
  encodeRecord,
  type InvocationRecord,
  invocationTable,
  outcomeOf,
} from "./invocation-record.js";
import { laneOf } from "../wire/message.js";
import { Questions } from "./questions.js";
import { Retention } from "./retention.js";
import { StallWatch } from "./stall-watch.js";
import { Streams } from "./streams.js";
import { WaitingThreads } from "./waiting-threads.js";

/** What an agent has to say of its records. */
interface KeptRecords {
  /** How many of them stay. */
  readonly retainedMax: (agent: string) => number;
  /** How long one of its invocations may come no further. */
  readonly stallThresholdMs: (agent: string) => number;
}

export class Records {
  readonly #port: TaskPort;
  readonly retention: Retention;
  readonly streams = new Streams();
  /** What invocations ask humans, and nodes that wait for invocations. */
  readonly questions: Questions;
  readonly watch = new StallWatch();
  /** Threads that wait for an outcome. */
  readonly waiting = new WaitingThreads();
  readonly #stallThresholdMs: (agent: string) => number;
  #placeLast = 0;

  /** `answerBytesMax`: of one answer to a question. */
  constructor(port: TaskPort, answerBytesMax: number, kept: KeptRecords) {
    this.#port = port;
    this.questions = new Questions(port, answerBytesMax);
    this.#stallThresholdMs = kept.stallThresholdMs;
    this.retention = new Retention(port, kept.retainedMax);
  }

  threadExited(thread: number): void {
    this.waiting.threadExited(thread);
    this.streams.threadExited(thread);
    this.questions.threadExited(thread);
  }

  /** `found` is shown every record there is. */
  start(found: (id: InvocationId, record: InvocationRecord) => void): void {
    this.#placeLast = this.retention.start((id, record) => {
      if (!isOver(record)) this.#progressed(id, record.agent);
      found(id, record);
    });
  }

  /** The record of an invocation whose home this is; `undefined` when it is forgotten. */
  read(turn: Turn, id: InvocationId): InvocationRecord | undefined {
    const home = this.#port.ownerOf(placementOf(id));
    const { taskId } = this.#port;
    assert(home === taskId, () => `an invocation of task ${home} reached task ${taskId}`);
    const row = turn.get(invocationTable, id);
    return row === undefined ? undefined : decodeRecord(row);
  }

  /** The thread whose message is in hand is told the outcome. */
  wait(turn: Turn, id: InvocationId): void {
    this.waiting.add(laneOf(turn).thread, id);
  }

  /** The first record of an invocation. */
  create(turn: Turn, id: InvocationId, record: InvocationRecord): void {
    turn.put(invocationTable, id, encodeRecord(record), true);
    // A message that is taken back leaves nothing in memory either. No node can have run before.
    turn.afterCommit(() => this.#progressed(id, record.agent));
  }

  /** A record that has changed. */
  write(turn: Turn, id: InvocationId, before: InvocationRecord, after: InvocationRecord): void {
    const isEnding = !isOver(before) && isOver(after);
    if (isEnding) this.#placeLast += 1;
    const placed = isEnding ? { ...after, placeNo: this.#placeLast } : after;
    turn.put(invocationTable, id, encodeRecord(placed));
    const outcome = before.state.kind === "pending" ? outcomeOf(after) : undefined;
    if (outcome !== undefined) {
      const notice = encodeNotice({ kind: "outcome", invocationId: id, outcome });
      for (const thread of this.waiting.take(id)) turn.notify(thread, notice);
      if (after.isAwaited) this.questions.ended(turn, id, outcome);
    }
    if (isOver(after)) this.watch.ended(id);
    else this.#progressed(id, after.agent);
    const isFinished = isZeroId(after.outstanding);
    const hasFailed = after.state.kind === "failed" || after.state.kind === "cancelled";
    if (isFinished || hasFailed) this.streams.ended(turn, id);
    if (isEnding) this.retention.over(turn, after.agent, id, this.#placeLast);
  }

  #progressed(id: InvocationId, agent: string): void {
    this.watch.progressed(id, this.#port.now() + this.#stallThresholdMs(agent));
  }
}

/** It has ended, and nothing of it runs any more. */
function isOver({ state, outstanding }: InvocationRecord): boolean {
  return state.kind !== "pending" && isZeroId(outstanding);
}
