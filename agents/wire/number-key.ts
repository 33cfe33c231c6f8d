// Number keys — row keys whose byte order is the order of numbers.

import { putU32 } from "./invocation-id.js";

const numberBytes = 8;
const two32 = 0x1_0000_0000;

/** Eight bytes, big-endian, behind a byte that tells kinds of rows of one table apart, if given. */
export function numberKey(number: number, prefix?: number): Uint8Array {
  const start = prefix === undefined ? 0 : 1;
  const key = new Uint8Array(start + numberBytes);
  if (prefix !== undefined) key[0] = prefix;
  const low = number >>> 0;
  putU32(key, start, (number - low) / two32);
  putU32(key, start + 4, low);
  return key;
}

/** The number of a key that `numberKey` made. */
export function numberOfKey(key: Uint8Array): number {
  let number = 0;
  for (let index = key.length - numberBytes; index < key.length; index += 1) {
    number = number * 256 + (key[index] ?? 0);
  }
  return number;
}
