// partita/testing/arbitraries — what property tests with fast-check use: everything they import, by
// name. The only published entry that needs fast-check.

export { keyOf } from "./key-arbitraries.js";
export type { CommandOperation } from "./store-call-arbitraries.js";
export {
  type CommandTarget,
  type CommitCrashTarget,
  type CrashTarget,
  crashCommands,
  expectModels,
  type StoreCommand,
  type StoreUse,
  type StoreUses,
  storeCommands,
} from "./store-commands.js";
export { type StoreModels, storeModels } from "./store-models.js";
export {
  anyValue,
  carriedValue,
  type LimitValue,
  refusedValue,
  valuesAtLimits,
} from "./value-arbitraries.js";
