// Store call arbitraries — which calls are made of one store, with which keys and values.
//
// Owns: the calls, each with what it should do to a plain map. Leaves to others: making them and
// comparing (store-calls.ts), commands (store-commands.ts).

import fc from "fast-check";
import { PartitaError } from "../base/errors.js";
import { checkOptionNames, optionInvalid } from "../base/options.js";
import { show } from "../base/show.js";
import type { AnyStoreDeclaration } from "../runtime/plan.js";
import { isReply } from "../store/declaration.js";
import { validate } from "../store/schema.js";
import { keyOf } from "./key-arbitraries.js";
import type { Effect, KeyCall, WholeCall } from "./store-calls.js";

/** The operations that commands make. */
export type CommandOperation =
  | "get"
  | "contains"
  | "getMany"
  | "put"
  | "putMany"
  | "delete"
  | "clear"
  | "update"
  | "modify"
  | "entries";

/** A use whose types are not known. */
export interface AnyUse {
  readonly values?: fc.Arbitrary<unknown>;
  readonly keys?: fc.Arbitrary<unknown>;
  readonly updates?: Readonly<Record<string, fc.Arbitrary<readonly unknown[]>>>;
  readonly models?: Readonly<Record<string, (current: unknown, ...args: unknown[]) => unknown>>;
  readonly only?: readonly CommandOperation[];
}

/** How many keys are used over and over: few enough to meet again. */
const favouriteKeys = 5;
/** Where the choice of favourites begins: each run of a test has the same. */
const favouriteSeed = 20261125;

/** The arbitraries of all calls of one store. */
export class StoreCallArbitraries {
  readonly #name: string;
  readonly #declaration: AnyStoreDeclaration;
  readonly #use: AnyUse;
  readonly #keys: fc.Arbitrary<unknown>;

  constructor(name: string, declaration: AnyStoreDeclaration, use: AnyUse) {
    this.#name = name;
    this.#declaration = declaration;
    this.#use = use;
    const where = `storeCommands, store "${name}"`;
    checkOptionNames(where, use, ["values", "keys", "updates", "models", "only"]);
    for (const update of Object.keys({ ...use.updates, ...use.models })) {
      if (update in declaration.updates) continue;
      const known = Object.keys(declaration.updates);
      throw new PartitaError("UPDATE_UNKNOWN", { store: name, update, known });
    }
    if (use.values === undefined && ["put", "putMany", "modify"].some((one) => this.#has(one))) {
      throw optionInvalid(where, "values", undefined, 'an arbitrary, or left out by "only"');
    }
    this.#keys = use.keys ?? favourites(declaration);
  }

  /** Calls that can be made together with others. */
  get keyCalls(): fc.Arbitrary<KeyCall>[] {
    const { values } = this.#use;
    const keys = this.#keys;
    return [
      ...this.#if("get", () => keys.map(getCall)),
      ...this.#if("contains", () => keys.map(containsCall)),
      ...this.#if("delete", () => keys.map(deleteCall)),
      ...(values === undefined
        ? []
        : this.#if("put", () =>
            fc.tuple(keys, values).map(([key, value]) => this.#put(key, value)),
          )),
      ...this.#if("update", () => undefined).flatMap(() => this.#updates()),
    ];
  }

  /** `modify` is made alone: its rounds let later calls of the same client go first. */
  get modify(): fc.Arbitrary<KeyCall>[] {
    const { values } = this.#use;
    if (values === undefined) return [];
    const next = fc.option(values, { nil: undefined });
    return this.#if("modify", () =>
      fc.tuple(this.#keys, next).map(([key, value]) => this.#modify(key, value)),
    );
  }

  get wholeCalls(): fc.Arbitrary<WholeCall>[] {
    const { values } = this.#use;
    const many = { maxLength: 4 };
    return [
      ...this.#if("getMany", () => fc.array(this.#keys, many).map(getManyCall)),
      ...this.#if("entries", () => this.#entries()),
      ...this.#if("clear", () => fc.constant(clearCall)),
      ...(values === undefined
        ? []
        : this.#if("putMany", () =>
            fc.array(fc.tuple(this.#keys, values), many).map((rows) => this.#putMany(rows)),
          )),
    ];
  }

  #has(operation: string): boolean {
    const { only } = this.#use;
    return only === undefined || only.some((one) => one === operation);
  }

  #if<T>(operation: CommandOperation, make: () => T): T[] {
    return this.#has(operation) ? [make()] : [];
  }

  #valid(value: unknown): unknown {
    return validate(this.#declaration.value, value, this.#name);
  }

  #put(key: unknown, value: unknown): KeyCall {
    return {
      text: `put(${show(key)}, ${show(value)})`,
      key,
      writes: true,
      effect: (current) => refusable(current, () => ({ value: this.#valid(value) })),
      run: (store) => store.put(key, value),
    };
  }

  #modify(key: unknown, value: unknown): KeyCall {
    return {
      text: `modify(${show(key)}, () => ${show(value)})`,
      key,
      writes: true,
      effect: (current) =>
        refusable(current, () => {
          const next = value === undefined ? undefined : this.#valid(value);
          return { value: next, answer: next };
        }),
      run: (store) => store.modify(key, () => value),
    };
  }

  #updates(): fc.Arbitrary<KeyCall>[] {
    const { updates = {}, models = {} } = this.#use;
    return Object.entries(updates).map(([update, args]) => {
      const model = models[update] ?? this.#declaration.updates[update] ?? (() => undefined);
      return fc
        .tuple(this.#keys, args)
        .map(([key, given]) => this.#update(update, key, given, model));
    });
  }

  #update(
    update: string,
    key: unknown,
    args: readonly unknown[],
    model: (current: unknown, ...args: unknown[]) => unknown,
  ): KeyCall {
    return {
      text: `update(${[update, key, ...args].map(show).join(", ")})`,
      key,
      writes: true,
      effect: (current) =>
        refusable(current, () => {
          const outcome = applied(model, current, args);
          const next = isReply(outcome) ? outcome.value : outcome;
          const value = next === undefined ? undefined : this.#valid(next);
          return { value, answer: isReply(outcome) ? outcome.reply : value };
        }),
      run: (store) => store.update(update, key, ...args),
    };
  }

  #putMany(rows: readonly (readonly [unknown, unknown])[]): WholeCall {
    return {
      text: `putMany(${show(rows)})`,
      answer: () => undefined,
      writes: () => rows.map(([key, value]) => [key, this.#valid(value)] as const),
      run: (store) => store.putMany(rows),
    };
  }

  #entries(): fc.Arbitrary<WholeCall> {
    const { key } = this.#declaration;
    const order = (one: unknown, other: unknown) =>
      Buffer.compare(key.encode(one), key.encode(other));
    const bounds = fc.record(
      { from: this.#keys, to: this.#keys, limit: fc.nat(4), reverse: fc.boolean() },
      { requiredKeys: [] },
    );
    const ordered = bounds.filter(({ from, to }) => {
      return from === undefined || to === undefined || order(from, to) <= 0;
    });
    return ordered.map((options) => ({
      text: `entries(${show(options)})`,
      answer: (model) => model.entries(options),
      run: async (store) => {
        const found: (readonly [unknown, unknown])[] = [];
        for await (const entry of store.entries(options)) found.push(entry);
        return found;
      },
    }));
  }
}

function favourites(declaration: AnyStoreDeclaration): fc.Arbitrary<unknown> {
  const all = keyOf(declaration.key);
  const few = fc.sample(all, { numRuns: favouriteKeys, seed: favouriteSeed });
  return fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...few) }, { weight: 1, arbitrary: all });
}

function getCall(key: unknown): KeyCall {
  return {
    text: `get(${show(key)})`,
    key,
    writes: false,
    effect: (current) => ({ value: current, answer: current }),
    run: (store) => store.get(key),
  };
}

function containsCall(key: unknown): KeyCall {
  return {
    text: `contains(${show(key)})`,
    key,
    writes: false,
    effect: (current) => ({ value: current, answer: current !== undefined }),
    run: (store) => store.contains(key),
  };
}

function deleteCall(key: unknown): KeyCall {
  return {
    text: `delete(${show(key)})`,
    key,
    writes: true,
    effect: (current) => ({ value: undefined, answer: current !== undefined }),
    run: (store) => store.delete(key),
  };
}

function getManyCall(keys: readonly unknown[]): WholeCall {
  return {
    text: `getMany(${show(keys)})`,
    answer: (model) => keys.map((key) => model.get(key)),
    run: (store) => store.getMany(keys),
  };
}

const clearCall: WholeCall = {
  text: "clear()",
  answer: () => undefined,
  writes: (model) => model.keys().map((key) => [key, undefined] as const),
  run: (store) => store.clear(),
};

/** What an update that throws, or a value that its schema refuses, does: nothing. */
function refusable(current: unknown, effect: () => Effect): Effect {
  try {
    return effect();
  } catch (error) {
    if (!PartitaError.is(error)) throw error;
    return { value: current, refusedWith: error.code };
  }
}

function applied(
  model: (current: unknown, ...args: unknown[]) => unknown,
  current: unknown,
  args: readonly unknown[],
): unknown {
  try {
    return model(current, ...args);
  } catch (cause) {
    throw new PartitaError("UPDATE_THREW", { store: "", update: "" }, { cause });
  }
}
