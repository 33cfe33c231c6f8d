// Steps — a trace as what it did to one directory and to one journal: everything else is left out,
// descriptors are replaced by handles.
//
// Owns: what system calls mean, for those that the runtime, Node and LMDB make. A call on the
// directory that is not known here ends the recording: a model that guesses proves nothing.
// Leaves to others: what a disk makes of it (player.ts).
//
// Invariants:
//   E1. Nothing but LMDB's lock file is ever mapped to be written.

import {
  type Call,
  pathOf,
  readTrace,
  returned,
  vectorOf,
  bytesOf,
} from "../strace/trace-reader.js";

/** A change of names. */
export type NameStep =
  | { readonly kind: "make"; readonly path: string; readonly node: "file" | "folder" }
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "rename"; readonly path: string; readonly to: string };

/** What happened, in the order of the trace. Handles and numbers are unique in a recording. */
export type Step =
  | { readonly kind: "line"; readonly text: string }
  | NameStep
  /** A thread was killed in this call: whether it took effect, the disk says. */
  | { readonly kind: "perhaps"; readonly step: NameStep }
  | { readonly kind: "open"; readonly path: string; readonly handle: number }
  | {
      readonly kind: "write";
      readonly handle: number;
      readonly id: number;
      readonly at: number;
      readonly bytes: Buffer;
    }
  | { readonly kind: "resize"; readonly handle: number; readonly id: number; readonly size: number }
  | { readonly kind: "sync"; readonly handle: number; readonly id: number }
  /** A write, resize or sync has returned; a `synced` write is on the device by then. */
  | { readonly kind: "end"; readonly id: number; readonly synced: boolean }
  /** The process has ended; of calls under way, how many bytes they have written. */
  | { readonly kind: "stop"; readonly written: Readonly<Record<number, number>> };

/** Calls that `strace` has to record. */
export const recordedCalls = [
  ...["openat", "open", "creat", "close", "dup", "dup2", "dup3", "lseek"],
  ...["write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range"],
  ...["fdatasync", "fsync", "sync_file_range", "sync", "syncfs", "msync", "mmap"],
  ...["ftruncate", "truncate", "fallocate", "rename", "renameat", "renameat2"],
  ...["unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat"],
] as const;

/** Where a recording took place. */
export interface Scene {
  /** The folder in which the data directory is made. */
  readonly root: string;
  readonly journal: string;
}

interface Open {
  readonly handle: number;
  readonly path: string;
  readonly isSynced: boolean;
  position: number;
}

/** LMDB's lock file: mapped, of no consequence after a power cut. */
const lockFile = /\/lock\.mdb$/;

/** Reads the trace of one process. */
export function stepsOf(trace: Buffer, scene: Scene, firstId: number): Step[] {
  const translation = new Translation(scene, firstId);
  for (const { phase, call } of readTrace(trace)) {
    if (phase === "begins") translation.begins(call);
    else translation.ends(call);
  }
  return translation.steps;
}

class Translation {
  readonly steps: Step[] = [];
  readonly #scene: Scene;
  readonly #open = new Map<number, Open>();
  readonly #journals = new Set<number>();
  readonly #running = new Map<Call, { readonly id: number; readonly synced: boolean }>();
  #nextId: number;

  constructor(scene: Scene, firstId: number) {
    this.#scene = scene;
    this.#nextId = firstId;
  }

  begins(call: Call): void {
    const fd = Number.parseInt(call.args[0] ?? "", 10);
    if (call.name === "write" && this.#journals.has(fd)) {
      const text = bytesOf(call.args[1] ?? "").toString("utf8");
      this.steps.push({ kind: "line", text: text.trimEnd() });
      return;
    }
    if (call.name === "close") {
      this.#open.delete(fd);
      this.#journals.delete(fd);
      return;
    }
    if (call.name === "mmap") this.#mapped(call);
    const open = /^\d+$/.test(call.args[0] ?? "") ? this.#open.get(fd) : undefined;
    if (open !== undefined) this.#begun(call, open);
  }

  #begun(call: Call, open: Open): void {
    const { handle } = open;
    const [, first = "", , third = ""] = call.args;
    const id = this.#nextId;
    switch (call.name) {
      case "write":
      case "writev": {
        const bytes = call.name === "write" ? bytesOf(first) : vectorOf(first);
        this.steps.push({ kind: "write", handle, id, at: open.position, bytes });
        open.position += bytes.length;
        break;
      }
      case "pwrite64":
        this.steps.push({ kind: "write", handle, id, at: Number(third), bytes: bytesOf(first) });
        break;
      case "pwritev":
        this.steps.push({ kind: "write", handle, id, at: Number(third), bytes: vectorOf(first) });
        break;
      case "ftruncate":
        this.steps.push({ kind: "resize", handle, id, size: Number(first) });
        break;
      case "fsync":
      case "fdatasync":
        this.steps.push({ kind: "sync", handle, id });
        break;
      case "lseek":
        return;
      default:
        throw new RangeError(`the model does not know ${call.name} on ${open.path}`);
    }
    this.#nextId += 1;
    this.#running.set(call, { id, synced: open.isSynced && call.name !== "ftruncate" });
  }

  ends(call: Call): void {
    // `= ?`: its thread was killed in it, and the disk has to be looked at.
    if (Number.isNaN(returned(call))) {
      for (const step of this.#changedNames(call)) this.steps.push({ kind: "perhaps", step });
      return;
    }
    const running = this.#running.get(call);
    if (running !== undefined) {
      this.#running.delete(call);
      if (returned(call) < 0) throw new RangeError(`${call.name} failed: ${call.result}`);
      this.steps.push({ kind: "end", ...running });
      return;
    }
    if (returned(call) < 0) return;
    switch (call.name) {
      case "lseek": {
        const open = this.#open.get(Number(call.args[0]));
        if (open !== undefined) open.position = returned(call);
        return;
      }
      case "openat":
      case "open":
        this.#opened(call, call.name === "openat" ? 1 : 0);
        return;
      default:
        this.#named(call);
    }
  }

  #opened(call: Call, at: number): void {
    const path = this.#path(call.args[at]);
    const flags = call.args[at + 1] ?? "";
    const fd = returned(call);
    if (path === this.#scene.journal) this.#journals.add(fd);
    if (path === undefined || !this.#isInside(path)) return;
    if (/O_TRUNC|O_APPEND|O_TMPFILE|O_DIRECT\b/.test(flags) && !/O_CREAT/.test(flags)) {
      throw new RangeError(`the model does not know ${flags} on ${path}`);
    }
    const handle = this.#nextId;
    this.#nextId += 1;
    // Whether it was there before is for the disk to say.
    if (flags.includes("O_CREAT")) this.steps.push({ kind: "make", path, node: "file" });
    this.steps.push({ kind: "open", path, handle });
    this.#open.set(fd, { handle, path, isSynced: /O_D?SYNC/.test(flags), position: 0 });
    if (!flags.includes("O_TRUNC")) return;
    const id = this.#nextId;
    this.#nextId += 1;
    this.steps.push({ kind: "resize", handle, id, size: 0 }, { kind: "end", id, synced: false });
  }

  #named(call: Call): void {
    this.steps.push(...this.#changedNames(call));
  }

  /** What a call does to names within the scene. */
  #changedNames(call: Call): NameStep[] {
    const [first, second, third, fourth] = call.args;
    const isAt = call.name.endsWith("at") || call.name === "renameat2";
    const path = this.#path(isAt ? second : first);
    const inside = path !== undefined && this.#isInside(path);
    switch (call.name) {
      case "mkdir":
      case "mkdirat":
        return inside ? [{ kind: "make", path, node: "folder" }] : [];
      case "unlink":
      case "unlinkat":
      case "rmdir":
        return inside ? [{ kind: "remove", path }] : [];
      case "rename":
      case "renameat":
      case "renameat2": {
        const to = this.#path(call.name === "rename" ? second : fourth) ?? "";
        return inside ? [{ kind: "rename", path, to }] : [];
      }
      case "open":
      case "openat": {
        const flags = call.args[isAt ? 2 : 1] ?? "";
        return inside && flags.includes("O_CREAT") ? [{ kind: "make", path, node: "file" }] : [];
      }
      case "link":
      case "linkat":
      case "symlink":
      case "symlinkat": {
        const paths = [first, second, third, fourth].map((text) => this.#path(text));
        const touched = paths.find((each) => each !== undefined && this.#isInside(each));
        if (touched === undefined) return [];
        throw new RangeError(`the model does not know ${call.name} on ${touched}`);
      }
      default:
        return this.#unknownTo(call);
    }
  }

  /** Calls that change no names, unless one is new to the model. */
  #unknownTo(call: Call): NameStep[] {
    const touched = call.args
      .map((text) => this.#path(text))
      .find((each) => each !== undefined && this.#isInside(each));
    if (touched === undefined || /^(?:p?writev?|pwrite64)$/.test(call.name)) return [];
    throw new RangeError(`the model does not know ${call.name} on ${touched}`);
  }

  #mapped(call: Call): void {
    const [, , protection = "", flags = "", fd = ""] = call.args;
    const open = this.#open.get(Number(fd));
    if (open === undefined || flags.includes("MAP_PRIVATE")) return;
    if (!protection.includes("PROT_WRITE") || lockFile.test(open.path)) return;
    throw new RangeError(`${open.path} is mapped to be written: nothing says when that is durable`);
  }

  #path(argument: string | undefined): string | undefined {
    return argument?.startsWith('"') ? pathOf(argument) : undefined;
  }

  #isInside(path: string): boolean {
    return path === this.#scene.root || path.startsWith(`${this.#scene.root}/`);
  }
}
