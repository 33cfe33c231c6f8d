// Owner lock — one process for each data directory.
//
// A socket whose name is made of the directory's real path: the kernel frees it when the process
// dies, kill -9 included, so a lock is never stale. A file beside the data names the owner's pid,
// for the message that a second opener gets; it decides nothing.
// Gotcha: on Linux the name is an abstract socket, which is scoped to the network namespace: two
// containers that share a volume but not a network do not see each other's lock.
//
// Invariants:
//   V1. At most one holder in a network namespace; the second opener is refused at once.

import { createHash } from "node:crypto";
import { readFile, realpath, unlink, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PartitaError } from "../base/errors.js";

const ownerFile = "owner.pid";

/** A held lock. */
export interface OwnerLock {
  /** Lets the next opener in. Idempotent. */
  release(): Promise<void>;
}

/**
 * Takes the lock of an existing directory.
 * @throws PartitaError DIRECTORY_LOCKED with the owner's pid
 */
export async function acquireOwnerLock(directory: string): Promise<OwnerLock> {
  const path = await realpath(directory);
  const digest = createHash("sha256").update(path).digest("hex").slice(0, 32);
  const address = socketAddress(digest);
  const server = await listen(address, directory);
  try {
    await writeFile(join(directory, ownerFile), `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    await stopListening(server);
    throw error;
  }
  return {
    release: async () => {
      if (!server.listening) return;
      await unlink(join(directory, ownerFile)).catch(() => {});
      await stopListening(server);
    },
  };
}

function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

async function listen(address: string, directory: string): Promise<Server> {
  const first = await tryListen(address);
  if (first !== undefined) return first;
  if (address.startsWith("/") && !(await answers(address))) {
    // A socket file outlives its process where sockets have no abstract names; nobody answers on
    // it.
    await unlink(address).catch(() => {});
    const second = await tryListen(address);
    if (second !== undefined) return second;
  }
  throw new PartitaError("DIRECTORY_LOCKED", { directory, pid: await ownerPid(directory) });
}

function socketAddress(digest: string): string {
  if (process.platform === "linux") return `\0partita-${digest}`;
  if (process.platform === "win32") return `\\\\.\\pipe\\partita-${digest}`;
  return join(tmpdir(), `partita-${digest}.sock`);
}

/** The server, or `undefined` when somebody else listens there. */
function tryListen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => resolve(server));
  });
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function ownerPid(directory: string): Promise<number | null> {
  const text = await readFile(join(directory, ownerFile), "utf8").catch(() => "");
  const pid = Number.parseInt(text, 10);
  return Number.isInteger(pid) ? pid : null;
}
