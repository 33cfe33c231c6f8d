// Child processes — programs of tests/topologies in processes of their own, which tests read.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** How a process has ended. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A process of its own, ended at the latest when the test is over. */
export interface Child {
  readonly pid: number;
  /** Lines of its output, as they come; ends with the output. */
  readonly lines: AsyncIterable<string>;
  /** Resolves when it has ended and all it had to say was read. */
  readonly exit: Promise<ChildExit>;
  /** What it has written to standard error so far; empty when that goes through to the test's. */
  errors(): string;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** Ends its input and resolves when it has ended. */
  end(): Promise<void>;
}

/** A process that runs `child.js` (see there). */
export function startChild(...args: readonly string[]): Child {
  return started(process.execPath, [programFile("child.js"), ...args], "inherit");
}

/** A process that runs another of the programs in tests/topologies, whose errors the test reads. */
export function startProgram(name: string, ...args: readonly string[]): Child {
  return started(process.execPath, [programFile(name), ...args], "pipe");
}

/** The same with a tmpfs of that size at `mount`, which nobody else sees; the first argument. */
export function startMounted(
  name: string,
  mount: string,
  size: string,
  ...args: readonly string[]
): Child {
  const program = [process.execPath, programFile(name), mount, ...args];
  const script = `mount -t tmpfs -o size=${size} tmpfs "$1" && shift && exec "$@"`;
  return started("unshare", ["-m", "sh", "-c", script, "sh", mount, ...program], "pipe");
}

/** Why no tmpfs can be mounted here (no root, no Linux); `undefined` where one can. */
export function mountRefusal(mount: string): string | undefined {
  const tried = spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", mount]);
  if (tried.status === 0) return undefined;
  return tried.error?.message ?? tried.stderr.toString().trim();
}

function programFile(name: string): string {
  return fileURLToPath(new URL(`../../dist/tests/topologies/${name}`, import.meta.url));
}

function started(command: string, args: readonly string[], stderr: "inherit" | "pipe"): Child {
  const process_ = spawn(command, args, { stdio: ["pipe", "pipe", stderr] });
  const exit = new Promise<ChildExit>((resolve) => {
    process_.once("close", (code, signal) => resolve({ code, signal }));
  });
  onTestFinished(() => killed(process_, exit));
  const { stdin, stdout } = process_;
  if (stdin === null || stdout === null) throw new Error("the pipes of a child were asked for");
  let errors = "";
  process_.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  return {
    pid: process_.pid ?? 0,
    lines: createInterface({ input: stdout }),
    exit,
    errors: () => errors,
    kill: () => killed(process_, exit),
    end: async () => {
      stdin.end();
      await exit;
    },
  };
}

async function killed(child: ChildProcess, exit: Promise<ChildExit>): Promise<void> {
  child.kill("SIGKILL");
  await exit;
}
