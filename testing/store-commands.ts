// Store commands — commands for fc.commands that use the stores of a topology and compare them with
// plain maps, while the runtime underneath may crash.
//
// Owns: the commands and their types. Leaves to others: the calls (store-call-arbitraries.ts), what
// must come of them (store-calls.ts), the maps (store-models.ts).

import fc from "fast-check";
import { PartitaError } from "../base/errors.js";
import { checkOptionNames, optionInvalid } from "../base/options.js";
import type { Runtime } from "../launch.js";
import type { AnyStoreDeclaration } from "../runtime/plan.js";
import { storesOf, type Topology } from "../runtime/topology.js";
import type { TopologyParts } from "../runtime/topology-parts.js";
import type { ArgsOf, Reply, StoreDeclaration } from "../store/declaration.js";
import type { CommitPoint, CrashPoint } from "./fault-plan.js";
import type { SimulationControls } from "./simulation.js";
import {
  type AnyUse,
  type CommandOperation,
  StoreCallArbitraries,
} from "./store-call-arbitraries.js";
import {
  type AnyStore,
  compareAll,
  type KeyCall,
  makeKeyCalls,
  makeWholeCall,
  type TestedStore,
  type WholeCall,
} from "./store-calls.js";
import { modelOf, modelsOf, type StoreModels, type StoresOf } from "./store-models.js";

/**
 * What commands work on: the result of `launch` or `simulate`. `stats` is asked for to wait until
 * threads that have died serve again; without it nothing that is rejected is waited for.
 */
export type CommandTarget<Parts extends TopologyParts> = Pick<Runtime<Parts>, "store"> &
  Partial<Pick<Runtime<Parts>, "stats">>;

/** What crash commands work on: the result of `simulate`, or of your own making. */
export interface CrashTarget {
  /** Everything dies and is launched again on what was kept. Resolves when it serves. */
  crash(): Promise<void>;
}

/** What commands work on that cut commits short: the result of `simulate`. */
export type CommitCrashTarget = CrashTarget & Pick<SimulationControls, "crashAt">;

/** A command of `storeCommands`. */
export type StoreCommand<
  Parts extends TopologyParts,
  Target = CommandTarget<Parts>,
> = fc.AsyncCommand<StoreModels<Parts>, Target>;

/** How the commands use one store. */
export interface StoreUse<K, V, U> {
  /** What is put. Needed unless `only` leaves out all of put, putMany and modify. */
  readonly values?: fc.Arbitrary<V>;
  /** Default: a few hostile keys of the store's codec, over and over, and rarely another one. */
  readonly keys?: fc.Arbitrary<K>;
  /** The updates to call, each with an arbitrary of its arguments. Others are not called. */
  readonly updates?: { readonly [N in keyof U]?: fc.Arbitrary<ArgsOf<U[N]>> };
  /**
   * What an update should do, in your own words. Default: its declared function, which shows
   * whether it is carried out once and in order, but not whether it is the right one.
   */
  readonly models?: {
    readonly [N in keyof U]?: (
      current: V | undefined,
      ...args: ArgsOf<U[N]>
    ) => V | undefined | Reply<V | undefined, unknown>;
  };
  /** Only these operations. Default: all. */
  readonly only?: readonly CommandOperation[];
}

/** For each store that is to be used, how. */
export type StoreUses<Parts extends TopologyParts> = {
  readonly [N in keyof StoresOf<Parts>]?: StoresOf<Parts>[N] extends StoreDeclaration<
    infer K,
    infer V,
    infer U
  >
    ? StoreUse<K, V, U>
    : never;
};

/**
 * Commands for `fc.commands`: single calls, and bursts of calls that are made before any of them
 * has answered. Run them with `fc.asyncModelRun` on a model of `storeModels(topology)`. Each
 * command is shown as the calls that it makes. A call that is rejected with TASK_EXITED may have
 * happened or not; the model follows what the store then shows.
 *
 *     const commands = storeCommands(shop, {
 *       stock: { values: fc.nat(), updates: { take: fc.tuple(fc.nat()) } },
 *     });
 *
 * @throws PartitaError OPTION_INVALID, OPTION_UNKNOWN, STORE_UNKNOWN, UPDATE_UNKNOWN
 */
export function storeCommands<const Parts extends TopologyParts>(
  declared: Topology<Parts>,
  uses: StoreUses<Parts>,
): fc.Arbitrary<StoreCommand<Parts>>[] {
  const stores = storesOf(declared);
  return Object.entries(uses).flatMap(([name, use]) => {
    const declaration = stores.get(name);
    if (declaration === undefined) {
      throw new PartitaError("STORE_UNKNOWN", { store: name, known: [...stores.keys()] });
    }
    // cast: the types of `uses` say so
    return commandsOf<Parts>(name, declaration, use as AnyUse);
  });
}

/**
 * Commands that kill everything between two calls: what was answered must still be there.
 *
 * With the number of `tasks` that the runtime has, also commands that ask for a death in the middle
 * of a later commit, of one thread or of the whole process. They show where: `crashAt(task 1,
 * "synced")`.
 */
export function crashCommands<const Parts extends TopologyParts>(
  declared: Topology<Parts>,
  options?: { readonly tasks?: undefined },
): fc.Arbitrary<StoreCommand<Parts, CommandTarget<Parts> & CrashTarget>>[];
export function crashCommands<const Parts extends TopologyParts>(
  declared: Topology<Parts>,
  options: { readonly tasks: number },
): fc.Arbitrary<StoreCommand<Parts, CommandTarget<Parts> & CommitCrashTarget>>[];
export function crashCommands<const Parts extends TopologyParts>(
  _declared: Topology<Parts>,
  options: { readonly tasks?: number | undefined } = {},
): fc.Arbitrary<StoreCommand<Parts, CommandTarget<Parts> & CommitCrashTarget>>[] {
  checkOptionNames("crashCommands", options, ["tasks"]);
  const { tasks } = options;
  const between: StoreCommand<Parts, CommandTarget<Parts> & CommitCrashTarget> = {
    check: () => true,
    run: (_models, target) => target.crash(),
    toString: () => "crash()",
  };
  if (tasks === undefined) return [fc.constant(between)];
  if (!Number.isSafeInteger(tasks) || tasks < 1) {
    throw optionInvalid("crashCommands", "tasks", tasks, "a whole number of at least 1");
  }
  const where = fc.record({
    task: fc.nat(tasks - 1),
    point: fc.constantFrom(...commitPoints),
    after: fc.nat(2),
    scope: fc.constantFrom("thread" as const, "process" as const),
  });
  return [fc.constant(between), where.map((point) => commitCrash<Parts>(point))];
}

const commitPoints = [
  "appended",
  "synced",
  "published",
  "revealed",
] as const satisfies readonly CommitPoint[];

/** Asks for a crash and goes on: a later command meets it. */
function commitCrash<Parts extends TopologyParts>(
  where: CrashPoint,
): StoreCommand<Parts, CommandTarget<Parts> & CommitCrashTarget> {
  const { task, point, after = 0, scope } = where;
  return {
    check: () => true,
    run: async (_models, target) => {
      // It may never come to it: then the simulation ends first.
      target.crashAt(where).catch(() => {});
    },
    toString: () => {
      const later = after === 0 ? "" : `, after ${after} more`;
      return `crashAt(task ${task}, "${point}"${later}: the ${scope})`;
    },
  };
}

/**
 * Compares every store that the models know with what it should hold: for the end of a run, and
 * for invariants of your own in between.
 * @throws Error with what was found and what was expected
 */
export async function expectModels<const Parts extends TopologyParts>(
  models: StoreModels<Parts>,
  target: CommandTarget<Parts>,
): Promise<void> {
  for (const model of modelsOf(models)) await compareAll(model, testedStore(target, model.name));
}

function testedStore(target: CommandTarget<TopologyParts>, name: string): TestedStore {
  // cast: a runtime's `store` takes the name of any store, and clients are alike but for types
  const storeOf = target.store as unknown as (store: string) => AnyStore;
  return {
    store: storeOf(name),
    recovered: async () => {
      // What is dead for good rejects; the read that comes next says so.
      await target.stats?.().catch(() => {});
    },
  };
}

function commandsOf<Parts extends TopologyParts>(
  name: string,
  declaration: AnyStoreDeclaration,
  use: AnyUse,
): fc.Arbitrary<StoreCommand<Parts>>[] {
  const calls = new StoreCallArbitraries(name, declaration, use);
  const alone = [...calls.keyCalls, ...calls.modify].map((call) => call.map((one) => [one]));
  const bursts =
    calls.keyCalls.length === 0
      ? []
      : [fc.array(fc.oneof(...calls.keyCalls), { minLength: 1, maxLength: 6 })];
  return [
    ...[...alone, ...bursts].map((group) => group.map((made) => keyCommand<Parts>(name, made))),
    ...calls.wholeCalls.map((call) => call.map((made) => wholeCommand<Parts>(name, made))),
  ];
}

function keyCommand<Parts extends TopologyParts>(
  name: string,
  calls: readonly KeyCall[],
): StoreCommand<Parts> {
  return {
    check: () => true,
    run: (models, target) => makeKeyCalls(calls, modelOf(models, name), testedStore(target, name)),
    toString: () => calls.map(({ text }) => `${name}.${text}`).join(" & "),
  };
}

function wholeCommand<Parts extends TopologyParts>(
  name: string,
  call: WholeCall,
): StoreCommand<Parts> {
  return {
    check: () => true,
    run: (models, target) => makeWholeCall(call, modelOf(models, name), testedStore(target, name)),
    toString: () => `${name}.${call.text}`,
  };
}
