// Store calls — calls of a store and what must come of them, according to its model; also when the
// owner of a key dies while they are under way.
//
// A call that is rejected with TASK_EXITED has an unknown outcome: it happened, or it did not. The
// key is read afterwards, and must show one of the two; from then on that is what the model holds.
// Of calls of one key that were under way together, some of the first may have happened, and none
// behind one that did not.

import { PartitaError } from "../base/errors.js";
import { show } from "../base/show.js";
import type { ErasedUpdates } from "../store/declaration.js";
import type { KeyValueStore } from "../store/key-value-store.js";
import { sameValue } from "./same-value.js";
import type { StoreModel } from "./store-models.js";

/** The client of a store whose types are not known. */
export type AnyStore = KeyValueStore<unknown, unknown, ErasedUpdates>;

/** A store that is tested, and what it lives on. */
export interface TestedStore {
  readonly store: AnyStore;
  /** Resolves when what has died is likely to serve again. */
  recovered(): Promise<void>;
}

/** What a call does to a key's value, and what it answers; a code when it is refused. */
export interface Effect {
  readonly value: unknown;
  readonly answer?: unknown;
  readonly refusedWith?: string;
}

/** A call that concerns one key. */
export interface KeyCall {
  readonly text: string;
  readonly key: unknown;
  /** Whether it can change the key: a read that gets no answer has done nothing. */
  readonly writes: boolean;
  effect(current: unknown): Effect;
  run(store: AnyStore): Promise<unknown>;
}

/** A call that concerns many keys. It is made alone. */
export interface WholeCall {
  readonly text: string;
  /** What it answers, according to the model as it is. */
  answer(model: StoreModel): unknown;
  /** What it writes, in order; absent for a read. */
  readonly writes?: (model: StoreModel) => readonly (readonly [unknown, unknown])[];
  run(store: AnyStore): Promise<unknown>;
}

/** A value that the key may have now. `stopped`: a call without an answer did not happen. */
interface Candidate {
  readonly value: unknown;
  readonly stopped: boolean;
}

/** So often a read is tried again when what it waits on dies. */
const readAttemptsMax = 100;

/** Makes all calls before any has answered, and compares every answer with the model's. */
export async function makeKeyCalls(
  calls: readonly KeyCall[],
  model: StoreModel,
  tested: TestedStore,
): Promise<void> {
  const outcomes = await Promise.allSettled(calls.map((call) => call.run(tested.store)));
  const keys = new Map<string, { readonly key: unknown; candidates: readonly Candidate[] }>();
  for (const [index, call] of calls.entries()) {
    const outcome = outcomes[index];
    if (outcome === undefined) continue;
    const id = model.idOf(call.key);
    const row = keys.get(id) ?? { key: call.key, candidates: [certain(model.get(call.key))] };
    row.candidates = after(call, outcome, row.candidates, `${model.name}.${call.text}`);
    keys.set(id, row);
  }
  for (const { key, candidates } of keys.values()) {
    const values = candidates.map(({ value }) => value);
    await settle(model, tested, key, values);
  }
}

/** Makes one call and compares its answer with the model's. */
export async function makeWholeCall(
  call: WholeCall,
  model: StoreModel,
  tested: TestedStore,
): Promise<void> {
  const text = `${model.name}.${call.text}`;
  const expected = call.answer(model);
  const writes = call.writes?.(model) ?? [];
  try {
    const answer = await call.run(tested.store);
    if (!sameValue(answer, expected)) throw differs(text, answer, [expected]);
    for (const [key, value] of writes) model.set(key, value);
  } catch (error) {
    if (!isUnknown(error)) throw PartitaError.is(error) ? failed(text, error) : error;
    const possible = new Map<string, { readonly key: unknown; readonly values: unknown[] }>();
    for (const [key, value] of writes) {
      const id = model.idOf(key);
      const row = possible.get(id) ?? { key, values: [model.get(key)] };
      row.values.push(value);
      possible.set(id, row);
    }
    for (const { key, values } of possible.values()) await settle(model, tested, key, values);
  }
}

/** Reads every key of a store and compares all with the model. */
export async function compareAll(model: StoreModel, tested: TestedStore): Promise<void> {
  const found = await read(tested, async () => {
    const entries: (readonly [unknown, unknown])[] = [];
    for await (const entry of tested.store.entries()) entries.push(entry);
    return entries;
  });
  const expected = model.entries();
  if (sameValue(found, expected)) return;
  throw differs(`${model.name}.entries()`, found, [expected]);
}

function certain(value: unknown): Candidate {
  return { value, stopped: false };
}

/** What the key may be after a call with this outcome. */
function after(
  call: KeyCall,
  outcome: PromiseSettledResult<unknown>,
  candidates: readonly Candidate[],
  text: string,
): readonly Candidate[] {
  if (outcome.status === "rejected" && isUnknown(outcome.reason)) {
    if (!call.writes) return candidates;
    return candidates.flatMap((candidate) => {
      if (candidate.stopped) return [candidate];
      const { value } = call.effect(candidate.value);
      return [
        { value, stopped: false },
        { ...candidate, stopped: true },
      ];
    });
  }
  const possible = call.writes ? candidates.filter(({ stopped }) => !stopped) : candidates;
  const expected = possible.map(({ value, stopped }) => ({ ...call.effect(value), stopped }));
  const fitting = expected.filter(({ answer, refusedWith }) => {
    if (outcome.status === "fulfilled") {
      return refusedWith === undefined && sameValue(outcome.value, answer);
    }
    return refusedWith !== undefined && codeOf(outcome.reason) === refusedWith;
  });
  if (fitting.length > 0) return fitting.map(({ value, stopped }) => ({ value, stopped }));
  if (outcome.status === "rejected" && expected.every((one) => one.refusedWith === undefined)) {
    throw failed(text, outcome.reason);
  }
  const found = outcome.status === "fulfilled" ? outcome.value : codeOf(outcome.reason);
  throw differs(
    text,
    found,
    expected.map(({ answer, refusedWith }) => refusedWith ?? answer),
  );
}

/** Where several values are possible, what the store shows is the one; it must be among them. */
async function settle(
  model: StoreModel,
  tested: TestedStore,
  key: unknown,
  values: readonly unknown[],
): Promise<void> {
  const [first] = values;
  if (values.every((value) => sameValue(value, first))) {
    model.set(key, first);
    return;
  }
  const found = await read(tested, () => tested.store.get(key));
  if (!values.some((value) => sameValue(value, found))) {
    throw differs(`${model.name}.get(${show(key)}) after a crash`, found, values);
  }
  model.set(key, found);
}

async function read<T>(tested: TestedStore, attempt: () => Promise<T>): Promise<T> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isUnknown(error) || attempts === readAttemptsMax) throw error;
      await tested.recovered();
    }
  }
}

function isUnknown(error: unknown): boolean {
  return PartitaError.is(error, "TASK_EXITED");
}

function codeOf(error: unknown): string {
  return PartitaError.is(error) ? error.code : show(error);
}

function failed(text: string, cause: unknown): Error {
  return new Error(`${text} was rejected: ${show(cause)}`, { cause });
}

function differs(text: string, found: unknown, expected: readonly unknown[]): Error {
  const alternatives = expected.map(show).join(" or ");
  return new Error(`${text}: found ${show(found)}, expected ${alternatives || "nothing"}`);
}
