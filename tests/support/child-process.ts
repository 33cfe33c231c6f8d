import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const file = fileURLToPath(new URL("../../dist/tests/topologies/child.js", import.meta.url));

/** A process that runs `child.js` (see there), ended at the latest when the test is over. */
export interface Child {
  readonly pid: number;
  /** Lines of its output, as they come; ends with the output. */
  readonly lines: AsyncIterable<string>;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** Ends its input and resolves when it has ended. */
  end(): Promise<void>;
}

export function startChild(...args: readonly string[]): Child {
  const process_ = spawn(process.execPath, [file, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const gone = new Promise<void>((resolve) => process_.once("close", () => resolve()));
  onTestFinished(() => killed(process_, gone));
  return {
    pid: process_.pid ?? 0,
    lines: createInterface({ input: process_.stdout }),
    kill: () => killed(process_, gone),
    end: () => {
      process_.stdin.end();
      return gone;
    },
  };
}

function killed(child: ChildProcess, gone: Promise<void>): Promise<void> {
  child.kill("SIGKILL");
  return gone;
}
