/** Above this even a compute thread would be busy for too long. */
export const limitMax = 10_000_000;

/**
 * How many primes there are up to `limit`: slow on purpose (it divides), and so worth a cache.
 * A compute function takes and returns plain values and knows nothing of where it runs.
 * @throws RangeError when `limit` is above `limitMax`
 */
export function countPrimes(limit: number): number {
  if (limit > limitMax) throw new RangeError(`${limit} is above ${limitMax}`);
  let count = 0;
  for (let candidate = 2; candidate <= limit; candidate++) {
    if (isPrime(candidate)) count += 1;
  }
  return count;
}

function isPrime(candidate: number): boolean {
  for (let divisor = 2; divisor * divisor <= candidate; divisor++) {
    if (candidate % divisor === 0) return false;
  }
  return true;
}
