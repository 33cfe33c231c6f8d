// Checkpoint thread — what a thread of the checkpoint pool runs.

import { type CheckpointJob, type CheckpointResult, runCheckpoint } from "../store/checkpoint.js";

/** Writes one frozen arena into its environment. */
export function checkpoint(job: CheckpointJob): Promise<CheckpointResult> {
  return runCheckpoint(job);
}
