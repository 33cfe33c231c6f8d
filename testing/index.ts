// partita/testing — what users test their own topologies with: everything they import, by name.

export type { CommitPoint, CrashPoint, FaultOptions, FaultScope } from "./fault-plan.js";
export {
  type Begun,
  type HistoryRecorder,
  type RecordOptions,
  recordHistory,
} from "./history-recorder.js";
export { assertLinearizable, checkLinearizable, type ModelOptions } from "./linearizable.js";
export type { ModelOperation, SequentialModel } from "./model-search.js";
export {
  assertPerKeyOrder,
  checkPerKeyOrder,
  type OrderedEvent,
  type PerKeyOrderOptions,
} from "./per-key-order.js";
export { sameValue } from "./same-value.js";
export { seededRandom } from "./seeded-random.js";
export { type SimulatedRuntime, type SimulateOptions, simulate } from "./simulate.js";
export type { SimulationControls } from "./simulation.js";
export { type TemporaryDirectory, temporaryDirectory } from "./temporary-directory.js";
export type { Verdict, Violation } from "./verdict.js";
export type { ValueMark, VersionedOperation, VersionedOptions } from "./versioned-history.js";
