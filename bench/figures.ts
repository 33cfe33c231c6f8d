// Figures — numbers of one measurement, and what many of them come to.

/** What one measurement found, by name: `perSecond`, `p50Ms`, … */
export type Figures = Readonly<Record<string, number>>;

/** Samples of one thing over the rounds, in their order, and what they come to. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly samples: readonly number[];
}

/** The middle of the sorted samples; of an even number, the mean of the two in the middle. */
export function median(samples: readonly number[]): number {
  if (samples.length === 0) throw new RangeError("no samples");
  const sorted = samples.toSorted((a, b) => a - b);
  const above = sorted[sorted.length >> 1] ?? 0;
  const below = sorted[(sorted.length - 1) >> 1] ?? 0;
  return (above + below) / 2;
}

export function spread(samples: readonly number[]): Spread {
  return {
    median: median(samples),
    min: Math.min(...samples),
    max: Math.max(...samples),
    samples: [...samples],
  };
}

/** The sample below which that part of all samples lies; sorts in place. */
export function quantile(samples: Float64Array, part: number): number {
  samples.sort();
  return samples[Math.min(samples.length - 1, Math.floor(samples.length * part))] ?? 0;
}
