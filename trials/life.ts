// Life — one process of a trial: started, ordered about, listened to, and killed.
//
// Owns: the child process, its lines, its end. Leaves to others: what the lines mean.
//
// Invariants:
//   L1. Every line that the process has written before its death is heard before `ended` resolves.
//   L2. A process does not outlive the parent: it ends when its input does, and `kill` is for sure.

import { type ChildProcess, spawn } from "node:child_process";
import { StringDecoder } from "node:string_decoder";

/** How a process has ended. */
export interface LifeEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it wrote to its error output, the last of it. */
  readonly errors: string;
}

const errorsKept = 4_000;

export class Life {
  readonly ended: Promise<LifeEnd>;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, (rest: string) => void>();
  readonly #heard = new Map<string, string>();
  readonly #onLine: (word: string, rest: string) => void;
  #errors = "";
  #hasEnded = false;

  /** `onLine` gets every line, as its first word and the rest. */
  constructor(
    file: string,
    flags: readonly string[],
    onLine: (word: string, rest: string) => void,
  ) {
    this.#onLine = onLine;
    const child = spawn(process.execPath, [...flags, file], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    // A kill may come before an order has left.
    child.stdin.on("error", () => {});
    this.#listen();
    child.stderr.on("data", (bytes: Buffer) => {
      this.#errors = (this.#errors + bytes.toString()).slice(-errorsKept);
    });
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status, signal) => {
        this.#hasEnded = true;
        for (const settle of this.#waiting.values()) settle("");
        resolve({ status, signal, errors: this.#errors });
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Writes a line of JSON to its input. */
  order(order: object): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  /** Resolves with true when a line with that word has come, with false when the process ended. */
  async heard(word: string): Promise<boolean> {
    if (!this.#heard.has(word) && !this.#hasEnded) {
      await new Promise<string>((resolve) => this.#waiting.set(word, resolve));
    }
    return this.#heard.has(word);
  }

  /** What came behind that word, the last time. */
  said(word: string): string {
    return this.#heard.get(word) ?? "";
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** kill -9; resolves when it is gone and all it said was heard. */
  async kill(): Promise<LifeEnd> {
    this.#child.kill("SIGKILL");
    return await this.ended;
  }

  #listen(): void {
    const decoder = new StringDecoder("utf8");
    let text = "";
    this.#child.stdout?.on("data", (bytes: Buffer) => {
      text += decoder.write(bytes);
      let from = 0;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
        this.#hear(text.slice(from, end));
        from = end + 1;
      }
      text = text.slice(from);
    });
  }

  #hear(line: string): void {
    const space = line.indexOf(" ");
    const word = space < 0 ? line : line.slice(0, space);
    const rest = space < 0 ? "" : line.slice(space + 1);
    this.#onLine(word, rest);
    this.#heard.set(word, rest);
    this.#waiting.get(word)?.(rest);
    this.#waiting.delete(word);
  }
}
