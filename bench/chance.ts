// Chance — seeded draws of key numbers: uniform, or YCSB's scrambled zipfian.
//
// The zipfian draws are those of Gray et al., "Quickly generating billion-record synthetic
// databases", as YCSB has them: rank 0 is the most frequent. Ranks are then scattered over the
// keys, since frequent keys that lie side by side would share pages and flatter a tree.

/** A number from 0 to `count - 1`. */
export type Draw = () => number;

/** Every number equally often. */
export function uniform(count: number, seed: number): Draw {
  const next = generator(seed);
  return () => Math.floor(next() * count);
}

/** One number out of `count` draws by its rank with the exponent `theta`. */
export function zipfian(count: number, seed: number, theta = 0.99): Draw {
  const next = generator(seed);
  const zeta = zetaOf(count, theta);
  const alpha = 1 / (1 - theta);
  const second = 1 + 0.5 ** theta;
  const eta = (1 - (2 / count) ** (1 - theta)) / (1 - zetaOf(2, theta) / zeta);
  return () => {
    const part = next();
    const scaled = part * zeta;
    if (scaled < 1) return scatter(0, count);
    if (scaled < second) return scatter(1, count);
    return scatter(Math.floor(count * (eta * part - eta + 1) ** alpha), count);
  };
}

/** Numbers from 0 to below 1 (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function zetaOf(count: number, theta: number): number {
  let sum = 0;
  for (let rank = 1; rank <= count; rank += 1) sum += rank ** -theta;
  return sum;
}

/** A hash of the rank: two ranks may meet in one key, as they do in YCSB. */
function scatter(rank: number, count: number): number {
  let hash = Math.imul(rank ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % count;
}
