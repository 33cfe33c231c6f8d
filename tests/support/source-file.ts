// A TypeScript file as the tidy rules see it: its text beside two masks of the same length, one
// with only code and one with only comments, so that a rule can search one of them by pattern and
// report the right line. It splits characters; it does not parse (the compiler has no API for
// JavaScript).
//
// Invariants:
//   F1. `code` and `comments` have the length and the line ends of `text`: an offset means the same
//       place in all three.
//   F2. In `code`, what stands inside strings, templates and regular expressions is blank, and
//       their delimiters stay; an expression inside a template (`${...}`) is code.

/** One file, split into code and comments. Paths are relative to the root, with "/". */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly code: string;
  readonly comments: string;
}

/** Something a rule found, for a message such as `store/log.ts:12 line is 117 columns wide`. */
export interface Problem {
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  readonly message: string;
}

/** Splits `text`. An unfinished string or comment ends with the file. */
export function sourceFile(path: string, text: string): SourceFile {
  return { path, text, ...new Splitter(text).split() };
}

/** The line of an offset, counted from 1. */
export function lineAt(file: SourceFile, offset: number): number {
  return file.text.slice(0, offset).split("\n").length;
}

/** A problem for each match of `pattern` (global) in the given mask. */
export function findPattern(
  file: SourceFile,
  mask: "code" | "comments" | "text",
  pattern: RegExp,
  message: (match: RegExpMatchArray) => string,
): Problem[] {
  return [...file[mask].matchAll(pattern)].map((match) => ({
    path: file.path,
    line: lineAt(file, match.index),
    message: message(match),
  }));
}

/** Problems as text, `path:line message`. */
export function lines(problems: readonly Problem[]): string[] {
  return problems.map(({ path, line, message }) => `${path}:${line} ${message}`);
}

/** After one of these words a "/" begins a regular expression; after any other word it divides. */
const wordsBeforeExpression = new Set(
  "await case delete do else in instanceof new of return throw typeof void yield".split(" "),
);

class Splitter {
  readonly #text: string;
  readonly #code: string[];
  readonly #comments: string[];
  #at = 0;
  /** Whether what came last is a value, so that a "/" would divide it. */
  #afterValue = false;

  constructor(text: string) {
    this.#text = text;
    const blank = text.split("").map((unit) => (unit === "\n" ? "\n" : " "));
    this.#code = blank;
    this.#comments = [...blank];
  }

  split(): { code: string; comments: string } {
    this.#readCode("");
    return { code: this.#code.join(""), comments: this.#comments.join("") };
  }

  /** Reads code up to its end, or up to the "}" that closes a template's expression. */
  #readCode(until: "" | "}"): void {
    let depth = 0;
    while (this.#at < this.#text.length) {
      const rest = this.#text.slice(this.#at, this.#at + 2);
      const first = rest.charAt(0);
      if (first === until && depth === 0) return;
      if (first === "{") depth++;
      if (first === "}") depth--;
      if (rest === "//") this.#readComment(/\n/g, 0);
      else if (rest === "/*") this.#readComment(/\*\//g, 2);
      else if (first === '"' || first === "'") this.#readString(first);
      else if (first === "`") this.#readTemplate();
      else if (first === "/" && !this.#afterValue) this.#readPattern();
      else if (/[\w$]/.test(first)) this.#readWord();
      else this.#readMark(first);
    }
  }

  #readComment(end: RegExp, endLength: number): void {
    end.lastIndex = this.#at + 2;
    const match = end.exec(this.#text);
    const stop = match === null ? this.#text.length : match.index + endLength;
    while (this.#at < stop) this.#keep(this.#comments);
  }

  #readString(quote: string): void {
    this.#keep(this.#code);
    while (this.#at < this.#text.length && !`${quote}\n`.includes(this.#text.charAt(this.#at))) {
      this.#at += this.#text.charAt(this.#at) === "\\" ? 2 : 1;
    }
    this.#keep(this.#code);
    this.#afterValue = true;
  }

  #readTemplate(): void {
    this.#keep(this.#code);
    while (this.#at < this.#text.length && this.#text.charAt(this.#at) !== "`") {
      if (this.#text.startsWith("${", this.#at)) {
        this.#at += 2;
        this.#afterValue = false;
        this.#readCode("}");
        this.#at++;
      } else this.#at += this.#text.charAt(this.#at) === "\\" ? 2 : 1;
    }
    this.#keep(this.#code);
    this.#afterValue = true;
  }

  #readPattern(): void {
    this.#keep(this.#code);
    let inClass = false;
    while (this.#at < this.#text.length) {
      const character = this.#text.charAt(this.#at);
      if (character === "\n" || (character === "/" && !inClass)) break;
      if (character === "[") inClass = true;
      if (character === "]") inClass = false;
      this.#at += character === "\\" ? 2 : 1;
    }
    this.#keep(this.#code);
    this.#afterValue = true;
  }

  #readWord(): void {
    const start = this.#at;
    while (/[\w$]/.test(this.#text.charAt(this.#at))) this.#keep(this.#code);
    this.#afterValue = !wordsBeforeExpression.has(this.#text.slice(start, this.#at));
  }

  #readMark(mark: string): void {
    if (!/\s/.test(mark)) this.#afterValue = mark === ")" || mark === "]";
    this.#keep(this.#code);
  }

  #keep(mask: string[]): void {
    if (this.#at < this.#text.length) mask[this.#at] = this.#text.charAt(this.#at);
    this.#at++;
  }
}
