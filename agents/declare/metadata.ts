// Metadata — what a caller attaches to an invocation: names with numbers, texts and truth values.
//
// Owns: the type, what is valid, and its bytes. Leaves to others: where it is kept
// (home/metadata.ts) and that nodes see it (`NodeContext.metadata`).

import { limits } from "../../base/limits.js";
import { optionInvalid } from "../../base/options.js";
import { decodeMessage, encodeMessage, noBytes } from "../wire/wire-field.js";

export type MetadataValue = string | number | boolean;

/** Attached to an invocation: it concerns no rule, but goes along to every node. */
export type Metadata = Readonly<Record<string, MetadataValue>>;

/** Names to set, and, with `undefined`, names to remove. */
export type MetadataChanges = Readonly<Record<string, MetadataValue | undefined>>;

const empty: Metadata = Object.freeze({});

/**
 * The bytes of metadata; none for none.
 * @throws PartitaError OPTION_INVALID
 */
export function encodeMetadata(where: string, metadata: Metadata | undefined): Uint8Array {
  if (metadata === undefined) return noBytes;
  return encodeChanges(where, metadata, false);
}

/**
 * The bytes of changes.
 * @throws PartitaError OPTION_INVALID
 */
export function encodeMetadataChanges(where: string, changes: MetadataChanges): Uint8Array {
  return encodeChanges(where, changes, true);
}

export function decodeMetadata(bytes: Uint8Array): Metadata {
  if (bytes.length === 0) return empty;
  // cast: only the functions above make these bytes
  return Object.freeze(decodeMessage(bytes) as Metadata);
}

/**
 * The bytes of metadata after changes.
 * @throws PartitaError OPTION_INVALID when there is too much of it
 */
export function changedMetadata(before: Uint8Array, changes: Uint8Array): Uint8Array {
  const changed: Record<string, unknown> = {
    ...decodeMetadata(before),
    ...decodeMetadata(changes),
  };
  const kept = Object.entries(changed).filter(([, value]) => value !== null);
  return fitting("setMetadata", Object.fromEntries(kept));
}

function encodeChanges(where: string, given: unknown, mayRemove: boolean): Uint8Array {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw invalid(where, given);
  }
  const entries = Object.entries(given).map(([name, value]: [string, unknown]) => {
    const isValue = ["string", "number", "boolean"].includes(typeof value);
    if (!isValue && !(mayRemove && value === undefined)) throw invalid(where, given);
    // `undefined` is no value that could be carried.
    return [name, value ?? null];
  });
  return entries.length === 0 ? noBytes : fitting(where, Object.fromEntries(entries));
}

function fitting(where: string, metadata: Readonly<Record<string, unknown>>): Uint8Array {
  const bytes = encodeMessage(metadata, where);
  if (bytes.length > limits.carriedBytesMax) throw invalid(where, metadata);
  return bytes;
}

function invalid(where: string, given: unknown): Error {
  const { carriedBytesMax } = limits;
  const valid = `an object of strings, numbers and booleans, of at most ${carriedBytesMax} bytes`;
  return optionInvalid(where, "metadata", given, valid);
}
