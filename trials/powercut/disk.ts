// Disk — a model of a file system between two power cuts: what is on the device for certain, and
// what is still on its way there.
//
// The model, and why:
//   - Bytes of a file are on the device when an fsync or fdatasync of the file that began after
//     the write had ended returns, or when the write itself does on a descriptor opened with
//     O_DSYNC or O_SYNC. Until then each of its 512-byte sectors may be there or not, in any order.
//   - Names (made, renamed, removed) are on the device when an fsync of their directory returns.
//     A rename is there as a whole or not at all. Until then any of them may be there or not.
//   - The size of a file goes with its bytes; ftruncate is one more write on its way.
//   ext4 is kinder: its journal keeps names in the order in which they were made, and the fsync of
//   a new file takes its name along. POSIX promises neither, other file systems differ, and what
//   holds here holds there too. As on ext4, a sector that was never written reads as zeros, never
//   as somebody else's bytes, and renames are atomic.
// Owns: inodes, names, what is pending. Leaves to others: system calls (follow.ts), choosing what a
// power cut leaves (image.ts).
//
// Invariants:
//   D1. Durable bytes and names change only when a sync returns.
//   D2. What is pending is kept in the order in which it was asked for.

/** A change of a file on its way to the device. */
export type FileChange =
  | { readonly kind: "write"; readonly at: number; readonly bytes: Buffer; done: boolean }
  | { readonly kind: "resize"; readonly size: number; done: boolean };

/** Names that change together. */
export interface NameChange {
  readonly removes: readonly { readonly from: Folder; readonly name: string }[];
  readonly adds: readonly { readonly to: Folder; readonly name: string; readonly node: Node }[];
}

export class File {
  readonly kind = "file";
  /** Where it was made: for messages, and for files that are special. */
  readonly path: string;
  readonly durable = new Bytes();
  pending: FileChange[] = [];

  constructor(path: string) {
    this.path = path;
  }

  /** What a sync that begins now will have made durable when it returns. */
  ended(): ReadonlySet<FileChange> {
    return new Set(this.pending.filter(({ done }) => done));
  }

  /** A sync has returned. */
  settle(changes: ReadonlySet<FileChange>): void {
    for (const change of this.pending) if (changes.has(change)) this.durable.apply(change);
    this.pending = this.pending.filter((change) => !changes.has(change));
  }

  /** What a process sees: everything. */
  live(): Bytes {
    const live = this.durable.copy();
    for (const change of this.pending) live.apply(change);
    return live;
  }
}

export class Folder {
  readonly kind = "folder";
  readonly path: string;
  readonly durable = new Map<string, Node>();
  /** What processes see. */
  readonly live = new Map<string, Node>();

  constructor(path: string) {
    this.path = path;
  }
}

export type Node = File | Folder;

/** A growing array of bytes. */
export class Bytes {
  #bytes: Buffer = Buffer.alloc(0);
  size = 0;

  get view(): Buffer {
    return this.#bytes.subarray(0, this.size);
  }

  copy(): Bytes {
    const copy = new Bytes();
    copy.#bytes = Buffer.from(this.view);
    copy.size = this.size;
    return copy;
  }

  apply(change: FileChange): void {
    if (change.kind === "resize") this.resize(change.size);
    else this.write(change.at, change.bytes);
  }

  write(at: number, bytes: Uint8Array): void {
    const end = at + bytes.length;
    if (end > this.size) this.resize(end);
    this.#bytes.set(bytes, at);
  }

  resize(size: number): void {
    if (size < this.size) this.#bytes.fill(0, size, this.size);
    if (size > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(size, this.#bytes.length * 2, 4_096));
      larger.set(this.view);
      this.#bytes = larger;
    }
    this.size = size;
  }
}

export class Disk {
  /** Exists before the recording begins, and durably. */
  readonly root: Folder;
  /** Of all folders, in order. */
  names: NameChange[] = [];

  constructor(path: string) {
    this.root = new Folder(path);
  }

  /** Whether a path is the root or below it. */
  holds(path: string): boolean {
    return path === this.root.path || path.startsWith(`${this.root.path}/`);
  }

  /** What processes find at a path. */
  find(path: string): Node | undefined {
    let node: Node = this.root;
    for (const name of path.slice(this.root.path.length).split("/")) {
      if (name === "") continue;
      if (node.kind === "file") return undefined;
      const next = node.live.get(name);
      if (next === undefined) return undefined;
      node = next;
    }
    return node;
  }

  /** The folder of a path, and the last name in it. */
  place(path: string): { folder: Folder; name: string } {
    const cut = path.lastIndexOf("/");
    const folder = this.find(path.slice(0, cut));
    if (folder?.kind !== "folder") throw new RangeError(`the model has no folder for ${path}`);
    return { folder, name: path.slice(cut + 1) };
  }

  make(path: string, node: Node): void {
    const { folder, name } = this.place(path);
    this.#change({ removes: [], adds: [{ to: folder, name, node }] });
  }

  remove(path: string): void {
    const { folder, name } = this.place(path);
    this.#change({ removes: [{ from: folder, name }], adds: [] });
  }

  rename(before: string, after: string): void {
    const from = this.place(before);
    const to = this.place(after);
    const node = from.folder.live.get(from.name);
    if (node === undefined) throw new RangeError(`the model has no ${before} to rename`);
    const removes = [{ from: from.folder, name: from.name }];
    this.#change({ removes, adds: [{ to: to.folder, name: to.name, node }] });
  }

  /** What a sync of a folder that begins now will have made durable when it returns. */
  namesOf(folder: Folder): ReadonlySet<NameChange> {
    return new Set(this.names.filter((change) => concerns(change, folder)));
  }

  /** A sync of a folder has returned. */
  settle(changes: ReadonlySet<NameChange>): void {
    const settled = this.#withEarlier(changes);
    for (const change of this.names) {
      if (!settled.has(change)) continue;
      for (const { from, name } of change.removes) from.durable.delete(name);
      for (const { to, name, node } of change.adds) to.durable.set(name, node);
    }
    this.names = this.names.filter((change) => !settled.has(change));
  }

  /** A rename takes along what happened to its old name before. */
  #withEarlier(changes: ReadonlySet<NameChange>): ReadonlySet<NameChange> {
    const all = new Set(changes);
    for (const change of this.names.toReversed()) {
      const isNeeded = [...all].some((later) => {
        return later.removes.some(({ from, name }) => {
          return change.adds.some((add) => add.to === from && add.name === name);
        });
      });
      if (isNeeded) all.add(change);
    }
    return all;
  }

  #change(change: NameChange): void {
    this.names.push(change);
    for (const { from, name } of change.removes) from.live.delete(name);
    for (const { to, name, node } of change.adds) to.live.set(name, node);
  }
}

function concerns({ removes, adds }: NameChange, folder: Folder): boolean {
  return removes.some(({ from }) => from === folder) || adds.some(({ to }) => to === folder);
}
