// Compute — runs a topology's compute functions in a Piscina pool, so they never block a task
// thread.
//
// Owns: the pool, time limits, cancellation, the bound of the queue, the bytes of arguments and
// results.
// Leaves to others: the thread that imports the topology and calls the function
// (compute-thread.ts), how task threads reach the pool (control.ts). Inline mode calls the function
// on its own thread.
//
// Invariants:
//   E1. Aborting or timing out ends the pool thread that runs the function: the work really stops.
//   E2. At most `computeQueueMax` calls wait; the next is refused with COMPUTE_QUEUE_FULL.

import type { Piscina } from "piscina";
import { type ErrorWire, fromWire } from "../base/error-wire.js";
import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { optionInvalid } from "../base/options.js";
import { decodeValue, encodeValue } from "../store/value.js";
import { checkCallOptions, nameShown } from "./call-checks.js";
import type { ComputeCall, ComputeOptions } from "./compute-call.js";
import { deadlineAfter } from "./deadline.js";
import type { System } from "./system.js";
import type { Topology } from "./topology.js";

/** Longest delay of a timer of Node's: beyond it they fire at once. */
const timerMsMax = 2 ** 31 - 1;

/** What a pool thread is asked. */
export interface ComputeRequest {
  readonly name: string;
  readonly args: Uint8Array;
}

/** What it answers; errors of user code lose nothing on the way. */
export type ComputeAnswer =
  | { readonly ok: true; readonly result: Uint8Array | undefined }
  | { readonly ok: false; readonly error: ErrorWire };

/** The pool of one runtime. Threads start with the first call. */
export class ComputePool {
  readonly #declared: Topology;
  readonly #threads: number;
  readonly #system: System;
  #pool: Promise<Piscina<ComputeRequest, ComputeAnswer>> | undefined;
  #closed = false;

  constructor(declared: Topology, threads: number, system: System) {
    this.#declared = declared;
    this.#threads = threads;
    this.#system = system;
  }

  /** See ComputeCall. */
  readonly call: ComputeCall = async (name, args, options = {}) => {
    assertKnown(this.#declared, name);
    checkComputeOptions(options);
    const result = await this.run(name, encodeArguments(name, args), options);
    return result.length === 0 ? undefined : decodeValue(result);
  };

  /** The same with encoded arguments and result; no bytes stand for `undefined`. */
  async run(name: string, args: Uint8Array, options: ComputeOptions): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    const timeoutMs = options.timeoutMs ?? limits.computeTimeoutMs;
    const timeout = deadlineAfter(this.#system, timeoutMs);
    const signal =
      options.signal === undefined
        ? timeout.signal
        : AbortSignal.any([options.signal, timeout.signal]);
    let answer: ComputeAnswer;
    try {
      this.#pool ??= openPool(this.#declared, this.#threads);
      const pool = await this.#pool;
      answer = await pool.run({ name, args }, { signal });
    } catch (cause) {
      if (options.signal?.aborted) throw options.signal.reason;
      if (timeout.signal.aborted) {
        throw new PartitaError("COMPUTE_TIMEOUT", { compute: name, timeoutMs });
      }
      if (this.#closed) throw new PartitaError("CLOSED", { what: "the compute pool" });
      const reason = cause instanceof Error ? cause.message : String(cause);
      if (reason.includes("Task queue is at limit")) {
        const { computeQueueMax } = limits;
        throw new PartitaError("COMPUTE_QUEUE_FULL", { compute: name, computeQueueMax });
      }
      throw new PartitaError("COMPUTE_FAILED", { compute: name, reason }, { cause });
    } finally {
      timeout.cancel();
    }
    if (answer.ok) return answer.result ?? new Uint8Array(0);
    throw computeFailed(name, fromWire(answer.error));
  }

  /** Ends the pool's threads; calls under way are rejected with CLOSED. */
  async close(): Promise<void> {
    this.#closed = true;
    const pool = await this.#pool;
    await pool?.destroy();
  }
}

/** Loads the package with the first call: a launch is quicker without it. */
async function openPool(
  { module, name: topology }: Topology,
  threads: number,
): Promise<Piscina<ComputeRequest, ComputeAnswer>> {
  const { Piscina } = await import("piscina");
  return new Piscina<ComputeRequest, ComputeAnswer>({
    filename: new URL("./compute-thread.js", import.meta.url).href,
    name: "compute",
    workerData: { module, topology },
    minThreads: 1,
    maxThreads: threads,
    maxQueue: limits.computeQueueMax,
    // Piscina's default blocks the thread's event loop between calls: async functions would freeze.
    atomics: "disabled",
  });
}

/**
 * Calls the function on this thread: for inline mode. A timeout or abort ends the waiting alone,
 * and a synchronous function is waited for to its end.
 */
export function inlineCompute(declared: Topology, system: System): ComputeCall {
  return async (name, args, options = {}) => {
    const fn = assertKnown(declared, name);
    checkComputeOptions(options);
    options.signal?.throwIfAborted();
    const copies = decodeArguments(encodeArguments(name, args));
    const timeoutMs = options.timeoutMs ?? limits.computeTimeoutMs;
    const timeout = deadlineAfter(system, timeoutMs);
    const timedOut = (): PartitaError => {
      return new PartitaError("COMPUTE_TIMEOUT", { compute: name, timeoutMs });
    };
    const startedAt = system.elapsed();
    const ended = ending(options.signal, timeout.signal, timedOut);
    let result: unknown;
    try {
      result = await Promise.race([ended.rejection, callFunction(name, fn, copies)]);
    } finally {
      timeout.cancel();
      ended.release();
    }
    // A synchronous function has kept the timers from firing: what it gave came too late all the
    // same.
    options.signal?.throwIfAborted();
    if (system.elapsed() - startedAt >= timeoutMs) throw timedOut();
    return result === undefined
      ? undefined
      : decodeValue(encodeValue(result, `result of compute "${name}"`));
  };
}

async function callFunction(name: string, fn: Callable, args: unknown[]): Promise<unknown> {
  try {
    return await fn(...args);
  } catch (cause) {
    throw computeFailed(name, cause);
  }
}

type Callable = (...args: unknown[]) => unknown;

/** The function of that name. @throws PartitaError COMPUTE_UNKNOWN */
export function assertKnown(declared: Topology, name: string): Callable {
  // cast: topology() has refused whatever is no function; arguments are checked by its types.
  const functions = (declared.parts.compute ?? {}) as Readonly<Record<string, Callable>>;
  const isDeclared = typeof name === "string" && Object.hasOwn(functions, name);
  const fn = isDeclared ? functions[name] : undefined;
  if (fn !== undefined) return fn;
  const known = Object.keys(functions);
  throw new PartitaError("COMPUTE_UNKNOWN", { compute: nameShown(name), known });
}

/** @throws PartitaError OPTION_UNKNOWN, OPTION_INVALID */
function checkComputeOptions(options: ComputeOptions): void {
  checkCallOptions("compute", options, ["signal", "timeoutMs"]);
  const { timeoutMs = limits.computeTimeoutMs } = options;
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > timerMsMax) {
    const valid = `a whole number from 1 to ${timerMsMax}`;
    throw optionInvalid("compute", "timeoutMs", timeoutMs, valid);
  }
}

/** Arguments as they cross: an array, whose `undefined` elements the codec carries. */
export function encodeArguments(name: string, args: readonly unknown[]): Uint8Array {
  if (!Array.isArray(args)) throw optionInvalid("compute", "args", args, "an array");
  // Bytes of the codec can be a view of a larger buffer, all of which would be posted.
  return encodeValue(args, `arguments of compute "${name}"`).slice();
}

export function decodeArguments(bytes: Uint8Array): unknown[] {
  // cast: encodeArguments made these bytes of an array.
  return decodeValue(bytes) as unknown[];
}

function computeFailed(name: string, cause: unknown): PartitaError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PartitaError("COMPUTE_FAILED", { compute: name, reason }, { cause });
}

/** Rejects when one of the signals aborts, never resolves; `release` lets go of the first. */
function ending(
  signal: AbortSignal | undefined,
  timeout: AbortSignal,
  timedOut: () => Error,
): { readonly rejection: Promise<never>; release(): void } {
  let release = (): void => {};
  const rejection = new Promise<never>((_resolve, reject) => {
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    release = () => signal?.removeEventListener("abort", abort);
    timeout.addEventListener("abort", () => reject(timedOut()));
  });
  return { rejection, release };
}
