// Image — what a power cut may leave of a disk, chosen by chance, and written to a directory.
//
// Owns: the choice. Leaves to others: what is pending at all (disk.ts has the model).
//
//   none       nothing that was pending        all        everything
//   subset     each change or not              reordered  the newer changes without the older ones
//   torn       each change whole, in part (by sectors of 512 bytes) or not at all
//
// Invariants:
//   G1. What is durable is in every image.

import { closeSync, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Bytes, Disk, File, FileChange, Folder, Node } from "./disk.js";

/** What a power cut does to changes that are pending. */
export const cuts = ["none", "all", "subset", "reordered", "torn"] as const;

export type Cut = (typeof cuts)[number];

/** An image as data: folders are maps. */
export type ImageFolder = Map<string, Buffer | ImageFolder>;

const sectorBytes = 512;
const chunkBytes = 32_768;
const zeros = Buffer.alloc(chunkBytes);

/** Chooses an image. `lockFiles` are bytes that LMDB's lock files may have had. */
export function imageOf(
  disk: Disk,
  cut: Cut,
  random: () => number,
  lockFiles: readonly Buffer[],
): ImageFolder {
  const names = chosenNames(disk, cut, random);
  const build = (folder: Folder): ImageFolder => {
    const entries = new Map<string, Node>(folder.durable);
    for (const { removes, adds } of names) {
      for (const { from, name } of removes) if (from === folder) entries.delete(name);
      for (const { to, name, node } of adds) if (to === folder) entries.set(name, node);
    }
    const image: ImageFolder = new Map();
    for (const [name, node] of entries) {
      if (node.kind === "folder") image.set(name, build(node));
      else if (name === "lock.mdb") image.set(name, lockBytes(node, lockFiles, random));
      else image.set(name, chosenBytes(node, cut, random));
    }
    return image;
  };
  return build(disk.root);
}

function chosenNames(disk: Disk, cut: Cut, random: () => number): Disk["names"] {
  if (cut === "none") return [];
  if (cut === "all") return disk.names;
  // In the order of a journal, as ext4 has it, or any.
  if (random() < 0.5) return disk.names.slice(0, Math.floor(random() * (disk.names.length + 1)));
  return disk.names.filter(() => random() < 0.5);
}

function chosenBytes(file: File, cut: Cut, random: () => number): Buffer {
  const { pending } = file;
  if (pending.length === 0 || cut === "none") return file.durable.view;
  const bytes = file.durable.copy();
  const from = cut === "reordered" ? Math.floor(random() * (pending.length + 1)) : 0;
  for (const [index, change] of pending.entries()) {
    if (index < from) continue;
    if (cut === "subset" && random() < 0.5) continue;
    if (cut === "torn") applyTorn(bytes, change, random);
    else bytes.apply(change);
  }
  return bytes.view;
}

function applyTorn(bytes: Bytes, change: FileChange, random: () => number): void {
  const fate = Math.floor(random() * 6);
  if (fate === 0) return;
  if (fate === 1 || change.kind === "resize") {
    bytes.apply(change);
    return;
  }
  const sectors = sectorsOf(change.at, change.bytes.length);
  const middle = Math.floor(random() * sectors.length);
  const isThere = (index: number): boolean => {
    if (fate === 2) return index < middle;
    if (fate === 3) return index >= middle;
    if (fate === 4) return index !== middle;
    return random() < 0.5;
  };
  for (const [index, { from, to }] of sectors.entries()) {
    if (isThere(index)) bytes.write(from, change.bytes.subarray(from - change.at, to - change.at));
  }
}

/** The stretches of a write, cut where the sectors of the file begin. */
function sectorsOf(at: number, length: number): { from: number; to: number }[] {
  const sectors: { from: number; to: number }[] = [];
  for (let from = at; from < at + length; ) {
    const to = Math.min(at + length, (Math.floor(from / sectorBytes) + 1) * sectorBytes);
    sectors.push({ from, to });
    from = to;
  }
  return sectors;
}

function lockBytes(file: File, lockFiles: readonly Buffer[], random: () => number): Buffer {
  const choice = Math.floor(random() * 3);
  if (choice === 0) return Buffer.alloc(0);
  const found = lockFiles[Math.floor(random() * lockFiles.length)];
  return choice === 1 || found === undefined ? file.live().view : found;
}

/** Writes an image into an empty directory. */
export function writeImage(image: ImageFolder, directory: string): void {
  for (const [name, content] of image) {
    const path = join(directory, name);
    if (content instanceof Map) {
      mkdirSync(path, { mode: 0o700 });
      writeImage(content, path);
    } else writeSparse(path, content);
  }
}

/** Most of a segment is zeros: they need not be written. */
function writeSparse(path: string, bytes: Buffer): void {
  const descriptor = openSync(path, "wx", 0o600);
  try {
    ftruncateSync(descriptor, bytes.length);
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const chunk = bytes.subarray(at, at + chunkBytes);
      if (chunk.compare(zeros, 0, chunk.length) !== 0)
        writeSync(descriptor, chunk, 0, chunk.length, at);
    }
  } finally {
    closeSync(descriptor);
  }
}
