// Model search — looks for an order of operations that a sequential model explains: the search of
// Wing and Gong, with the memory of Lowe.
//
// For operations without versions: registers, counters, compare-and-set. The price is time that can
// grow exponentially with the number of operations that are under way at once (not with the length
// of the history), so the search is bounded. For long histories write versions
// (versioned-history.ts).
//
// How it goes: calls and returns stand in a list in the order of time. The first call whose answer
// the model gives is taken out together with its return, and the search begins at the front again;
// at a return whose call is still in the list nothing earlier is left to try, and the last one that
// was taken is put back. What was taken so far and the state it led to are remembered: no such pair
// is looked at twice.

import { isDeepStrictEqual } from "node:util";
import { optionInvalid } from "../base/options.js";
import { show } from "../base/show.js";

/** What a sequential machine does. Pure: `step` must not change the state it gets. */
export interface SequentialModel<State, Input, Output> {
  readonly init: State;
  /** The state after an operation, and what the caller is told. */
  step(state: State, input: Input): { readonly state: State; readonly output: Output };
  /** Whether an answer is the expected one. Default: deep equality. */
  same?(expected: Output, found: Output): boolean;
}

/** One call and its answer. */
export interface ModelOperation<Input, Output> {
  readonly input: Input;
  /** Not looked at when the operation did not return. */
  readonly output?: Output;
  /** Each key has a model of its own. Default: all operations are about one thing. */
  readonly key?: string;
  /** Time of the call, of a clock that all callers share. */
  readonly invoked: number;
  /** Time of the return; `Infinity`: the outcome is unknown, it may or may not have happened. */
  readonly returned: number;
  readonly client?: string;
  readonly call?: number;
}

/** How the search for one key ended. */
export interface SearchResult<Operation> {
  readonly outcome: "holds" | "violated" | "undecided";
  readonly steps: number;
  /** The longest order that the model explains. */
  readonly explained: readonly Operation[];
  /** The operations that cannot come next: at least one of them should. */
  readonly stuck: readonly Operation[];
}

/** A call, or the return of one, in a doubly linked list; `end` is both of its ends. */
interface Entry<Operation> {
  readonly operation: Operation;
  /** Number of the call in the order of time. */
  readonly call: number;
  /** The return of a call; undefined for a return and for a call that never returned. */
  match: Entry<Operation> | undefined;
  readonly isReturn: boolean;
  previous: Entry<Operation> | undefined;
  next: Entry<Operation> | undefined;
}

interface Taken<Operation, State> {
  readonly entry: Entry<Operation>;
  readonly before: State;
  readonly highestBefore: number;
}

/** Searches with at most `stepsMax` steps of the model. */
export function searchOrder<State, Input, Output>(
  operations: readonly ModelOperation<Input, Output>[],
  model: SequentialModel<State, Input, Output>,
  stepsMax: number,
): SearchResult<ModelOperation<Input, Output>> {
  return new OrderSearch(operations, model, stepsMax).run();
}

class OrderSearch<State, Input, Output> {
  readonly #model: SequentialModel<State, Input, Output>;
  readonly #stepsMax: number;
  readonly #head: Entry<ModelOperation<Input, Output>>;
  readonly #taken: Taken<ModelOperation<Input, Output>, State>[] = [];
  /** States by what was taken to reach them. */
  readonly #seen = new Map<string, State[]>();
  #explained: readonly ModelOperation<Input, Output>[] = [];
  #stuck: readonly ModelOperation<Input, Output>[] = [];
  #state: State;
  /** The latest call that is taken. */
  #highest = -1;
  /** Operations that have returned and are not taken. */
  #left: number;
  #steps = 0;

  constructor(
    operations: readonly ModelOperation<Input, Output>[],
    model: SequentialModel<State, Input, Output>,
    stepsMax: number,
  ) {
    this.#model = model;
    this.#stepsMax = stepsMax;
    this.#state = model.init;
    this.#head = listOf(operations);
    this.#left = operations.filter(hasReturned).length;
  }

  run(): SearchResult<ModelOperation<Input, Output>> {
    let entry = this.#head.next;
    while (this.#left > 0) {
      if (entry === undefined || entry.isReturn) {
        this.#remember();
        const last = this.#taken.pop();
        if (last === undefined) return this.#result("violated");
        this.#putBack(last);
        entry = last.entry.next;
        continue;
      }
      if (this.#steps >= this.#stepsMax) return this.#result("undecided");
      entry = this.#take(entry) ? this.#head.next : entry.next;
    }
    this.#explained = this.#taken.map((taken) => taken.entry.operation);
    return this.#result("holds");
  }

  /** Takes a call when the model gives its answer and this is new ground. */
  #take(entry: Entry<ModelOperation<Input, Output>>): boolean {
    const { operation } = entry;
    this.#steps += 1;
    const { state, output } = this.#model.step(this.#state, operation.input);
    if (hasReturned(operation) && !this.#isSame(output, operation.output)) return false;
    const before = this.#state;
    const highestBefore = this.#highest;
    unlink(entry);
    if (entry.match !== undefined) unlink(entry.match);
    this.#highest = Math.max(highestBefore, entry.call);
    if (this.#wasSeen(state)) {
      this.#highest = highestBefore;
      if (entry.match !== undefined) relink(entry.match);
      relink(entry);
      return false;
    }
    this.#state = state;
    this.#taken.push({ entry, before, highestBefore });
    if (hasReturned(operation)) this.#left -= 1;
    return true;
  }

  #isSame(expected: Output, found: Output | undefined): boolean {
    const { same } = this.#model;
    if (same === undefined) return isDeepStrictEqual(expected, found);
    // cast: an operation that has returned has an output, which may be undefined
    return same.call(this.#model, expected, found as Output);
  }

  #putBack({ entry, before, highestBefore }: Taken<ModelOperation<Input, Output>, State>): void {
    this.#state = before;
    this.#highest = highestBefore;
    if (entry.match !== undefined) relink(entry.match);
    relink(entry);
    if (hasReturned(entry.operation)) this.#left += 1;
  }

  /** Whether the same calls have led to the same state before; remembers it if not. */
  #wasSeen(state: State): boolean {
    // What was taken: all calls up to the latest, but for those that are still in the list.
    let key = String(this.#highest);
    for (let entry = this.#head.next; entry !== undefined; entry = entry.next) {
      if (entry.isReturn) continue;
      if (entry.call > this.#highest) break;
      key += `,${entry.call}`;
    }
    const states = this.#seen.get(key);
    if (states === undefined) {
      this.#seen.set(key, [state]);
      return false;
    }
    if (states.some((one) => isDeepStrictEqual(one, state))) return true;
    states.push(state);
    return false;
  }

  /** The longest way so far is what a violation is explained with. */
  #remember(): void {
    if (this.#taken.length < this.#explained.length || this.#stuckIsKnown()) return;
    this.#explained = this.#taken.map(({ entry }) => entry.operation);
    const stuck: ModelOperation<Input, Output>[] = [];
    for (let entry = this.#head.next; entry !== undefined; entry = entry.next) {
      if (entry.isReturn) break;
      stuck.push(entry.operation);
    }
    this.#stuck = stuck;
  }

  #stuckIsKnown(): boolean {
    return this.#stuck.length > 0 && this.#taken.length === this.#explained.length;
  }

  #result(
    outcome: "holds" | "violated" | "undecided",
  ): SearchResult<ModelOperation<Input, Output>> {
    return { outcome, steps: this.#steps, explained: this.#explained, stuck: this.#stuck };
  }
}

function hasReturned({ returned }: { readonly returned: number }): boolean {
  return returned !== Number.POSITIVE_INFINITY;
}

/** Calls and returns by time; of a call and a return at one time the call first: they overlap. */
function listOf<Input, Output>(
  operations: readonly ModelOperation<Input, Output>[],
): Entry<ModelOperation<Input, Output>> {
  const calls = operations
    .toSorted((one, other) => one.invoked - other.invoked)
    .map((operation, call) => entryOf(operation, call, false));
  const timed = calls.flatMap((entry) => {
    const { operation, call } = entry;
    if (!hasReturned(operation)) return [{ time: operation.invoked, entry }];
    entry.match = entryOf(operation, call, true);
    return [
      { time: operation.invoked, entry },
      { time: operation.returned, entry: entry.match },
    ];
  });
  timed.sort(
    (one, other) =>
      one.time - other.time || Number(one.entry.isReturn) - Number(other.entry.isReturn),
  );
  // cast: the head stands for no operation, and none is asked of it
  const head = entryOf({} as ModelOperation<Input, Output>, -1, false);
  let last = head;
  for (const { entry } of timed) {
    last.next = entry;
    entry.previous = last;
    last = entry;
  }
  return head;
}

function entryOf<Operation>(
  operation: Operation,
  call: number,
  isReturn: boolean,
): Entry<Operation> {
  return { operation, call, match: undefined, isReturn, previous: undefined, next: undefined };
}

/** Takes an entry out of the list; it keeps its place for `relink`. */
function unlink<Operation>(entry: Entry<Operation>): void {
  if (entry.previous !== undefined) entry.previous.next = entry.next;
  if (entry.next !== undefined) entry.next.previous = entry.previous;
}

/** Undoes the latest `unlink` that is not undone. */
function relink<Operation>(entry: Entry<Operation>): void {
  if (entry.previous !== undefined) entry.previous.next = entry;
  if (entry.next !== undefined) entry.next.previous = entry;
}

/**
 * Refuses what is no history.
 * @throws PartitaError OPTION_INVALID
 */
export function assertTimes(
  operations: readonly { readonly invoked: number; readonly returned: number }[],
): void {
  for (const [index, { invoked, returned }] of operations.entries()) {
    const wrong = (field: string, value: unknown, valid: string) =>
      optionInvalid("checkLinearizable", `history[${index}].${field}`, value, valid);
    if (!Number.isFinite(invoked)) throw wrong("invoked", invoked, "a time");
    if (!(returned >= invoked)) throw wrong("returned", returned, "a time not before `invoked`");
  }
}

/** `ada/3 {"add":1} -> 2 [12, 15]`. */
export function shownCall<Input, Output>(operation: ModelOperation<Input, Output>): string {
  const { input, output, invoked, returned, client, call } = operation;
  const who = client === undefined ? "" : `${client}${call === undefined ? "" : `/${call}`} `;
  const answer = hasReturned(operation) ? show(output) : "unknown";
  return `${who}${show(input)} -> ${answer} [${invoked}, ${returned}]`;
}
