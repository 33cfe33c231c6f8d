// Outlet — what a task's driver needs of the thread it runs on: a way out, and a pace.
//
// The host is one; it knows its drivers, so drivers know it by this contract alone.

import type { PlanShape } from "./plan.js";
import type { SectionKind } from "./packet.js";
import type { StreamAck } from "./stream-encoding.js";
import type { System } from "./system.js";

export interface Outlet {
  readonly plan: PlanShape;
  readonly system: System;
  /** Adds a section to the packet of the thread that it is for; it leaves with the next flush. */
  post(thread: number, kind: SectionKind, from: number, to: number, body: Uint8Array): void;
  /** Tells a source task what one of this thread's tasks has applied, and made durable. */
  acknowledge(task: number, source: number, ack: StreamAck): void;
  /** Asks a destination what it knows of one of this thread's tasks. */
  greet(task: number, destination: number): void;
}
