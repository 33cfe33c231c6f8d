// Full disk — a run on a file system of a few megabytes, in memory and in a mount namespace of its
// own, so that nothing else sees it and nothing of it remains.

import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../testing/index.js";
import { Unavailable } from "../trial.js";
import { dataName, type Ground, journalName, knownAfter } from "./ground.js";
import type { PointOptions, PointVerdict } from "./point.js";

const limitMs = 60_000;

/** @throws Unavailable where this process may not mount a file system of its own */
export function requireMounts(): void {
  const script = "mount -t tmpfs -o size=1m none /mnt";
  const look = spawnSync("unshare", ["-m", "sh", "-c", script], { encoding: "utf8" });
  if (look.status === 0) return;
  const why = look.error?.message ?? look.stderr.trim();
  throw new Unavailable(`a small file system cannot be mounted (root, util-linux?): ${why}`);
}

/** Mounts "$1" of size "$2", runs, and brings what is left to "$3". */
const script = `
  mount -t tmpfs -o "size=$2" none "$1" || exit 99
  if [ -d "$3" ]; then cp -a --sparse=always "$3/." "$1" || exit 98; rm -r "$3"; fi
  mount="$1"; kept="$3"; shift 3
  mkdir -p "$mount/data"
  "$@"
  status=$?
  mkdir "$kept" && cp -a --sparse=always "$mount/." "$kept"
  exit $status
`;

/** Fills a disk: with the guard asleep, or awake and the marks near. */
export async function tryFullDisk(
  ground: Ground,
  seed: number,
  number: number,
  options: PointOptions,
): Promise<PointVerdict> {
  const { folder, childFile, pool } = options;
  const random = seededRandom(seed * 104_729 + number);
  const isGuarded = random() < 0.5;
  const room = (isGuarded ? 5 + 4 * random() : 0.3 + 3 * random()) * 1_048_576;
  // Low soon after the launch, and with room for what was accepted by then.
  const diskLowBytes = isGuarded ? Math.floor(room * (0.5 + 0.3 * random())) : 0;
  const size = Math.floor(room) + (ground.template === undefined ? 0 : usedBytes(ground.template));
  const mount = join(folder, "mount");
  const kept = join(folder, "kept");
  const journal = join(folder, journalName);
  mkdirSync(mount, { recursive: true });
  if (ground.template !== undefined) {
    mkdirSync(kept);
    cpSync(ground.template, join(kept, dataName), { recursive: true });
  }
  const long = { requests: 400, invocations: 60 };
  const spec = { ...ground.spec, ...long, diskLowBytes, directory: join(mount, dataName), journal };
  const node = [process.execPath, childFile, JSON.stringify(spec)];
  const end = await runScript([mount, String(size), kept, ...node], options.signal);
  options.signal.throwIfAborted();
  if (end.status === 98 || end.status === 99) throw new Error(end.errors);
  const text = existsSync(journal) ? readFileSync(journal, "utf8") : "";
  const isFull = /ENOSPC|MDB_MAP_FULL|No space|no space/i.test(end.errors);
  const isLow = text.includes("error DISK_LOW") || end.errors.includes("DISK_LOW");
  const problems: string[] = [];
  if (end.status !== 0 && end.errors.trim() === "") problems.push("it stopped without a word");
  if (end.status === 0 && !text.endsWith("closed\n")) problems.push("it ended and was not closed");
  const data = join(kept, dataName);
  if (existsSync(data)) {
    const known = existsSync(journal) ? knownAfter(ground.known, journal) : ground.known;
    await pool.turn();
    const findings = await pool.check({ directory: data, known, tasks: ground.spec.tasks });
    problems.push(...findings.map(({ wrong, what }) => `${wrong}: ${what}`));
  }
  if (problems.length === 0) rmSync(folder, { recursive: true, force: true });
  const fired = isFull || isLow ? { name: "tmpfs", path: `of ${size} bytes` } : undefined;
  const first = end.errors
    .trim()
    .split("\n")
    .find((line) => /ENOSPC|stopped|space/i.test(line));
  const outcome = isLow ? "refused work" : `${end.status} ${first ?? ""}`.slice(0, 160);
  return {
    fired: problems.length > 0 ? { name: "tmpfs", path: `${size}` } : fired,
    outcome,
    problems,
  };
}

/** What the files of a folder take on the device. */
function usedBytes(folder: string): number {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return paths.reduce((sum, path) => sum + statSync(join(folder, path)).blocks * 512 + 4_096, 0);
}

function runScript(
  args: readonly string[],
  signal: AbortSignal,
): Promise<{ status: number | null; errors: string }> {
  const child = spawn("unshare", ["-m", "sh", "-c", script, "sh", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, UV_THREADPOOL_SIZE: "1" },
    detached: true,
  });
  const end = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  };
  const timer = setTimeout(end, limitMs);
  signal.addEventListener("abort", end, { once: true });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve({ status, errors });
    });
  });
}
