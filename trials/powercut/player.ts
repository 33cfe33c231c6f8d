// Player — plays the steps of a recording on a model disk, and keeps what is known at each.
//
// Owns: the state between two steps. Leaves to others: traces (steps.ts), images (image.ts).
//
// Invariants:
//   Y1. After a process has ended, what the model would show to the next one is what is really
//       there: `look` says where it is not.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Known, learn, nothingKnown } from "../workload/known.js";
import { Disk, File, type FileChange, Folder, type NameChange, type Node } from "./disk.js";
import type { ImageFolder } from "./image.js";
import type { NameStep, Step } from "./steps.js";

interface RunningWrite {
  readonly kind: "write";
  readonly file: File;
  readonly change: FileChange;
}

interface RunningSync {
  readonly kind: "sync";
  settle(): void;
}

/** Files whose bytes mean nothing after a stop. */
const mapped = /\/lock\.mdb$/;

export class Player {
  readonly disk: Disk;
  readonly known: Known;
  readonly #handles = new Map<number, Node>();
  readonly #running = new Map<number, RunningWrite | RunningSync>();
  /** Changes of names in which threads were killed. */
  readonly #unsure: NameStep[] = [];

  /** Begins with an image, all of it durable, and what is known of it. */
  constructor(root: string, image: ImageFolder = new Map(), known: Known = nothingKnown()) {
    this.disk = new Disk(root);
    fill(this.disk.root, image);
    this.known = structuredClone(known);
  }

  play(step: Step): void {
    const { disk } = this;
    switch (step.kind) {
      case "line":
        for (const line of step.text.split("\n")) learn(this.known, line);
        return;
      case "make":
        if (disk.find(step.path) !== undefined) return;
        disk.make(step.path, step.node === "file" ? new File(step.path) : new Folder(step.path));
        return;
      case "remove":
        disk.remove(step.path);
        return;
      case "rename":
        disk.rename(step.path, step.to);
        return;
      case "perhaps":
        this.#unsure.push(step.step);
        return;
      case "open": {
        const node = disk.find(step.path);
        if (node === undefined) throw new RangeError(`the model has no ${step.path} to open`);
        this.#handles.set(step.handle, node);
        return;
      }
      case "write":
        this.#change(step.handle, step.id, { ...step, done: false });
        return;
      case "resize":
        this.#change(step.handle, step.id, { ...step, done: false });
        return;
      case "sync":
        this.#running.set(step.id, this.#sync(step.handle));
        return;
      case "end":
        this.#end(step.id, step.synced);
        return;
      case "stop":
        this.#stop(step.written);
    }
  }

  #change(handle: number, id: number, change: FileChange): void {
    const file = this.#handles.get(handle);
    if (file?.kind !== "file") throw new RangeError(`handle ${handle} is no file`);
    file.pending.push(change);
    this.#running.set(id, { kind: "write", file, change });
  }

  #sync(handle: number): RunningSync {
    const node = this.#handles.get(handle);
    if (node === undefined) throw new RangeError(`handle ${handle} is not open`);
    if (node.kind === "file") {
      const changes = node.ended();
      return { kind: "sync", settle: () => node.settle(changes) };
    }
    const changes: ReadonlySet<NameChange> = this.disk.namesOf(node);
    return { kind: "sync", settle: () => this.disk.settle(changes) };
  }

  #end(id: number, synced: boolean): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    if (running.kind === "sync") {
      running.settle();
      return;
    }
    running.change.done = true;
    if (synced) running.file.settle(new Set([running.change]));
  }

  /**
   * The process has ended and the directory is as it left it: of calls that were under way, which
   * have changed names, and how many bytes they have written. Throws where the model and the
   * directory differ otherwise.
   */
  look(): Step[] {
    const changed = this.#unsure.splice(0).filter((step) => this.#tookEffect(step));
    for (const step of changed) this.play(step);
    const written: Record<number, number> = {};
    for (const [id, running] of this.#running) {
      if (running.kind !== "write") continue;
      const path = this.#pathOf(running.file);
      written[id] = path === undefined ? 0 : writtenOf(running.change, readFileSync(path));
    }
    const stop: Step = { kind: "stop", written };
    this.play(stop);
    this.#compare(this.disk.root, this.disk.root.path);
    return [...changed, stop];
  }

  #tookEffect(step: NameStep): boolean {
    if (step.kind === "make") return existsSync(step.path);
    // What the model does not have, an earlier call has taken away.
    if (this.disk.find(step.path) === undefined || existsSync(step.path)) return false;
    return step.kind === "remove" || existsSync(step.to);
  }

  #stop(written: Readonly<Record<number, number>>): void {
    for (const [id, running] of this.#running) {
      if (running.kind !== "write") continue;
      const { file, change } = running;
      const count = written[id] ?? 0;
      file.pending = file.pending.flatMap((other) => {
        if (other !== change) return [other];
        if (count === 0) return [];
        if (change.kind === "resize") return [{ ...change, done: true }];
        return [{ ...change, bytes: change.bytes.subarray(0, count), done: true }];
      });
    }
    this.#running.clear();
    this.#unsure.length = 0;
    this.#handles.clear();
  }

  #pathOf(file: File): string | undefined {
    const search = (folder: Folder, path: string): string | undefined => {
      for (const [name, node] of folder.live) {
        if (node === file) return join(path, name);
        const found = node.kind === "folder" ? search(node, join(path, name)) : undefined;
        if (found !== undefined) return found;
      }
      return undefined;
    };
    return search(this.disk.root, this.disk.root.path);
  }

  #compare(folder: Folder, path: string): void {
    const names = readdirSync(path).sort();
    const expected = [...folder.live.keys()].sort();
    if (names.join() !== expected.join()) {
      throw new Error(`${path} holds ${names.join(", ")}; the model says ${expected.join(", ")}`);
    }
    for (const [name, node] of folder.live) {
      const at = join(path, name);
      if (node.kind === "folder") {
        if (!statSync(at).isDirectory()) throw new Error(`${at} is no folder`);
        this.#compare(node, at);
      } else if (!mapped.test(at) && !readFileSync(at).equals(node.live().view)) {
        throw new Error(`${at} holds other bytes than the model`);
      }
    }
  }
}

function fill(folder: Folder, image: ImageFolder): void {
  for (const [name, content] of image) {
    const path = join(folder.path, name);
    let node: Node;
    if (content instanceof Map) {
      node = new Folder(path);
      fill(node, content);
    } else {
      node = new File(path);
      node.durable.write(0, content);
    }
    folder.durable.set(name, node);
    folder.live.set(name, node);
  }
}

/** How much of a change a process that was killed has done: a long write can end in the middle. */
function writtenOf(change: FileChange, bytes: Buffer): number {
  if (change.kind === "resize") return bytes.length === change.size ? 1 : 0;
  const found = bytes.subarray(change.at, change.at + change.bytes.length);
  let length = 0;
  while (length < found.length && found[length] === change.bytes[length]) length += 1;
  return length;
}
