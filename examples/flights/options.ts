// The command line of the main job. Everything wrong with it is said before anything is done.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { flightCountMax } from "./flights.js";

/** What the command line asks for. */
export interface Options {
  readonly help: boolean;
  readonly flights: number;
  /** `undefined`: a fresh temporary one, removed at the end. */
  readonly directory: string | undefined;
  readonly tasks: number;
  readonly threads: number;
}

/** What `--help` prints. */
export const helpText = `Counts real flights on durable partition tasks and checks the result.

Usage: npm start -- [options]

  --flights N      only the first N flights, 1 to ${flightCountMax} (default ${flightCountMax})
  --directory DIR  keep the data in DIR, which must be empty or missing
                   (default: a temporary directory, removed at the end)
  --tasks N        partition tasks, 1 to 64 (default 4)
  --threads N      threads that host the tasks, 0 to 64, 0 runs them on the main thread (default 2)
  --help           this text`;

/**
 * Reads the arguments behind the file name.
 * @throws Error with a message for the user: unknown option, number out of range, directory in use
 */
export function readOptions(args: readonly string[]): Options {
  const values = parse(args);
  const options = {
    help: values.help,
    flights: readNumber("--flights", values.flights, 1, flightCountMax),
    directory: values.directory,
    tasks: readNumber("--tasks", values.tasks, 1, 64),
    threads: readNumber("--threads", values.threads, 0, 64),
  };
  if (options.directory !== undefined) requireEmpty(options.directory);
  return options;
}

function parse(args: readonly string[]) {
  const options = {
    flights: { type: "string", default: String(flightCountMax) },
    directory: { type: "string" },
    tasks: { type: "string", default: "4" },
    threads: { type: "string", default: "2" },
    help: { type: "boolean", default: false },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    const known = Object.keys(options).map((name) => `--${name}`);
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}; the options are ${known.join(", ")}`, { cause: error });
  }
}

/** A new directory below the system's temporary one; it disappears when the process ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "partita-flights-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  // Ctrl-C ends a process without its `exit` event, unless it ends itself.
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  return directory;
}

function readNumber(option: string, text: string, min: number, max: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new Error(`${option} must be a whole number from ${min} to ${max}, not "${text}"`);
}

/** The flights of an earlier run would be counted a second time. */
function requireEmpty(directory: string): void {
  if (directory === "") throw new Error("--directory needs the name of a directory");
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
    throw new Error(`--directory ${directory} cannot be read`, { cause: error });
  }
  if (names.length === 0) return;
  throw new Error(`--directory ${directory} is not empty: the flights would be counted twice`);
}
