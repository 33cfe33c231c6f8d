// Body — bytes that say whose they are: made from a number, and recognised as whole or not.

/** Smallest and largest body. */
export const bodyBytesMin = 10;
export const bodyBytesMax = 200_000;

/** A number of 32 bits from a text and a number: where everything about one operation begins. */
export function mark(text: string, number: number): number {
  let hash = 0x811c9dc5 ^ number;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16) ^ number, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Most bodies are small; one in a dozen fills a good part of a small arena. */
export function bodyBytes(seed: number): number {
  const share = (seed / 2 ** 32) ** 12;
  return bodyBytesMin + Math.floor(share * (bodyBytesMax - bodyBytesMin));
}

/** The body of a seed. No two parts of it are alike, and no two seeds have one in common. */
export function makeBody(seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(bodyBytes(seed) / 4));
  for (let index = 0; index < words.length; index += 1) words[index] = wordAt(seed, index);
  return new Uint8Array(words.buffer, 0, bodyBytes(seed));
}

/** Whether these are the bytes of that seed, all of them. */
export function isWhole(seed: number, body: Uint8Array): boolean {
  const whole = makeBody(seed);
  return Buffer.compare(whole, body) === 0;
}

function wordAt(seed: number, index: number): number {
  return Math.imul(seed ^ Math.imul(index + 1, 0x9e3779b1), 0x85ebca6b) >>> 0;
}
