// The job of the Piscina peer: nothing, but a reply that can be checked.

export function increment(value: number): number {
  return value + 1;
}
