// Stage — where nodes leave what they saw: the run that is on at the time.
//
// Functions of a topology have nothing but their context; one run after the other in a process, so
// the run can be found here.

import type { TurnTaker } from "./turns.js";

/** Notes how a read or write of a register came out; called when it has returned. */
export type NoteReturn = (version: number, by: string | undefined) => void;

export interface Stage {
  /** A node begins an operation on a register; `name` is the same when the node runs again. */
  note(name: string, key: string, kind: "read" | "write"): NoteReturn;
  /** An invocation runs on behalf of whoever has begun `id`. */
  began(
    id: string,
    agent: "inquiries" | "offices" | "stories" | "clerks",
    invocationId: string,
  ): void;
  /** The function of a keyed node begins; `place` names the agent's node and its key. */
  turn(place: string, node: TurnTaker): void;
  /** Functions of a task that only wait and stay in memory. */
  readonly awakeMax: number;
}

let current: Stage | undefined;

export function enter(stage: Stage | undefined): void {
  current = stage;
}

export function stage(): Stage {
  if (current === undefined) throw new RangeError("no run is on");
  return current;
}
