// Temporary directory — a place for one test's data that is gone afterwards, however it ends.

import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory that goes with the block that holds it. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
  /** Removes the directory and all in it. Idempotent; what is open in it should be closed first. */
  remove(): Promise<void>;
}

/** Removed at the latest when the process ends by itself. */
const left = new Set<string>();

/** Files may still be on their way to an open descriptor when a runtime was not closed. */
const removal = { recursive: true, force: true, maxRetries: 5 } as const;

/**
 * Makes a new empty directory below the system's directory for temporary files. It is removed when
 * the block that declares it ends, also by a failure, and otherwise when the process ends (but not
 * when it is killed):
 *
 *     await using directory = await temporaryDirectory();
 *     await using runtime = await launch(shop, { directory: directory.path });
 *
 * Declared in this order, the runtime is closed first. Only the owner can read what is in it.
 */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), "partita-testing-"));
  if (left.size === 0) process.once("exit", removeAll);
  left.add(path);
  const remove = async (): Promise<void> => {
    left.delete(path);
    if (left.size === 0) process.removeListener("exit", removeAll);
    await rm(path, removal);
  };
  return { path, remove, [Symbol.asyncDispose]: remove };
}

function removeAll(): void {
  for (const path of left) rmSync(path, removal);
}
