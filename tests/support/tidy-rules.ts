// The style rules that look at one file at a time. tidy-graph.ts has those about imports and
// exports, tests/tidy.test.ts runs all of them over the repository and shows each of them to fire.
//
// A rule is a function from a file to what is wrong with it, so it can be tried on a snippet. Rules
// decide by the path which files they are about. They search masks by pattern (source-file.ts):
// they may miss what nobody writes, and they must not accuse what is right.

import { findPattern, lineAt, type Problem, type SourceFile } from "./source-file.js";

/** What a file breaks of one rule; nothing when the rule is not about the file. */
export type FileRule = (file: SourceFile) => readonly Problem[];

export const fileLinesMax = 400;
export const functionLinesMax = 70;
export const lineColumnsMax = 100;
/** A file with more lines than this opens with a comment. */
export const headerFromLines = 80;

/** The folders whose code users run; root files count as one folder, "root". */
const libraryFolders = new Set(["base", "store", "runtime", "agents", "testing", "root"]);

/** Library files that may touch the clock, timers and randomness: they hand them to the rest. */
export const ambientAllowed: ReadonlySet<string> = new Set([
  "launch.ts",
  "runtime/control.ts",
  "runtime/system.ts",
  "runtime/task-thread.ts",
  "runtime/thread-transport.ts",
]);

/** The top folder of a path; "root" for a file that stands beside package.json. */
export function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "root";
}

/** Whether users run the file: not an example, a test, a benchmark, a script or a setting. */
export function isLibrary(path: string): boolean {
  return libraryFolders.has(folderOf(path)) && !path.endsWith(".config.ts");
}

/** At most 400 lines. */
export const fileLength: FileRule = (file) => {
  const count = lineCount(file);
  if (count <= fileLinesMax) return [];
  return [{ path: file.path, line: count, message: `${count} lines, at most ${fileLinesMax}` }];
};

/** A file of more than 80 lines says first, in a comment, what its job is. */
export const header: FileRule = (file) => {
  const count = lineCount(file);
  const afterShebang = file.text.replace(/^#!.*\n/, "");
  if (count <= headerFromLines || /^\s*\/[/*]/.test(afterShebang)) return [];
  return [{ path: file.path, line: 1, message: `${count} lines without a header comment` }];
};

/** At most 100 columns; an address that cannot be broken may be longer. */
export const lineWidth: FileRule = (file) =>
  file.text.split("\n").flatMap((text, index) => {
    const columns = [...text].length;
    if (columns <= lineColumnsMax || /https?:\/\/\S{60,}/.test(text)) return [];
    return [{ path: file.path, line: index + 1, message: `${columns} columns` }];
  });

/** At most 70 lines from the name to the closing brace; `describe` is a heading, not work. */
export const functionLength: FileRule = (file) =>
  functionBlocks(file.code).flatMap(({ start, end, head }) => {
    const line = lineAt(file, start);
    const count = lineAt(file, end) - line + 1;
    if (count <= functionLinesMax || /^describe\b/.test(head)) return [];
    return [{ path: file.path, line, message: `a function of ${count} lines` }];
  });

/** No marks of unfinished work, no tests that are left out or alone, no holes in types or lint. */
export const bannedWords: FileRule = (file) => {
  const found = (match: RegExpMatchArray) => `"${match[0].trim()}"`;
  const isTest = folderOf(file.path) === "tests";
  return [
    ...findPattern(file, "comments", /\b(?:TODO|FIXME|XXX|HACK)\b/g, found),
    ...findPattern(file, "comments", /@ts-(?:ignore|nocheck)\b|\bbiome-ignore\b/g, found),
    ...findPattern(
      file,
      "code",
      /\b(?:it|test|describe|suite)(?:\.\w+)*\.(?:only|skip|todo)\b/g,
      found,
    ),
    ...findPattern(file, "code", /(?<![.\w$#"'])any\b(?!\s*[=(:?])/g, found),
    ...(isTest ? [] : findPattern(file, "comments", /@ts-expect-error\b/g, found)),
    ...(isTest ? [] : findPattern(file, "text", /\bnot implemented\b/gi, found)),
  ];
};

/** `as` only beside a `// cast: reason`, on its line or in the comment right above. */
export const castReason: FileRule = (file) => {
  const code = blankRenames(file.code);
  const commentLines = file.comments.split("\n");
  const codeLines = file.code.split("\n");
  const casts = [...code.matchAll(/(?<=[\w$)\]}"'`>!\s])\bas\s+(?!const\b)(?=[\w${[("'`])/g)];
  return casts.flatMap((match) => {
    if (isKeyRemapping(code, match.index)) return [];
    const line = lineAt(file, match.index);
    const isReason = (index: number) => /\bcast:\s*\S/.test(commentLines[index] ?? "");
    if (isReason(line - 1)) return [];
    for (let index = line - 2; index >= 0; index--) {
      if (isReason(index)) return [];
      const isCommentOnly = (commentLines[index] ?? "").trim() !== "" && !codeLines[index]?.trim();
      if (!isCommentOnly) break;
    }
    return [{ path: file.path, line, message: "a cast without a `// cast:` reason" }];
  });
};

/** Lower case with hyphens, named for what is in it; no `index.ts` in a folder. */
export const fileName: FileRule = (file) => {
  const name = file.path.slice(file.path.lastIndexOf("/") + 1);
  const stem = name.slice(0, name.indexOf("."));
  const problem = (message: string) => [{ path: file.path, line: 1, message }];
  if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(stem)) return problem("not kebab-case");
  if (/^(?:utils?|common|misc|helpers?|types)$/.test(stem)) return problem("says nothing");
  // A published subpath has its own index; elsewhere one only makes import cycles.
  if (stem === "index" && !["index.ts", "testing/index.ts"].includes(file.path)) {
    return problem("a barrel inside a folder");
  }
  return [];
};

/** A library does not write to somebody else's terminal. */
export const noConsole: FileRule = (file) =>
  isLibrary(file.path) ? findPattern(file, "code", /\bconsole\b/g, () => "uses the console") : [];

const ambientPattern = new RegExp(
  [
    String.raw`\bDate\.now\b`,
    String.raw`\bnew Date\(\s*\)`,
    String.raw`\bperformance\.now\b`,
    String.raw`\bprocess\.hrtime\b`,
    String.raw`\bMath\.random\b`,
    String.raw`\brandom(?:UUID|Bytes|Int)\b`,
    String.raw`(?<!\.)\bset(?:Timeout|Interval)\b`,
  ].join("|"),
  "g",
);

/** Time and randomness enter the library through parameters. */
export const noAmbient: FileRule = (file) => {
  if (!isLibrary(file.path) || ambientAllowed.has(file.path)) return [];
  return findPattern(file, "code", ambientPattern, (match) => `uses ${match[0]}`);
};

/** Every rule of this file by the sentence that its test is called. */
export const fileRules: Readonly<Record<string, FileRule>> = {
  "no file is longer than 400 lines": fileLength,
  "every longer file opens with a comment": header,
  "no line is wider than 100 columns": lineWidth,
  "no function is longer than 70 lines": functionLength,
  "no word marks unfinished, skipped or untyped work": bannedWords,
  "every cast gives its reason": castReason,
  "every file name says what is in it": fileName,
  "the library leaves the console alone": noConsole,
  "the library takes time and randomness from its parameters": noAmbient,
};

function lineCount(file: SourceFile): number {
  return file.text.split("\n").length - (file.text.endsWith("\n") ? 1 : 0);
}

/** Where import and export lists rename, which is not a cast, there are blanks. */
function blankRenames(code: string): string {
  const lists =
    /\b(?:import|export)\s+(?:type\s+)?(?:[\w$]+\s*,\s*)?(?:\*\s*as\s+[\w$]+|\{[^}]*\})/g;
  return code.replace(lists, (list) => list.replace(/[^\n]/g, " "));
}

/** Whether the `as` at `index` renames the keys of a mapped type: `[K in Keys as Name<K>]`. */
function isKeyRemapping(code: string, index: number): boolean {
  return /^\[\s*[\w$]+\s+in\s/.test(code.slice(code.lastIndexOf("[", index), index));
}

/**
 * The functions with a block of more than one line. It relies on the formatter: such a block opens
 * at the end of a line, a method has no space before its bracket and a keyword always has one.
 */
function functionBlocks(code: string): { start: number; end: number; head: string }[] {
  const brackets = bracketPairs(code);
  return [...code.matchAll(/\{[ ]*$/gm)].flatMap(({ index: open }) => {
    const start = headStart(code, open, brackets);
    const head = code.slice(start, open).trim();
    if (!isFunctionHead(head)) return [];
    return [{ start, end: brackets.get(open) ?? code.length, head }];
  });
}

const methodHead =
  /^(?:(?:static|async|override|get|set|\*)\s*)*(?:[#\w$]+|\[[^\]]*\])(?:<[^(]*>)?\(/;

function isFunctionHead(head: string): boolean {
  if (head.endsWith("=>")) return true;
  if (/[([,=:?|&]$/.test(head)) return false;
  return /\bfunction\b/.test(head) || methodHead.test(head);
}

/**
 * Start of the line on which what ends in the brace at `open` began: `): Result {` goes back up.
 */
function headStart(code: string, open: number, brackets: ReadonlyMap<number, number>): number {
  let start = code.lastIndexOf("\n", open) + 1;
  for (;;) {
    const first = start + code.slice(start).search(/\S/);
    const opener = ")]}".includes(code.charAt(first)) ? brackets.get(first) : undefined;
    if (opener === undefined || opener >= first) return first;
    start = code.lastIndexOf("\n", opener) + 1;
  }
}

/** The offset of each bracket's partner, both ways. */
function bracketPairs(code: string): Map<number, number> {
  const pairs = new Map<number, number>();
  const open: number[] = [];
  for (const { 0: bracket, index } of code.matchAll(/[()[\]{}]/g)) {
    if ("([{".includes(bracket)) open.push(index);
    else {
      const partner = open.pop();
      if (partner === undefined) continue;
      pairs.set(partner, index).set(index, partner);
    }
  }
  return pairs;
}
