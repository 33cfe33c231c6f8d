// Trial — what every command that tries to break Partita has in common: its options, its progress
// line, its last line and its exit status.
//
// Owns: reading the command line, `--help`, the seed it prints first, the line on the terminal
// while it works, and that nothing is left running when it is interrupted. Leaves to others: what
// is tried, and the words of the last line (each command's own).
//
// Exit status: 0 held, 1 a violation or an error, 2 a wrong command line, 3 the machine lacks what
// the command needs (strace, root), 130 interrupted.

import { parseArgs } from "node:util";

/** An option that takes a whole number, or one that is there or not. */
export interface TrialOption {
  readonly help: string;
  /** The default of a number; `false` for an option that takes no value. */
  readonly default: number | false;
  /** Smallest number. Default 1. */
  readonly min?: number;
}

/** How a command presents itself. */
export interface TrialSpec<Name extends string> {
  /** As in `npm run <name>`. */
  readonly name: string;
  /** One sentence for `--help`. */
  readonly summary: string;
  readonly options: Readonly<Record<Name, TrialOption>>;
}

/** What a command works with. */
export interface TrialRun<Name extends string> {
  /** By the option's name; 1 or 0 for one that takes no value. */
  readonly values: Readonly<Record<Name | "seed", number>>;
  /** Aborts on Ctrl-C: stop what runs, and return. */
  readonly signal: AbortSignal;
  /** Replaces the progress line; only where standard error is a terminal. */
  progress(done: number, total: number, text: string): void;
  /** A line that stays: a violation, with what replays it. */
  say(line: string): void;
}

/** How it came out. */
export interface TrialOutcome {
  /** The last line, exactly. */
  readonly line: string;
  readonly held: boolean;
}

/** The machine lacks something: the command says so and exits 3. */
export class Unavailable extends Error {}

const seedDefault = 20261125;

/** Runs a command from its command line and sets the exit status. */
export async function runTrial<Name extends string>(
  spec: TrialSpec<Name>,
  body: (run: TrialRun<Name>) => Promise<TrialOutcome>,
): Promise<void> {
  const values = readOptions(spec);
  if (values === undefined) return;
  const abort = new AbortController();
  process.once("SIGINT", () => abort.abort(new Error("interrupted")));
  process.once("SIGTERM", () => abort.abort(new Error("terminated")));
  const line = new ProgressLine();
  console.log(`${spec.name}: seed=${values.seed} node=${process.version} ${process.platform}`);
  try {
    const outcome = await body({
      values,
      signal: abort.signal,
      progress: (done, total, text) => line.show(`${spec.name} ${done}/${total} ${text}`),
      say: (text) => {
        line.clear();
        console.log(text);
      },
    });
    line.clear();
    if (abort.signal.aborted) {
      process.exitCode = 130;
      return;
    }
    console.log(outcome.line);
    process.exitCode = outcome.held ? 0 : 1;
  } catch (error) {
    line.clear();
    const isMachine = error instanceof Unavailable;
    console.error(isMachine ? `${spec.name}: ${error.message}` : error);
    process.exitCode = abort.signal.aborted ? 130 : isMachine ? 3 : 1;
  }
}

function readOptions<Name extends string>(
  spec: TrialSpec<Name>,
): Readonly<Record<Name | "seed", number>> | undefined {
  const seed: TrialOption = {
    help: "where all random choices begin",
    default: seedDefault,
    min: 0,
  };
  const options: Readonly<Record<string, TrialOption>> = { ...spec.options, seed };
  try {
    const declared: Record<string, { type: "boolean" | "string"; short?: string }> = {
      help: { type: "boolean", short: "h" },
    };
    for (const [name, option] of Object.entries(options)) {
      declared[name] = { type: option.default === false ? "boolean" : "string" };
    }
    const { values } = parseArgs({ options: declared });
    if (values["help"] === true) {
      console.log(usage(spec, options));
      return undefined;
    }
    const numbers = Object.entries(options).map(([name, option]) => {
      return [name, numberOf(name, option, values[name])] as const;
    });
    // cast: the names are those of the specification, and the seed.
    return Object.fromEntries(numbers) as Readonly<Record<Name | "seed", number>>;
  } catch (error) {
    console.error(`${spec.name}: ${error instanceof Error ? error.message : String(error)}`);
    console.error(`${spec.name}: --help lists the options`);
    process.exitCode = 2;
    return undefined;
  }
}

function numberOf(name: string, option: TrialOption, given: unknown): number {
  if (option.default === false) return given === true ? 1 : 0;
  if (given === undefined) return option.default;
  const { min = 1 } = option;
  const value = Number(given);
  if (typeof given === "string" && given !== "" && Number.isSafeInteger(value) && value >= min) {
    return value;
  }
  throw new RangeError(`--${name} takes a whole number of at least ${min}, not "${given}"`);
}

function usage<Name extends string>(
  spec: TrialSpec<Name>,
  options: Readonly<Record<string, TrialOption>>,
): string {
  const rows = Object.entries(options).map(([name, option]) => {
    const left = option.default === false ? `--${name}` : `--${name} N`;
    const right = option.default === false ? option.help : `${option.help} (${option.default})`;
    return `  ${left.padEnd(20)} ${right}`;
  });
  const exits = "exit status: 0 held, 1 violated, 2 wrong command line, 3 machine lacks something";
  return [
    `usage: npm run ${spec.name} -- [options]`,
    "",
    spec.summary,
    "",
    ...rows,
    "",
    exits,
  ].join("\n");
}

class ProgressLine {
  readonly #isTerminal = process.stderr.isTTY === true;
  #shown = false;

  show(text: string): void {
    if (!this.#isTerminal) return;
    process.stderr.write(`\r\x1b[2K${text.slice(0, process.stderr.columns - 1)}`);
    this.#shown = true;
  }

  clear(): void {
    if (this.#shown) process.stderr.write("\r\x1b[2K");
    this.#shown = false;
  }
}
