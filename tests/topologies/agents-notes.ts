// Notes — what nodes of the agents-*.ts topologies say to the test, and the test to them: lines of
// a file, whose directory is in the metadata of the invocation.
//
// A store would not do: what a node reads and writes there is replayed when it is run again, and
// these tests count runs. Module state would not do either: every thread has its own.

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { keyValueStore, type Metadata, reply, string, type } from "../../index.js";

/** Every topology of these has it: by it a test ends the threads that own its keys. */
export const faults = keyValueStore({
  key: string,
  value: type<number>(),
  updates: {
    touch: (touched = 0) => touched + 1,
    where: (touched: number | undefined) => reply(touched, threadId),
    exit: (_touched: number | undefined, status: number): number => process.exit(status),
  },
});

/** What tests count with, where it is the store that is told of. */
export const counts = keyValueStore({
  key: string,
  value: type<number>(),
  updates: {
    add: (count = 0, by: number) => count + by,
    subtract: (count = 0, by: number) => count - by,
  },
});

/** What of a node's context is needed. */
export interface Noting {
  readonly metadata: Metadata;
}

export function note(ctx: Noting, line: string): void {
  addNote(directoryOf(ctx), line);
}

export function hasNoted(ctx: Noting, line: string, times = 1): boolean {
  const lines = readNotes(directoryOf(ctx)).filter((other) => other === line);
  return lines.length >= times;
}

/** Resolves when somebody has noted the line, so many times: a node or the test. */
export async function noted(ctx: Noting, line: string, times = 1): Promise<void> {
  while (!hasNoted(ctx, line, times)) await turn();
}

/**
 * A place where the test cuts everything off, when the invocation is one that is: the first run
 * that comes here says so, and stays.
 */
export async function place(ctx: Noting, name: string): Promise<void> {
  if (ctx.metadata["cut"] !== true) return;
  const line = `at ${name}`;
  if (hasNoted(ctx, line)) return;
  note(ctx, line);
  await new Promise(() => {});
}

/** Resolves when the signal has aborted. */
export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", resolve);
    if (signal.aborted) resolve(undefined);
  });
}

export function addNote(directory: string, line: string): void {
  appendFileSync(join(directory, "notes"), `${line}\n`);
}

export function readNotes(directory: string): readonly string[] {
  const file = join(directory, "notes");
  if (!existsSync(file)) return [];
  // The last one may be half written.
  return readFileSync(file, "utf8").split("\n").slice(0, -1);
}

/** Resolves when others of the thread had their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function directoryOf({ metadata }: Noting): string {
  return String(metadata["notes"]);
}
