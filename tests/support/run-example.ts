import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How a program ended and what it wrote. */
export interface ProgramRun {
  readonly status: number;
  readonly output: string;
  readonly errors: string;
}

const timeoutMs = 60_000;

/**
 * Runs `dist/examples/<name>/main.js` in a process of its own, with temporary files below
 * `temporary`, and resolves when it has ended.
 * Rejects when a signal ended it, or when it was not over after a minute.
 */
export function runExample(
  name: string,
  temporary: string,
  args: readonly string[] = [],
): Promise<ProgramRun> {
  const file = fileURLToPath(new URL(`../../dist/examples/${name}/main.js`, import.meta.url));
  const options = { env: { ...process.env, TMPDIR: temporary }, timeout: timeoutMs };
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, [file, ...args], options, (error, output, errors) => {
      if (child.exitCode !== null) resolve({ status: child.exitCode, output, errors });
      else
        reject(new Error(`${name} did not end by itself:\n${output}${errors}`, { cause: error }));
    });
  });
}
