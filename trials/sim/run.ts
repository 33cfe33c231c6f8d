// Run — one seed's simulation while it lasts: its clients, what they saw, and what was promised.
//
// Owns: the notes that are judged later, and the clock they are dated by: it goes up with every
// call and every return, so what happened first has the smaller number.

import { PartitaError } from "../../index.js";
import type { ModelOperation, VersionedOperation } from "../../testing/index.js";
import type { SimulatedRuntime } from "../../testing/index.js";
import type { SimParts } from "./topology.js";
import type { NoteReturn, Stage } from "./stage.js";

/** Effects of one call: all of them once, or none of them; all once when it was acknowledged. */
export interface Promised {
  readonly names: readonly string[];
  acknowledged: boolean;
}

export type SlotInput =
  | { readonly does: "put"; readonly value: string }
  | { readonly does: "get" | "delete" | "clear" };

/** Its outcome is not known: the thread or the process died under the call. */
const unknown = Symbol("unknown");

export class Run implements Stage {
  readonly runtime: SimulatedRuntime<SimParts>;
  readonly random: () => number;
  readonly registers: VersionedOperation[] = [];
  readonly slots: ModelOperation<SlotInput, unknown>[] = [];
  readonly promised: Promised[] = [];
  /** Effects that must never be. */
  readonly forbidden: string[] = [];
  /** What was counted under a name when it was cancelled, and stands still since. */
  readonly stopped: { readonly name: string; readonly count: number }[] = [];
  /** Invocations that callers were told to have failed: nodes of theirs were given up. */
  readonly failed = new Set<string>();
  /** Keys that were used, by store. */
  readonly registerKeys = new Set<string>();
  readonly slotKeys = new Set<string>();
  /** Receivers of which a letter was given up, and replayed when others had come. */
  readonly replayedReceivers = new Set<string>();
  readonly violations: string[] = [];
  /** Calls that have not returned, in words. */
  readonly waiting = new Set<string>();
  /** What all of its names and keys begin with. */
  readonly prefix: string;
  /** Its clients do nothing any more. */
  isOver = false;
  readonly #visited = new Map<string, { invoked: number; operation?: VersionedOperation }>();
  #time = 0;
  #names = 0;

  constructor(runtime: SimulatedRuntime<SimParts>, random: () => number, prefix = "") {
    this.runtime = runtime;
    this.random = random;
    this.prefix = prefix;
  }

  /** A moment later than all others so far. */
  now(): number {
    this.#time += 1;
    return this.#time;
  }

  /** A name that nothing else has. */
  name(kind: string): string {
    this.#names += 1;
    return `${this.prefix}${kind}${this.#names}`;
  }

  /** One of `count` keys of a kind. */
  key(kind: string, count: number): string {
    return `${this.prefix}${kind}${this.pick(count)}`;
  }

  pick(count: number): number {
    return Math.floor(this.random() * count);
  }

  /** A call's outcome: its value, or nothing when unknown. Other refusals are violations. */
  async outcome<T>(
    what: string,
    call: () => Promise<T>,
  ): Promise<{ readonly value: T } | undefined> {
    if (this.isOver) return await new Promise(() => {});
    this.waiting.add(what);
    const value = await call().catch((error: unknown) => {
      if (PartitaError.is(error, "INVOCATION_FAILED")) {
        this.failed.add(error.details.invocationId);
      } else if (!PartitaError.is(error, "TASK_EXITED")) {
        this.violations.push(`S8: ${what} was refused: ${String(error)}`);
      }
      return unknown;
    });
    this.waiting.delete(what);
    // cast: what is not the mark is what the call resolved with.
    return value === unknown ? undefined : { value: value as T };
  }

  note(name: string, key: string, kind: "read" | "write"): NoteReturn {
    this.registerKeys.add(key);
    const known = this.#visited.get(name) ?? { invoked: this.now() };
    this.#visited.set(name, known);
    const { invoked } = known;
    if (kind === "write" && known.operation === undefined) {
      const unfinished = { kind, key, version: undefined, value: name, invoked };
      known.operation = { ...unfinished, returned: Number.POSITIVE_INFINITY };
    }
    return (version, by) => {
      const operation = { kind, key, version, value: by, invoked, returned: this.now() };
      const before = known.operation;
      if (kind === "read") this.registers.push(operation);
      else if (before?.version === undefined) known.operation = operation;
      else if (before.version !== version) {
        this.violations.push(`S6: ${name} wrote version ${before.version} and ${version}`);
      }
    };
  }

  /** Writes of nodes are noted once, however often the node ran. */
  finishNotes(): void {
    for (const { operation } of this.#visited.values()) {
      if (operation?.kind === "write") this.registers.push(operation);
    }
  }
}
