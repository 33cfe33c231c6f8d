// Run — one seed's simulation while it lasts: its clients, what they saw, and what was promised.
//
// Owns: the notes that are judged later, and the clock they are dated by: it goes up with every
// call and every return, so what happened first has the smaller number.

import { PartitaError } from "../../index.js";
import type { ModelOperation, VersionedOperation } from "../../testing/index.js";
import type { SimulatedRuntime } from "../../testing/index.js";
import type { SimParts } from "./topology.js";
import { AnswerBook } from "./answer-book.js";
import type { NoteReturn, Stage } from "./stage.js";
import { type TurnTaker, Turns } from "./turns.js";
import type { Asked, Story } from "./waiting-topology.js";

/** Effects of one call: all of them once, or none of them; all once when it was acknowledged. */
export interface Promised {
  readonly names: readonly string[];
  acknowledged: boolean;
}

/** An invocation that a node has run for. */
export interface Begun {
  readonly agent: "inquiries" | "offices" | "stories" | "clerks";
  readonly invocationId: string;
}

/** A story that was told to its end, and by whom. */
export interface ToldStory {
  readonly agent: "stories" | "relays";
  readonly invocationId: string;
  readonly story: Story;
}

export type SlotInput =
  | { readonly does: "put"; readonly value: string }
  | { readonly does: "get" | "delete" | "clear" };

/** Its outcome is not known: the thread or the process died under the call. */
const unknown = Symbol("unknown");

/** Far more than there are deaths, or moments in which a thread is not back yet. */
const triesMax = 400;

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
  /** Node invocations that were given up, and may come late. */
  readonly late = new Set<string>();
  readonly answers = new AnswerBook();
  /** What inquiries have resulted in. */
  readonly asked: {
    readonly id: string;
    readonly count: number;
    readonly asked: readonly Asked[];
    readonly top: Begun;
  }[] = [];
  /** What was begun on behalf of a name. */
  readonly begun = new Map<string, Begun[]>();
  /** Names whose invocations were cancelled while they waited. */
  readonly abandoned: { readonly id: string; readonly top: Begun }[] = [];
  /** Names whose inquiries were cancelled by those who had begun them. */
  readonly left: string[] = [];
  readonly told: ToldStory[] = [];
  /** Names of which some node was given up and replayed: a caller may have called again. */
  readonly givenUp = new Set<string>();
  readonly violations: string[] = [];
  /** Calls that have not returned, in words. */
  readonly waiting = new Set<string>();
  /** What all of its names and keys begin with. */
  readonly prefix: string;
  readonly awakeMax: number;
  /** Told how calls come out, in words; for people. */
  trace: ((line: string) => void) | undefined;
  /** Its clients do nothing any more. */
  isOver = false;
  readonly #turns = new Turns();
  readonly #visited = new Map<string, { invoked: number; operation?: VersionedOperation }>();
  /** Outcomes that told of a failure. */
  #failures = 0;
  #time = 0;
  #names = 0;

  constructor(
    runtime: SimulatedRuntime<SimParts>,
    random: () => number,
    awakeMax: number,
    prefix = "",
  ) {
    this.runtime = runtime;
    this.random = random;
    this.awakeMax = awakeMax;
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

  /** Attempts in which a node is to throw: often none. */
  throwsBelow(count: number, less: number): number {
    return Math.max(0, this.pick(count) - less);
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
        this.#failures += 1;
      } else if (!PartitaError.is(error, "TASK_EXITED")) {
        this.violations.push(`S8: ${what} was refused: ${String(error)}`);
      }
      return unknown;
    });
    this.waiting.delete(what);
    const shown = (): string => (value === unknown ? "unknown" : (JSON.stringify(value) ?? "done"));
    this.trace?.(`  ${what}: ${shown()}`);
    // cast: what is not the mark is what the call resolved with.
    return value === unknown ? undefined : { value: value as T };
  }

  /** The same, made again until its outcome is known, or it has failed. */
  async persistently<T>(
    what: string,
    call: () => Promise<T>,
  ): Promise<{ readonly value: T } | undefined> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const failures = this.#failures;
      const outcome = await this.outcome(what, call);
      if (outcome !== undefined || this.#failures > failures) return outcome;
      // A thread that has died takes a while to come back.
      await this.runtime.advance(1);
    }
    this.violations.push(`L1: ${what} had no outcome at ${triesMax} tries`);
    return undefined;
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

  began(id: string, agent: Begun["agent"], invocationId: string): void {
    const known = this.begun.get(id) ?? [];
    this.begun.set(id, known);
    known.push({ agent, invocationId });
  }

  turn(place: string, node: TurnTaker): void {
    // What is left from before a power cut may run again: its end was lost.
    if (!place.includes(` ${this.prefix}`)) return;
    const newer = this.#turns.begin(place, node);
    if (newer === undefined || this.late.has(node.nodeInvocationId)) return;
    const { nodeInvocationId } = node;
    this.violations.push(`S3: ${nodeInvocationId} began again at ${place} behind ${newer}`);
  }

  /** A node was given up; its message may say for whom it ran, else its invocation is known. */
  giveUp(invocationId: string, message: unknown): void {
    const named: unknown = Object(message)["id"];
    if (typeof named === "string") this.givenUp.add(rootOf(named));
    for (const [id, begun] of this.begun) {
      if (begun.some((one) => one.invocationId === invocationId)) this.givenUp.add(id);
    }
  }

  /** Whether what happened under this name, or one below it, has no exact count. */
  isGivenUp(name: string): boolean {
    return this.givenUp.has(rootOf(name));
  }

  /** Writes of nodes are noted once, however often the node ran. */
  finishNotes(): void {
    for (const { operation } of this.#visited.values()) {
      if (operation?.kind === "write") this.registers.push(operation);
    }
  }
}

/** The name that a name was made from: `f1/0/2 began` from `f1`. */
export function rootOf(name: string): string {
  return name.split(/[ /](?=\d|began|ended|part|knot)/, 1)[0] ?? name;
}
