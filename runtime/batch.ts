// Batch — everything one step of a task has decided and not yet revealed.
//
// Owns: the write set of one frame and what waits behind the output gate: replies, notices,
// acknowledgements, actions. Leaves to others: filling it (applier.ts, task.ts), making it durable
// and opening the gate (host.ts).
//
// Invariants:
//   B1. Nothing in `replies`, `notices`, `acks` or `actions` leaves the task before the frame that
//       holds `records` and `clears` is durable and visible.
//   B2. Replies of a lane stand in the order of its requests.

import { ByteWriter } from "../base/byte-writer.js";
import type { RecordWrite, TableId } from "../store/storage.js";
import type { OwnWork } from "./task-program.js";

export class Batch {
  /** Messages applied. */
  messages = 0;
  /** Bytes of replies to requests. */
  replyBytes = 0;
  records: readonly RecordWrite[] = [];
  clears: ReadonlyMap<TableId, number> = new Map();
  readonly replies: Map<number, ByteWriter> = new Map();
  readonly notices: Map<number, ByteWriter> = new Map();
  /** Sources to be answered: whether one is asked to send again what follows. */
  readonly acks: Map<number, boolean> = new Map();
  readonly actions: (() => void)[] = [];
  /** What is done behind all messages, before the frame is made. */
  readonly lastly: OwnWork[] = [];

  /** Whether there is a frame to make durable before the gate opens. */
  get hasFrame(): boolean {
    return this.records.length > 0 || this.clears.size > 0;
  }

  /** The replies of the lane from `thread`. */
  repliesTo(thread: number): ByteWriter {
    return bodyOf(this.replies, thread);
  }

  /** The notices for the clients on `thread`. */
  noticesTo(thread: number): ByteWriter {
    return bodyOf(this.notices, thread);
  }
}

function bodyOf(bodies: Map<number, ByteWriter>, thread: number): ByteWriter {
  let body = bodies.get(thread);
  if (body === undefined) {
    body = new ByteWriter();
    bodies.set(thread, body);
  }
  return body;
}
