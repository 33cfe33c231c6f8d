import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../../index.js";
import { loadBook } from "./book.js";
import topology from "./topology.js";
import { countWords, longWords, totalOf } from "./words.js";

async function main(directory: string): Promise<void> {
  const book = loadBook();
  await using runtime = await launch(topology, { directory, tasks: 4, threads: 2 });

  const { chapters, counts } = await runtime.agent("count").invoke(book);
  console.log(`${chapters} chapters, ${totalOf(counts)} words, ${counts.size} different ones`);
  for (const [word, times] of longWords(counts, 10)) {
    console.log(`  ${word.padEnd(6)} ${String(times).padStart(5)}`);
  }

  // The same without tasks, threads and a disk: the whole book as one text, from front to back.
  const plain = countWords(book.map(({ text }) => text).join("\n"));
  const different = [...plain].filter(([word, times]) => counts.get(word) !== times);
  const isEqual = different.length === 0 && plain.size === counts.size;
  console.log(isEqual ? "equal to a plain count" : "DIFFERENT from a plain count");
  if (!isEqual) process.exitCode = 1;
}

const directory = await mkdtemp(join(tmpdir(), "partita-word-count-"));
await main(directory).finally(() => rm(directory, { recursive: true }));
