// Request draft — the key and the argument of one request, encoded one behind the other into a
// buffer that serves every call.
//
// An update's own arrays for key and arguments would be most of what its caller's thread allocates.
// Owns: that buffer. Leaves to others: encoding (store/), copying it into a lane's bytes (lane.ts).
//
// Invariants:
//   F1. Nothing that can run a user's code comes between the first byte of a draft and its use: a
//       codec of his own, or a class that encodes itself, may call another update. What they give
//       is encoded before.
//   F2. A draft that is not finished is never sent: the next one begins anew.

import { ByteWriter } from "../base/byte-writer.js";
import { string } from "../store/key.js";
import { type KeyCodec, keyTag } from "../store/key-form.js";
import { limits } from "../base/limits.js";
import { appendShort, appendValue, encodeValue } from "../store/value.js";
import { undefinedArgument } from "./lane-encoding.js";

/** The draft in hand; good until the next one begins. */
export class RequestDraft {
  readonly bytes: ByteWriter = new ByteWriter(4_096);
  /** The argument stands behind so many bytes of the key. */
  keyBytes = 0;

  /** A copy of the key. */
  key(): Uint8Array {
    return this.bytes.buffer.slice(0, this.keyBytes);
  }

  /** A copy of the argument. */
  argument(): Uint8Array {
    return this.bytes.buffer.slice(this.keyBytes, this.bytes.length);
  }
}

const draft = new RequestDraft();

/**
 * Encodes a call of the update `name`, whose number is `number`.
 * @throws PartitaError what the codecs of key and arguments refuse
 */
export function draftUpdateOf(
  codec: KeyCodec<unknown>,
  key: unknown,
  number: number,
  name: string,
  ...args: readonly unknown[]
): RequestDraft {
  if (!args.every(isAtom)) {
    return draftEncoded(codec.encode(key), number, encodedArguments(name, args));
  }
  draftHead(codec, key, number, args.length);
  for (let index = 0; index < args.length; index += 1) draftAtom(args[index], index, name);
  return draft;
}

/** The same for a call with one argument, without an array of it: most updates have one. */
export function draftUpdateOfOne(
  codec: KeyCodec<unknown>,
  key: unknown,
  number: number,
  name: string,
  argument: unknown,
): RequestDraft {
  if (!isAtom(argument)) return draftUpdateOf(codec, key, number, name, argument);
  draftHead(codec, key, number, 1);
  draftAtom(argument, 0, name);
  return draft;
}

function draftHead(codec: KeyCodec<unknown>, key: unknown, number: number, count: number): void {
  const { bytes } = draft;
  draftKey(codec, key);
  bytes.u16(number);
  bytes.u32(count);
}

function draftAtom(argument: unknown, index: number, name: string): void {
  const { bytes } = draft;
  if (argument === undefined) bytes.u32(undefinedArgument);
  else if (!appendShort(bytes, argument)) appendValue(bytes, argument, whereOf(index, name));
}

// Apart from `draftUpdateOf`: what a closure holds is allocated by every call of the function
// around.

function encodedArguments(
  name: string,
  args: readonly unknown[],
): readonly (Uint8Array | undefined)[] {
  return args.map((argument, index) => {
    return argument === undefined ? undefined : encodeValue(argument, whereOf(index, name));
  });
}

function draftEncoded(
  key: Uint8Array,
  number: number,
  args: readonly (Uint8Array | undefined)[],
): RequestDraft {
  const { bytes } = draft;
  bytes.reset();
  bytes.bytes(key);
  draft.keyBytes = bytes.length;
  bytes.u16(number);
  bytes.u32(args.length);
  for (const argument of args) {
    if (argument === undefined) bytes.u32(undefinedArgument);
    else bytes.lengthPrefixed(argument);
  }
  return draft;
}

/** Begins a draft with its key. */
function draftKey(codec: KeyCodec<unknown>, key: unknown): void {
  const { bytes } = draft;
  bytes.reset();
  const isShortText =
    codec === string &&
    typeof key === "string" &&
    key.length > 0 &&
    key.length < limits.keyBytesMax;
  if (isShortText) {
    bytes.u8(keyTag.string);
    if (!bytes.ascii(key)) bytes.reset();
  }
  if (bytes.length === 0) {
    const encoded = codec.encode(key);
    bytes.reset();
    bytes.bytes(encoded);
  }
  draft.keyBytes = bytes.length;
}

/** Whether to encode it runs nobody's code (F1). */
function isAtom(argument: unknown): boolean {
  return typeof argument !== "object" || argument === null;
}

function whereOf(index: number, name: string): string {
  return `argument ${index} of update "${name}"`;
}
