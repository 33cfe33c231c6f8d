// Stage — what one run of the benchmark stands on: its settings, its directories, its end.
//
// Owns: temporary directories, what must be stopped when the run ends, and that both happen on
// every way out: at the end, after an error, on Ctrl-C, and, without waiting, on `process.exit`.
// Leaves to others: what is opened (targets and peers).
//
// Invariants:
//   S1. Whatever is registered is ended once, the newest first, before the directories go.
//   S2. All directories lie in one, on the file system that the run reports.

import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What the run was told. */
export interface Settings {
  readonly quick: boolean;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Says what takes long before there is anything to measure. */
  readonly say?: (line: string) => void;
}

export class Stage {
  readonly directory: string;
  readonly quick: boolean;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  readonly #endings = new Set<() => Promise<void>>();
  readonly #processes = new Set<{ kill(signal: "SIGKILL"): unknown }>();
  readonly #shared = new Map<string, Promise<unknown>>();
  readonly #onExit: () => void;
  #directories = 0;

  private constructor(directory: string, settings: Settings) {
    this.directory = directory;
    this.quick = settings.quick;
    this.seed = settings.seed;
    this.signal = settings.signal;
    this.say = settings.say ?? (() => {});
    this.#onExit = () => {
      for (const each of this.#processes) each.kill("SIGKILL");
      rmSync(directory, { recursive: true, force: true });
    };
    process.on("exit", this.#onExit);
  }

  /** Below the system's temporary directory, which `TMPDIR` moves to another disk. */
  static async open(settings: Settings): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), "partita-bench-")), settings);
  }

  /** A new empty directory, there until the run ends. */
  async newDirectory(name: string): Promise<string> {
    this.#directories += 1;
    const directory = join(this.directory, `${this.#directories}-${name}`);
    await mkdir(directory);
    return directory;
  }

  /** Made once in a run, by whoever asks first. */
  async shared<T>(key: string, make: () => Promise<T>): Promise<T> {
    const made = this.#shared.get(key) ?? make();
    this.#shared.set(key, made);
    // cast: one key has one maker.
    return (await made) as T;
  }

  /** `end` runs when the run ends, unless the returned function has run it before. */
  atEnd(end: () => Promise<void>): () => Promise<void> {
    const once = async (): Promise<void> => {
      if (this.#endings.delete(once)) await end();
    };
    this.#endings.add(once);
    return once;
  }

  /** A child process that must not outlive this one; the returned function lets go of it. */
  holdProcess(child: { kill(signal: "SIGKILL"): unknown }): () => void {
    this.#processes.add(child);
    return () => void this.#processes.delete(child);
  }

  async end(): Promise<void> {
    try {
      for (const end of [...this.#endings].reverse()) await end();
    } finally {
      for (const each of this.#processes) each.kill("SIGKILL");
      process.off("exit", this.#onExit);
      await rm(this.directory, { recursive: true, force: true });
    }
  }
}
