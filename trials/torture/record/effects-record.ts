// Effects record — chains, fans and surveys: each accepted invocation has one row for each of its
// messages.
//
// Calls of each kind are numbered, and each has an id. Memory is bounded: what was found to be
// complete is forgotten as soon as its rows are gone.

import {
  type Again,
  type EffectKind,
  type EffectsResume,
  effectKinds,
  messagesOf,
  msOf,
  windows,
} from "../orders.js";
import type { Bad, Part } from "./part.js";

interface Found {
  readonly of: number;
  readonly steps: number;
  readonly repeats: number;
  readonly doubles: number;
  /** `<kind>:<n>` */
  readonly call: string;
}

/** Acknowledged calls of the life before that are made again. */
const againCount = 4;

class Calls {
  /** Invocations that calls of this life have begun. */
  accepted = new Map<number, string>();
  /** The number behind all that this life can have used. */
  next = 1;
  again: readonly Again[] = [];
  /** Since when this life loads. */
  fromMs: number;

  constructor(fromMs: number) {
    this.fromMs = fromMs;
  }

  /** The time in the id of a call. */
  msOf(n: number): number {
    return this.again.find((call) => call.n === n)?.ms ?? msOf(n, this.next, this.fromMs);
  }
}

export class EffectsRecord implements Part {
  readonly #calls: Readonly<Record<EffectKind, Calls>>;
  readonly #found = new Map<string, Found>();
  /** Invocations that were complete, and whose rows are being removed. */
  #settled = new Set<string>();
  readonly #strict: boolean;

  /**
   * `strict`: the store operations of nodes are remembered, so nothing may come twice. `fromMs`:
   * the first life loads not before.
   */
  constructor(strict: boolean, fromMs: number) {
    const [chain, fan, survey] = [new Calls(fromMs), new Calls(fromMs), new Calls(fromMs)];
    this.#calls = { chain, fan, survey };
    this.#strict = strict;
  }

  ack([kind = "", n = "", id = ""]: readonly string[]): void {
    const known = effectKinds.find((one) => one === kind);
    if (known !== undefined) this.#calls[known].accepted.set(Number(n), id);
  }

  found([id = "", call = "", ...numbers]: readonly string[]): void {
    const [of = 0, steps = 0, repeats = 0, doubles = 0] = numbers.map(Number);
    this.#found.set(id, { of, steps, repeats, doubles, call });
  }

  judge(bad: Bad): void {
    const begun = new Map<string, string>();
    for (const [id, { of, steps, repeats, doubles, call }] of this.#found) {
      const other = begun.get(call);
      if (other !== undefined) bad("duplicated", `${call} has begun ${other} and ${id}`);
      begun.set(call, id);
      if (this.#settled.has(id)) continue;
      if (steps < of) bad("lost", `invocation ${id}: ${steps} messages of ${of} had an effect`);
      if (doubles > 0) bad("duplicated", `invocation ${id}: ${doubles} messages came twice`);
      if (this.#strict && repeats > 0) {
        bad("duplicated", `invocation ${id}: ${repeats} effects were applied again`);
      }
    }
    for (const kind of effectKinds) this.#judgeCalls(kind, begun, bad);
    this.#settled = new Set(this.#found.keys());
    this.forget();
  }

  #judgeCalls(kind: EffectKind, begun: ReadonlyMap<string, string>, bad: Bad): void {
    const calls = this.#calls[kind];
    for (const [n, id] of calls.accepted) {
      if (!this.#found.has(id)) bad("lost", `${kind} ${n}, invocation ${id}: no row is there`);
    }
    const last = Math.max(calls.next - 1, ...calls.accepted.keys());
    const unknown = new Set(calls.again.filter(({ id }) => id === "").map(({ n }) => n));
    for (let n = calls.next; n <= last + windows.effects; n += 1) {
      if (!calls.accepted.has(n)) unknown.add(n);
    }
    for (const n of calls.accepted.keys()) unknown.delete(n);
    const accepted = [...calls.accepted].slice(-againCount);
    calls.again = [
      ...accepted.map(([n, id]) => ({ n, ms: calls.msOf(n), id })),
      ...Array.from(unknown, (n) => {
        return { n, ms: calls.msOf(n), id: begun.get(`${kind}:${n}`) ?? "" };
      }),
    ];
    calls.next = last + windows.effects + 1;
    calls.accepted = new Map();
  }

  forget(): void {
    this.#found.clear();
  }

  /** A life loads since `ms`. */
  resume(ms: number): Readonly<Record<EffectKind, EffectsResume>> {
    const { chain, fan, survey } = this.#calls;
    const resumeOf = (calls: Calls): EffectsResume => {
      calls.fromMs = ms;
      return { next: calls.next, again: calls.again };
    };
    return { chain: resumeOf(chain), fan: resumeOf(fan), survey: resumeOf(survey) };
  }

  /** Some of what was accepted in this life, to be asked for its result in the next. */
  results(most: number): readonly (readonly [EffectKind, string, number])[] {
    return effectKinds.flatMap((kind) => {
      const newest = [...this.#calls[kind].accepted].slice(-most);
      return newest.map(([n, id]) => [kind, id, messagesOf(kind, n)] as const);
    });
  }
}
