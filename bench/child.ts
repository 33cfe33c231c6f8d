// Child — other processes of the benchmark: servers of peers, and programs that a measurement needs
// to be alone, or to kill.
//
// Invariants:
//   C1. None outlives the run: the stage kills what is left, on every way out.
//   C2. Waiting for one ends: when it dies, when the run is interrupted, when its time is up.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Stage } from "./stage.js";

export interface ServerOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** It is up when this port takes connections. */
  readonly port: number;
}

/** A server that was started. */
export interface Server {
  stop(): Promise<void>;
}

const startMs = 30_000;
const stopMs = 5_000;
const outputKept = 4_000;

/** A port of the loopback interface that nobody has. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/**
 * Starts a server and waits until it takes connections.
 * @throws the error of `spawn`, with code ENOENT, when there is no such command
 */
export async function startServer(stage: Stage, options: ServerOptions): Promise<Server> {
  const child = spawn(options.command, options.args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
  });
  const output = listen(child);
  const ended = endOf(child);
  const letGo = stage.holdProcess(child);
  const stop = stage.atEnd(async () => {
    child.kill("SIGTERM");
    const patience = setTimeout(() => child.kill("SIGKILL"), stopMs);
    await ended.catch(() => {});
    clearTimeout(patience);
    letGo();
  });
  try {
    await Promise.race([
      isUp(options.port, stage.signal),
      ended.then(() => {
        throw new Error(`${options.command} ended while it started:\n${output()}`);
      }),
    ]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

/** Runs a program of ours and returns the last line it printed, as JSON. */
export async function ask(stage: Stage, program: URL, order: object): Promise<unknown> {
  const { child, output } = start(stage, program, order);
  const status = await endOf(child);
  const lines = output().trimEnd().split("\n");
  if (status !== 0) throw new Error(`${program.pathname} ended with ${status}:\n${output()}`);
  return JSON.parse(lines.at(-1) ?? "");
}

/** Runs a program of ours until it prints `word` on a line of its own, then kills it with -9. */
export async function killAfter(
  stage: Stage,
  program: URL,
  order: object,
  word: string,
): Promise<void> {
  const { child, output } = start(stage, program, order);
  let killed = false;
  child.stdout?.on("data", () => {
    if (killed || !output().split("\n").includes(word)) return;
    killed = true;
    child.kill("SIGKILL");
  });
  await endOf(child);
  if (!killed) throw new Error(`${program.pathname} ended by itself:\n${output()}`);
}

function start(stage: Stage, program: URL, order: object) {
  stage.signal.throwIfAborted();
  const args = [...process.execArgv, fileURLToPath(program), JSON.stringify(order)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const letGo = stage.holdProcess(child);
  child.once("close", letGo);
  const kill = () => child.kill("SIGKILL");
  stage.signal.addEventListener("abort", kill, { once: true });
  child.once("close", () => stage.signal.removeEventListener("abort", kill));
  return { child, output: listen(child) };
}

/** What it has printed, the last of it. */
function listen(child: ChildProcess): () => string {
  let output = "";
  const hear = (bytes: Buffer) => {
    output = (output + bytes.toString("utf8")).slice(-outputKept);
  };
  child.stdout?.on("data", hear);
  child.stderr?.on("data", hear);
  return () => output;
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
}

async function isUp(port: number, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + startMs;
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const answered = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (answered) return;
    if (performance.now() > giveUpAt) throw new Error(`nobody listens on port ${port}`);
    await delay(20, undefined, { signal });
  }
}
