// Compute thread — what a thread of the compute pool runs: it imports the topology and calls by
// name.

import { workerData } from "node:worker_threads";
import { toWire } from "../base/error-wire.js";
import { encodeValue } from "../store/value.js";
import type { ComputeAnswer, ComputeRequest } from "./compute.js";
import { assertKnown, decodeArguments } from "./compute.js";
import { importTopology } from "./topology-module.js";

// cast: ComputePool passes these two strings.
const { module, topology } = workerData as { readonly module: string; readonly topology: string };
const declared = await importTopology(module, topology);

/** Runs one call. Errors are returned: the pool would strip their code and cause. */
export async function compute({ name, args }: ComputeRequest): Promise<ComputeAnswer> {
  try {
    const result = await assertKnown(declared, name)(...decodeArguments(args));
    if (result === undefined) return { ok: true, result: undefined };
    // A copy: the codec's bytes can be a view of a larger buffer, all of which would be posted.
    return { ok: true, result: encodeValue(result, `result of compute "${name}"`).slice() };
  } catch (error) {
    return { ok: false, error: toWire(error) };
  }
}
