// The test seam: what tests and benchmarks reach beyond the public surface. Not among the package's
// exports, and free to change.

export { launchWith } from "./launch.js";
export { MemoryStorage } from "./store/memory-storage.js";
export { realSystem, type System } from "./runtime/system.js";
export type { Delivery } from "./runtime/transport.js";
