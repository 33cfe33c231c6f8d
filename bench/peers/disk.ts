// Disk — one append and one `fdatasync`, awaited one after the other, on the disk that all others
// use too: no durable answer can come sooner.

import { closeSync, fdatasyncSync, fstatSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { duringSync, type Measured, verify } from "../measure.js";
import type { Stage } from "../stage.js";

/** About the bytes of one small update in a log. */
const appendBytes = 256;
const filledBytes = 16 * 2 ** 20;

/** To a file that grows: its new length is flushed too. */
export async function appendAndSync(stage: Stage, ms: number): Promise<Measured> {
  return await withFile(stage, (file) => {
    const bytes = new Uint8Array(appendBytes).fill(1);
    const { count, ...measured } = duringSync(ms, () => {
      writeSync(file, bytes);
      fdatasyncSync(file);
    });
    verify("bytes of the file", fstatSync(file).size, count * appendBytes);
    return measured;
  });
}

/** Into a file that was filled with zeros before, as a log can have it: only data is flushed. */
export async function fillAndSync(stage: Stage, ms: number): Promise<Measured> {
  return await withFile(stage, (file) => {
    writeSync(file, new Uint8Array(filledBytes));
    fdatasyncSync(file);
    const bytes = new Uint8Array(appendBytes).fill(1);
    const { count: _, ...measured } = duringSync(ms, (index) => {
      writeSync(file, bytes, 0, appendBytes, (index * appendBytes) % filledBytes);
      fdatasyncSync(file);
    });
    verify("bytes of the file", fstatSync(file).size, filledBytes);
    return measured;
  });
}

async function withFile(stage: Stage, work: (file: number) => Measured): Promise<Measured> {
  const path = join(await stage.newDirectory("disk"), "log");
  const file = openSync(path, "w");
  try {
    return work(file);
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
