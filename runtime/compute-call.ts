// How anybody calls a compute function: by name, with bytes-able arguments, from any thread.

/** Options of one call. */
export interface ComputeOptions {
  /** Aborting rejects the call with `signal.reason` and ends the thread that runs the function. */
  readonly signal?: AbortSignal;
  /** Rejects with COMPUTE_TIMEOUT after so many milliseconds. Default: the topology's limit. */
  readonly timeoutMs?: number;
}

/**
 * Runs the compute function `name` in the compute pool and resolves with what it returned.
 * Arguments and result are carried by the value codec.
 * @throws PartitaError COMPUTE_UNKNOWN, COMPUTE_FAILED, COMPUTE_TIMEOUT, COMPUTE_QUEUE_FULL
 */
export type ComputeCall = (
  name: string,
  args: readonly unknown[],
  options?: ComputeOptions,
) => Promise<unknown>;
