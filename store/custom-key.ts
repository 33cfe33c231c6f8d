// Custom key — a user's own KeyCodec behind the checks and the tag of every other key.
//
// Owns: what is asked of a foreign codec. Leaves to others: whether it is injective, which only its
// author can know.

import { PartitaError } from "../base/errors.js";
import { optionInvalid } from "../base/options.js";
import { show } from "../base/show.js";
import {
  codecOf,
  formOf,
  type KeyCodec,
  type KeyForm,
  type KeyPrefix,
  keyInvalid,
  keyTag,
  notAKey,
} from "./key-form.js";

/**
 * A codec to be used with these checks: a built-in one as it is, a user's own wrapped, so that
 * bytes that are no key are refused, and no custom key shares bytes with a built-in one.
 * @throws PartitaError OPTION_INVALID when `codec` is no KeyCodec; `where` names the operation
 */
export function checkedKeyCodec<K>(codec: KeyCodec<K>, where: string): KeyCodec<K> {
  const form = checkedKeyForm(codec, where);
  return form === formOf(codec) ? codec : codecOf(codec.name, form);
}

/** The same for a part of a tuple: only its form. */
export function checkedKeyForm<K>(codec: KeyCodec<K>, where: string): KeyForm<K> {
  checkShape(codec, where);
  return formOf(codec) ?? customForm(codec);
}

function checkShape(codec: unknown, where: string): void {
  const valid =
    typeof codec === "object" &&
    codec !== null &&
    "name" in codec &&
    typeof codec.name === "string" &&
    codec.name !== "" &&
    "encode" in codec &&
    typeof codec.encode === "function" &&
    "decode" in codec &&
    typeof codec.decode === "function" &&
    (!("prefix" in codec) || codec.prefix === undefined || typeof codec.prefix === "function");
  if (valid) return;
  const rule = "string, uuid, integer, bigint, bytes, boolean, tuple(...) or your own KeyCodec";
  throw optionInvalid(where, "key", codec, `${rule} ({ name, encode, decode })`);
}

function customForm<K>(codec: KeyCodec<K>): KeyForm<K> {
  const { name } = codec;
  const form: KeyForm<K> = {
    encode: (key, path) =>
      tag(
        name,
        path,
        key,
        guarded(name, path, key, () => codec.encode(key)),
      ),
    decode(tagged) {
      if (tagged[0] !== keyTag.custom) throw notAKey(name, tagged);
      return codec.decode(new Uint8Array(tagged.subarray(1)));
    },
  };
  if (codec.prefix === undefined) return form;
  return {
    ...form,
    prefix(prefix: KeyPrefix<K>) {
      const bytes = guarded(name, "$", prefix, () => codec.prefix?.(prefix));
      return tag(name, "$", prefix, bytes);
    },
  };
}

/** What user code returned, or KEY_INVALID with what it threw. */
function guarded(name: string, path: string, key: unknown, run: () => unknown): unknown {
  try {
    return run();
  } catch (cause) {
    if (PartitaError.is(cause)) throw cause;
    const reason = "its codec threw";
    const details = { codec: name, path, value: show(key), reason };
    throw new PartitaError("KEY_INVALID", details, { cause });
  }
}

function tag(name: string, path: string, key: unknown, body: unknown): Uint8Array {
  if (!(body instanceof Uint8Array)) {
    throw keyInvalid(name, path, key, `its codec gave ${show(body)} instead of a Uint8Array`);
  }
  const tagged = new Uint8Array(1 + body.length);
  tagged[0] = keyTag.custom;
  tagged.set(body, 1);
  return tagged;
}
