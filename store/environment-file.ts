// Environment file — the data file of an LMDB environment before LMDB sees it.
//
// LMDB trusts its file: bytes that are none of its own end the process with a segmentation fault,
// also those that a power cut leaves of a file it was about to create. So a new file appears at its
// place only when it is whole and on the device, and one that is there is looked at before it is
// opened.
//
// Owns: creation, and the check of both meta pages. Leaves to others: everything behind them.

import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** LMDB's name for it. */
export const dataFile = "data.mdb";

const magic = 0xbeefc0de;
const dataVersion = 2;
const metaBytes = 0xa8;
const pageBytesMin = 512;
const pageBytesMax = 64 * 1024;

/** Offsets within a meta page. */
const offsets = { magic: 0x18, version: 0x1c, pageBytes: 0x30, roots: [0x58, 0x88] } as const;

/** The root of a tree without pages. */
const noPage = 0xffff_ffff_ffff_ffffn;

/** Creates the directory `path` and in it, if there is none, the file that `initialize` makes. */
export function ensureDataFile(path: string, initialize: (directory: string) => void): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const file = join(path, dataFile);
  if (existsSync(file)) return;
  const unfinished = join(path, "new");
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  initialize(unfinished);
  syncFile(join(unfinished, dataFile));
  renameSync(join(unfinished, dataFile), file);
  rmSync(unfinished, { recursive: true, force: true });
  syncFile(path);
  syncFile(dirname(path));
}

/** What is wrong with the data file in the directory `path`; `undefined` when LMDB may open it. */
export function dataFileProblem(path: string): string | undefined {
  const fd = openSync(join(path, dataFile), "r");
  try {
    const fileBytes = fstatSync(fd).size;
    const first = readMeta(fd, 0);
    const pageBytes = first?.readUInt32LE(offsets.pageBytes) ?? 0;
    const isPower = (pageBytes & (pageBytes - 1)) === 0;
    if (pageBytes < pageBytesMin || pageBytes > pageBytesMax || !isPower) {
      return `${dataFile} does not begin as an LMDB environment does`;
    }
    const second = readMeta(fd, pageBytes);
    for (const meta of [first, second]) {
      const problem = metaProblem(meta, pageBytes, fileBytes);
      if (problem !== undefined) return problem;
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function metaProblem(
  meta: Buffer | undefined,
  pageBytes: number,
  fileBytes: number,
): string | undefined {
  if (meta === undefined || meta.readUInt32LE(offsets.magic) !== magic) {
    return `${dataFile} is no LMDB environment`;
  }
  const version = meta.readUInt32LE(offsets.version) & 0xffff;
  if (version !== dataVersion) return `${dataFile} has LMDB's format ${version}`;
  for (const at of offsets.roots) {
    const root = meta.readBigUInt64LE(at);
    if (root !== noPage && (root + 1n) * BigInt(pageBytes) > BigInt(fileBytes)) {
      return `${dataFile} ends before page ${root}, which it refers to`;
    }
  }
  return undefined;
}

/** The fields of the meta page at `position`; `undefined` when the file ends before. */
function readMeta(fd: number, position: number): Buffer | undefined {
  const meta = Buffer.alloc(metaBytes);
  return readSync(fd, meta, 0, metaBytes, position) === metaBytes ? meta : undefined;
}

/** Puts a file, or the names in a directory, on the device. */
function syncFile(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
