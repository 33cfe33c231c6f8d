import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/**
 * A new empty directory, removed when the test that asks for it is over. What was registered with
 * `onTestFinished` after this call runs before the removal, so a runtime opened in it closes first.
 * @throws Error when it is called outside of a test
 */
export function tempDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "partita-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}
