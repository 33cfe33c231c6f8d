// Runner bounds — what a task may hold of what it runs; tests make it small.

import { limits } from "../../base/limits.js";
import type { KeptBounds } from "./kept-rows.js";

/** What a runner may hold at once. */
export interface RunnerBounds extends KeptBounds {
  readonly runningNodesMax: number;
  /** Functions that only wait and stay in memory all the same. */
  readonly awakeWaitingMax: number;
  /** The largest row that a task's storage takes: bounds messages and results. */
  readonly rowBytesMax: number;
}

export const runnerBoundsDefault: RunnerBounds = {
  runningNodesMax: limits.runningNodesMax,
  awakeWaitingMax: limits.awakeWaitingMax,
  rowsKeptMax: 16 * 1024,
  rowsKeptBytesMax: 64 * 1024 * 1024,
  rowBytesMax: limits.valueBytesMax,
};
