/** How often each word stands in a text: runs of letters, apostrophes within them, lower case. */
export function countWords(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [word] of text.toLowerCase().matchAll(/\p{L}+(?:['’]\p{L}+)*/gu)) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/** Adds `more` to `counts`, which it changes and returns. */
export function addCounts(
  counts: Map<string, number>,
  more: ReadonlyMap<string, number>,
): Map<string, number> {
  for (const [word, count] of more) counts.set(word, (counts.get(word) ?? 0) + count);
  return counts;
}

/** How many words there are in all. */
export function totalOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

/** The `limit` most frequent words of more than three letters, the most frequent first. */
export function longWords(counts: ReadonlyMap<string, number>, limit: number): [string, number][] {
  return [...counts]
    .filter(([word]) => word.length > 3)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, limit);
}
