// What goes wrong here would look like a chapter that is missing from the sum or is in it twice, or
// like the words of one book in the count of another.

import { describe, expect, it } from "vitest";
import { type Chapter, loadBook } from "../../examples/word-count/book.js";
import topology, { type WordCount } from "../../examples/word-count/topology.js";
import { longWords, totalOf } from "../../examples/word-count/words.js";
import { launch } from "../../index.js";
import { simulate } from "../../testing/index.js";
import { tempDirectory } from "../support/temp-directory.js";

const options = { tasks: 4, threads: 0 };

/** The words of the whole book, found by other means: what is not a word parts the others. */
function plainCount(book: readonly Chapter[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const text = book.map((chapter) => chapter.text).join("\n");
  for (const piece of text.split(/[^\p{L}'’]+/u)) {
    const word = piece.replace(/^['’]+|['’]+$/g, "").toLowerCase();
    if (word !== "") counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

const sorted = (counts: ReadonlyMap<string, number>) =>
  [...counts].sort(([a], [b]) => +(a > b) - 1);

describe("word count — the book", () => {
  it("has the etymology, the extracts, 135 chapters and the epilogue", () => {
    const book = loadBook();

    expect(book).toHaveLength(138);
    expect(book[2]?.title).toBe("Loomings.");
    expect(book[2]?.text).toMatch(/^Call me Ishmael\./);
    expect(book.every(({ text }) => text.length > 100)).toBe(true);
  });

  it("is counted over all tasks as a plain loop counts it", async () => {
    const book = loadBook();
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const { chapters, counts } = await runtime.agent("count").invoke(book);

    expect(chapters).toBe(138);
    expect(sorted(counts)).toEqual(sorted(plainCount(book)));
    expect(totalOf(counts)).toBeGreaterThan(200_000);
    expect(longWords(counts, 4).map(([word]) => word)).toEqual(["that", "with", "this", "whale"]);
  });

  it("has no words when it has no chapters", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const none: WordCount = { chapters: 0, counts: new Map() };

    expect(await runtime.agent("count").invoke([])).toEqual(none);
  });
});

describe("word count — many books at once", () => {
  it("keeps each chapter in the count of its book", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const chapters = loadBook().slice(0, 24);
    const books = Array.from({ length: 8 }, (_, i) => chapters.slice(i * 3, i * 3 + 3));
    const counted = await Promise.all(books.map((book) => runtime.agent("count").invoke(book)));

    expect(counted.map(({ counts }) => sorted(counts))).toEqual(
      books.map((book) => sorted(plainCount(book))),
    );
  });
});

describe("word count — over crashes", () => {
  it("counts each chapter once, whatever dies meanwhile", async () => {
    const book = loadBook().slice(0, 10);
    let crashes = 0;
    for (let seed = 1; seed <= 16; seed += 1) {
      const faults = { processCrash: 0.003, threadCrash: 0.006 };
      await using runtime = await simulate(topology, { seed, tasks: 3, faults });
      const id = runtime.newId();
      // A death takes the answer, not always the invocation: the same id never begins a second one.
      const answered = await runtime
        .agent("count")
        .invoke(book, { id })
        .catch((error: unknown) => error);
      if (answered instanceof Error) expect(answered).toHaveProperty("code", "TASK_EXITED");
      await runtime.heal();
      const { chapters, counts } = await runtime.agent("count").invoke(book, { id });

      expect([seed, chapters]).toEqual([seed, 10]);
      expect(sorted(counts)).toEqual(sorted(plainCount(book)));
      crashes += runtime.crashes;
    }
    // Without crashes this test would not show much.
    expect(crashes).toBeGreaterThan(4);
  });
});
