// Scope record — the durable row of a scope: one aggregation, which the node invocation of its
// scatter names and its gather ends.
//
// Owns: what the row holds, and its layout. Leaves to others: when it changes (scopes.ts), the
// state of the aggregation, which is in no row until the gather has it (folding.ts).

import { ByteReader } from "../../base/byte-reader.js";
import { assert } from "../../base/invariant.js";
import type { NodeInvocationId } from "../wire/invocation-id.js";
import { readName, readNodeId, writeName, writeNodeId, written } from "../wire/wire-field.js";

/**
 * How far a scope has come: its gather waits for inputs; or runs, or has run; or will never run,
 * since its state could not be made.
 */
export type ScopePhase = "collecting" | "started" | "broken";

export interface ScopeRecord {
  /** The scope that the scatter is in itself; `noScope` for none. */
  readonly parent: NodeInvocationId;
  readonly gather: string;
  readonly phase: ScopePhase;
  /**
   * Xor of the ids of what is in it and has not ended: node invocations directly in it, gathers of
   * the scopes within, and a token for each of these that is open.
   */
  readonly outstanding: NodeInvocationId;
  /** Of what has ended: node invocations that have not finished, gathers that will not run. */
  readonly unfinished: number;
  /** Node invocations that have given inputs. */
  readonly producers: number;
  /** Inputs that have come. */
  readonly inputs: number;
}

const phases: readonly ScopePhase[] = ["collecting", "started", "broken"];

export function encodeScope(scope: ScopeRecord): Uint8Array {
  return written((writer) => {
    writer.u8(phases.indexOf(scope.phase));
    writeNodeId(writer, scope.parent);
    writeNodeId(writer, scope.outstanding);
    writer.u32(scope.unfinished);
    writer.u32(scope.producers);
    writer.uint64(scope.inputs);
    writeName(writer, scope.gather);
  });
}

export function decodeScope(bytes: Uint8Array): ScopeRecord {
  const reader = new ByteReader(bytes);
  const phase = phases[reader.u8()];
  assert(phase !== undefined, () => `phase ${bytes[0]} of a scope is not in the format`);
  return {
    phase,
    parent: readNodeId(reader),
    outstanding: readNodeId(reader),
    unfinished: reader.u32(),
    producers: reader.u32(),
    inputs: reader.uint64(),
    gather: readName(reader),
  };
}
