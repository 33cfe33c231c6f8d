// Key range — the bounds of `entries`, from keys to encoded bytes.

import { PartitaError } from "../base/errors.js";
import { show } from "../base/show.js";
import type { KeyCodec, KeyPrefix } from "./key-form.js";
import type { KeyRange } from "./storage.js";

/** Bounds in terms of keys. All that are given hold; none is the whole store. */
export interface KeyBounds<K> {
  /** First key, included. */
  readonly from?: K | undefined;
  /** End, excluded. */
  readonly to?: K | undefined;
  /** Only keys that begin with this: a text, bytes, or the leading parts of a tuple. */
  readonly prefix?: KeyPrefix<K> | undefined;
}

/**
 * The same bounds over encoded keys: `from` included, `to` excluded.
 * @throws PartitaError RANGE_INVALID when `from` is above `to`, or the codec knows no prefixes
 * @throws PartitaError KEY_INVALID, KEY_EMPTY, KEY_TOO_LARGE for a bound that is no key
 */
export function keyRangeOf<K>(codec: KeyCodec<K>, bounds: KeyBounds<K>): KeyRange {
  let from = bounds.from === undefined ? undefined : codec.encode(bounds.from);
  let to = bounds.to === undefined ? undefined : codec.encode(bounds.to);
  if (from !== undefined && to !== undefined && Buffer.compare(from, to) > 0) {
    const reason = `it is above "to" (${show(bounds.to)}); use reverse: true to go down`;
    throw rangeInvalid("from", bounds.from, reason);
  }
  if (bounds.prefix !== undefined) {
    if (codec.prefix === undefined) {
      throw rangeInvalid("prefix", bounds.prefix, `${codec.name} keys have no prefixes`);
    }
    const first = codec.prefix(bounds.prefix);
    const end = successor(first);
    if (from === undefined || Buffer.compare(first, from) > 0) from = first;
    if (end !== undefined && (to === undefined || Buffer.compare(end, to) < 0)) to = end;
  }
  // A prefix outside of the other bounds leaves nothing, which is no mistake.
  if (from !== undefined && to !== undefined && Buffer.compare(from, to) > 0) to = from;
  return {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

/** The first bytes above everything that begins with `prefix`; `undefined` when there are none. */
function successor(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length -= 1;
  if (length === 0) return undefined;
  const end = prefix.slice(0, length);
  end[length - 1] = (end[length - 1] ?? 0) + 1;
  return end;
}

function rangeInvalid(option: string, value: unknown, reason: string): PartitaError {
  return new PartitaError("RANGE_INVALID", { option, value: show(value), reason });
}
