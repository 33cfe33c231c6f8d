// strace — running Node under it, and saying plainly where that is not possible.

import { spawn, spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { Unavailable } from "../trial.js";

/** @throws Unavailable where strace is missing or may not look at other processes */
export function requireStrace(): void {
  if (process.platform !== "linux") throw new Unavailable("strace is a tool of Linux");
  const version = spawnSync("strace", ["--version"], { encoding: "utf8" });
  if (version.error !== undefined || version.status !== 0) {
    throw new Unavailable("strace is missing: `apt-get install strace`");
  }
  const look = spawnSync("strace", ["-f", "-o", "/dev/null", "true"], { encoding: "utf8" });
  if (look.status !== 0) {
    throw new Unavailable(`strace may not trace here (ptrace, root?): ${look.stderr.trim()}`);
  }
}

/** How a process under strace has ended. */
export interface StracedEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly errors: string;
}

/** What `straced` runs. */
export interface StracedCommand {
  /** Options of strace, without `-f` and `-xx`. */
  readonly options: readonly string[];
  /** Node's arguments. */
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** The process is killed when it takes longer; one with a `journal` when that stands still. */
  readonly limitMs: number;
  /** A file that grows as the work goes on, however slow a device is. */
  readonly journal?: string;
}

/** Runs Node under strace and waits for its end; its output is thrown away, its errors are kept. */
export function straced(command: StracedCommand): Promise<StracedEnd> {
  const { options, args, environment = {} } = command;
  const all = ["-f", "-xx", ...options, process.execPath, ...args];
  const child = spawn("strace", all, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...environment },
    // A group of its own: strace passes signals on to nobody, and its end must be that of all.
    detached: true,
  });
  const end = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has just ended by itself.
    }
  };
  const forget = whenStill(command, end);
  command.signal?.addEventListener("abort", end, { once: true });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (errors.length < 65_536) errors += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => {
      forget();
      command.signal?.removeEventListener("abort", end);
      resolve({ status, signal, errors });
    });
  });
}

/**
 * Calls `end` after `limitMs` in which the journal has not grown, at the latest after twice that;
 * without a journal after `limitMs`. Returns what takes that back.
 */
export function whenStill(
  { limitMs, journal }: Pick<StracedCommand, "limitMs" | "journal">,
  end: () => void,
): () => void {
  const bytes = (): number => {
    return journal === undefined ? 0 : (statSync(journal, { throwIfNoEntry: false })?.size ?? 0);
  };
  let before = 0;
  const look = (): void => {
    const now = bytes();
    if (now === before) end();
    else timer = setTimeout(look, limitMs);
    before = now;
  };
  let timer = setTimeout(look, limitMs);
  return () => clearTimeout(timer);
}
