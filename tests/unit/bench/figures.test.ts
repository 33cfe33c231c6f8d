// Figures of the benchmark — a wrong median or a skewed draw would be believed, so they are held
// against what can be said without them.

import { describe, expect, it } from "vitest";
import { generator, uniform, zipfian } from "../../../bench/chance.js";
import { median, quantile, spread } from "../../../bench/figures.js";

describe("figures — many samples", () => {
  it("have the middle one as their median, or the mean of the two in the middle", () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 2, 4, 100])).toBe(7);
    expect(() => median([])).toThrow(RangeError);
  });

  it("sort numbers by value, not as text", () => {
    expect(median([2, 10, 9])).toBe(9);
    expect(quantile(Float64Array.of(100, 9, 20), 0.5)).toBe(20);
  });

  it("keep their order beside lowest and highest", () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, samples: [3, 1, 2] });
  });

  it("have the last one as their highest quantile", () => {
    const samples = Float64Array.from({ length: 100 }, (_, index) => 99 - index);
    expect([quantile(samples, 0), quantile(samples, 0.99), quantile(samples, 1)]).toEqual([
      0, 99, 99,
    ]);
    expect(quantile(new Float64Array(0), 0.5)).toBe(0);
  });
});

describe("draws — seeded", () => {
  const count = 1_000;
  const draws = 200_000;
  const counted = (next: () => number): number[] => {
    const counts = new Array<number>(count).fill(0);
    for (let draw = 0; draw < draws; draw += 1) {
      const key = next();
      counts[key] = (counts[key] ?? 0) + 1;
    }
    expect(counts.length).toBe(count);
    return counts;
  };

  it("begin alike with one seed and differently with another", () => {
    const first = (seed: number) => Array.from({ length: 5 }, uniform(1e6, seed));
    expect(first(1)).toEqual(first(1));
    expect(first(1)).not.toEqual(first(2));
    const next = generator(3);
    for (let draw = 0; draw < 1_000; draw += 1) {
      const value = next();
      expect(value >= 0 && value < 1).toBe(true);
    }
  });

  it("are even when they are uniform", () => {
    const counts = counted(uniform(count, 7));
    expect(Math.min(...counts)).toBeGreaterThan(120);
    expect(Math.max(...counts)).toBeLessThan(290);
  });

  it("follow the zipfian law: the most frequent key has its part, and few keys have most", () => {
    const counts = counted(zipfian(count, 7)).sort((a, b) => b - a);
    let zeta = 0;
    for (let rank = 1; rank <= count; rank += 1) zeta += rank ** -0.99;
    const [most = 0] = counts;
    // Another rank may meet it in one key: then its part is a little larger.
    expect(most / draws).toBeGreaterThan(0.95 / zeta);
    expect(most / draws).toBeLessThan(1.3 / zeta);
    const hundred = counts.slice(0, 100).reduce((sum, each) => sum + each, 0);
    expect(hundred / draws).toBeGreaterThan(0.6);
  });
});
