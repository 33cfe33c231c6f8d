// A book, counted in pieces: a scatter hands out chapters, a gather adds up what comes back.
//
// Guarantees:
//   1. Each chapter counts once, also when a thread or the process dies while it is counted.
//   2. The result comes when all chapters are in, and not before.
//   3. Many books can be counted at once, and never mix.

import { accumulate, agent, gather, node, scatter, topology, type } from "../../index.js";
import type { Chapter } from "./book.js";
import { addCounts, countWords } from "./words.js";

/** What is known of a book. */
export interface WordCount {
  readonly chapters: number;
  readonly counts: ReadonlyMap<string, number>;
}

export const count = agent({
  entry: "split",
  result: type<WordCount>(),
  nodes: {
    // What it emits, and all that follows from it, is one scope. It runs on the home task.
    split: scatter({
      input: type<readonly Chapter[]>(),
      to: ["chapter"],
      carry: type<number>(),
    }),
    // Neither keyed nor bound to a task: the chapters go to all tasks in turn.
    chapter: node({ input: type<Chapter>(), to: ["total"] }),
    // Runs once, when nothing of the scope is under way any more.
    total: gather({
      // No race: the home task adds one chapter at a time. The order in which they come makes no
      // difference to a sum. Each scope begins with a map of its own.
      collect: accumulate(
        () => new Map<string, number>(),
        (counts, chapter: ReadonlyMap<string, number>) => addCounts(counts, chapter),
      ),
      carry: type<number>(),
    }),
  },
}).implement({
  split(ctx, chapters) {
    for (const chapter of chapters) ctx.emit("chapter", chapter);
    // Kept, and given to the gather: nobody has to count what has been handed out.
    return chapters.length;
  },
  chapter(ctx, { text }) {
    ctx.emit("total", countWords(text));
  },
  total(ctx, counts, chapters) {
    ctx.result({ chapters, counts });
  },
});

export default topology("word-count", import.meta.url, { agents: { count } });
