// Trace recorder — what one run of a node does, noted while it does it, for the invocation's trace.
//
// Owns: what is noted of an operation, and the bound on all of it. Leaves to others: which
// operations there are (active-node.ts, node-store.ts), the bytes (wire/node-trace.ts).
//
// Invariants:
//   1. Noting an operation never makes it fail: what cannot be carried, or is too large, is left
//      out of it, and what there is no room for is counted.
//   2. A trace takes at most `limits.nodeTraceBytesMax` bytes. One without operations costs two
//      looks at the clock and a few bytes.

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { optionInvalid } from "../../base/options.js";
import {
  encodeTrace,
  operationOverheadBytes,
  type OperationTrace,
  type OperationType,
  operationTypes,
} from "../wire/node-trace.js";
import { type CallEnd, encodeCall, encodeInfo } from "../wire/operation-info.js";

/** What is known of an operation by those who run it. */
export interface Traced {
  readonly type: OperationType;
  /** Names it: `{ store: "balances", call: "get" }`. */
  readonly about: Readonly<Record<string, string>>;
  readonly arguments: readonly unknown[];
  /** What is shown of its outcome. Default: all of it. */
  readonly shown?: (value: unknown) => unknown;
}

/** What surrounds the operations. */
const headBytes = 32;

export class TraceRecorder {
  readonly #port: { now(): number };
  readonly #startedMs: number;
  #operations: OperationTrace[] | undefined;
  #bytes = headBytes;
  #lost = 0;

  constructor(port: { now(): number }) {
    this.#port = port;
    this.#startedMs = this.now();
  }

  now(): number {
    return wholeMs(this.#port.now());
  }

  /** An operation has ended: with a value, or with an error. */
  ended(traced: Traced, startedMs: number, end: { value: unknown } | { error: unknown }): void {
    if (this.#lost > 0) {
      this.#lost += 1;
      return;
    }
    const info = encodeCall(traced.about, traced.arguments, outcomeOf(traced, end));
    this.add({ type: traced.type, startedMs, finishedMs: this.now(), info });
  }

  /** Takes an operation, or counts it when there is no room. */
  add(operation: OperationTrace): void {
    const bytes = operation.info.length + operationOverheadBytes;
    if (this.#lost > 0 || this.#bytes + bytes > limits.nodeTraceBytesMax) {
      this.#lost += 1;
      return;
    }
    this.#bytes += bytes;
    this.#operations ??= [];
    this.#operations.push(operation);
  }

  /** The bytes of the whole, as it is now. */
  finish(): Uint8Array {
    return encodeTrace({
      startedMs: this.#startedMs,
      finishedMs: this.now(),
      operations: this.#operations ?? [],
      operationsLost: this.#lost,
    });
  }
}

/**
 * An operation that a node function has told of.
 * @throws PartitaError OPTION_INVALID, MESSAGE_TOO_LARGE, VALUE_UNSUPPORTED and others
 */
export function operationOf(
  where: string,
  given: {
    readonly type: unknown;
    readonly startedAt: unknown;
    readonly finishedAt: unknown;
    readonly info: unknown;
  },
): OperationTrace {
  const type = operationTypes.find((known) => known === given.type);
  if (type === undefined) {
    throw optionInvalid(where, "type", given.type, `one of ${operationTypes.join(", ")}`);
  }
  const startedMs = timeOf(where, "startedAt", given.startedAt);
  const finishedMs = timeOf(where, "finishedAt", given.finishedAt);
  const info = encodeInfo(given.info, where);
  const messageBytesMax = limits.nodeTraceBytesMax / 2;
  if (info.length > messageBytesMax) {
    const messageBytes = info.length;
    throw new PartitaError("MESSAGE_TOO_LARGE", { where, messageBytes, messageBytesMax });
  }
  return { type, startedMs, finishedMs, info };
}

function timeOf(where: string, option: string, time: unknown): number {
  if (typeof time === "number" && time >= 0 && time <= Number.MAX_SAFE_INTEGER)
    return wholeMs(time);
  throw optionInvalid(where, option, time, "milliseconds since the epoch");
}

function outcomeOf(
  { shown }: Traced,
  end: { readonly value: unknown } | { readonly error: unknown },
): CallEnd {
  if ("error" in end) return { error: errorText(end.error) };
  return shown === undefined ? end : { value: shown(end.value) };
}

function errorText(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
  return text.slice(0, limits.operationTraceBytesMax / 8);
}

function wholeMs(ms: number): number {
  return Math.max(0, Math.floor(ms));
}
