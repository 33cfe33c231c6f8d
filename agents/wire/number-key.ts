// Number keys — row keys whose byte order is the order of numbers.

const numberBytes = 8;

/** Eight bytes, big-endian, behind a byte that tells kinds of rows of one table apart, if given. */
export function numberKey(number: number, prefix?: number): Uint8Array {
  const start = prefix === undefined ? 0 : 1;
  const key = new Uint8Array(start + numberBytes);
  if (prefix !== undefined) key[0] = prefix;
  for (let index = key.length - 1, rest = number; index >= start; index -= 1) {
    key[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return key;
}

/** The number of a key that `numberKey` made. */
export function numberOfKey(key: Uint8Array): number {
  return key.subarray(-numberBytes).reduce((number, byte) => number * 256 + byte, 0);
}
