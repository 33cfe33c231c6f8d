// Machine — where and with what a run was made: figures without it mean nothing.

import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import { cpus, platform, release, totalmem } from "node:os";
import type { Machine } from "./document.js";
import { redisVersion } from "./peers/redis.js";

/** Magic numbers of `statfs`, as Linux has them. */
const fileSystems: ReadonlyMap<number, string> = new Map([
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x2fc12fc1, "zfs"],
  [0x01021994, "tmpfs"],
  [0x794c7630, "overlayfs"],
  [0xf2f52010, "f2fs"],
  [0x6969, "nfs"],
]);

const packages = [
  "partita",
  "lmdb",
  "cbor-x",
  "piscina",
  "ioredis",
  "@langchain/langgraph",
  "@restatedev/restate-sdk",
  "@restatedev/restate-server",
];

export async function machineOf(directory: string): Promise<Machine> {
  const { type } = await statfs(directory);
  const [cpu] = cpus();
  return {
    cpu: cpu?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${platform()} ${release()}`,
    fileSystem: fileSystems.get(type) ?? `type 0x${type.toString(16)}`,
  };
}

/** Of Node and of all that is measured; what is not installed is left out. */
export function versionsOf(): Readonly<Record<string, string>> {
  const versions: Record<string, string> = { node: process.version };
  const require = createRequire(import.meta.url);
  for (const name of packages) {
    const version = versionIn(require, name);
    if (version !== undefined) versions[name] = version;
  }
  const redis = redisVersion();
  return redis === undefined ? versions : { ...versions, redis };
}

function versionIn(require: NodeJS.Require, name: string): string | undefined {
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      const { version } = JSON.parse(readFileSync(`${folder}/${name}/package.json`, "utf8"));
      return String(version);
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}
