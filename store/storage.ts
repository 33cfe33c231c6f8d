// The storage contract of one task: what the batch loop may ask of log, memtable and environment.
//
// Owns: the words (frame, record, durable, visible) and the order of the three steps of a commit.
// Leaves to others: task-storage.ts keeps it on disk, memory-storage.ts in memory with a durable
// and a volatile image; both pass the same contract suite. Who writes what is the runtime's
// business.
//
// Invariants:
//   T1. Only the owner calls `append`, `sync`, `publish`; always in this order, one frame in hand.
//   T2. Before `publish` no reader sees any record of the frame; after it every reader sees all.
//   T3. In mode `durable` a frame is on the device when `sync` returns: visible implies durable.
//   T4. The records of a frame come back after a crash all together or not at all.
//   T5. Versions of a key strictly increase; `versionLast` is never less than any version returned.

/** Identifies a table: 0 to 15 are the runtime's own, 16 and up belong to declared stores. */
export type TableId = number;

/** One record of a frame: the new value of a key, or its removal. */
export interface RecordWrite {
  readonly table: TableId;
  /** Encoded key, at most `limits.keyBytesMax` bytes, not empty. */
  readonly key: Uint8Array;
  /** `hashKey(key)`: the same number the router used. */
  readonly keyHash: number;
  /** Above every version this task has written before. */
  readonly version: number;
  /**
   * Encoded value, or a number other than -0, which is encoded as it is written; `undefined`
   * removes the key (a tombstone is kept until the checkpoint).
   */
  readonly value: Uint8Array | number | undefined;
  /**
   * The owner knows that no layer holds this key: lets a checkpoint skip rows that lived briefly.
   */
  readonly fresh: boolean;
  /**
   * The storage's own, in writes that are given to it again with newer values: where it has found
   * their key. 0 at first.
   */
  place?: number;
  placeEra?: number;
}

/** A committed value. `value` is a private copy: it stays valid and may be kept. */
export interface StoredValue {
  readonly version: number;
  readonly value: Uint8Array;
}

/** A committed row of a scan; `key` and `value` are private copies. */
export interface StoredRow extends StoredValue {
  readonly key: Uint8Array;
}

/** Half-open range of encoded keys, in byte order. Absent bounds are open. */
export interface KeyRange {
  /** First key of the range, included. */
  readonly from?: Uint8Array;
  /** End of the range, excluded. */
  readonly to?: Uint8Array;
  /** Descending instead of ascending; `from` and `to` keep their meaning (from <= key < to). */
  readonly reverse?: boolean;
}

/**
 * Reads of one task's committed state, from any thread.
 * `get` and `page` return `undefined`-like `"busy"` when the owner kept changing its arenas during
 * every attempt: the caller then asks the owner through its mailbox.
 */
export interface TaskReader {
  /** Newest committed value, `undefined` when absent. O(1), or one LMDB lookup. */
  get(table: TableId, key: Uint8Array, keyHash: number): StoredValue | undefined | "busy";
  /**
   * Up to `limit` rows of the range in key order, read at one instant; fewer when they take more
   * than about `limits.pageBytesMax`, but at least one. An empty page is the end of the range.
   * The next page starts behind the last key returned (`from` = its successor, or `to` = it).
   */
  page(table: TableId, range: KeyRange, limit: number): readonly StoredRow[] | "busy";
  /** Frees the LMDB reader. Idempotent. */
  close(): Promise<void>;
}

/** The owner's side of one task's storage. */
export interface TaskStorage {
  /** Highest version ever appended, tombstones included; 0 in a new storage. */
  readonly versionLast: number;
  /** Number of the newest frame (dense from 1); 0 in a new storage. */
  readonly batchLast: number;
  /** Number of the newest frame that a power cut cannot take; at most `batchLast`. */
  readonly batchDurable: number;
  /** Newest committed (published) value of a key. */
  get(table: TableId, key: Uint8Array, keyHash: number): StoredValue | undefined;
  /**
   * Touches what `get` of keys with these hashes will look at, at most `limits.lookAheadRequests`
   * of them. Changes nothing, and a storage may be without it; what it returns has no meaning.
   */
  lookAhead?(keyHashes: Uint32Array, count: number): number;
  /** As `TaskReader.page`, never busy on the owner's thread. */
  page(table: TableId, range: KeyRange, limit: number): readonly StoredRow[];
  /**
   * Hides every record of `table` with a version of at most `version`, in O(1); takes part in the
   * frame in hand like a record (durable with it, visible with it). Space is reclaimed by
   * checkpoints.
   */
  clear(table: TableId, version: number): void;
  /**
   * Whether a frame with these records fits now. When not, a checkpoint is already under way and
   * `whenRoom()` resolves when it is worth asking again. Starts arena swaps and checkpoints by
   * itself.
   * @throws PartitaError FRAME_TOO_LARGE when it could never fit.
   */
  hasRoom(writes: readonly RecordWrite[]): boolean;
  /** Resolves when `hasRoom` may have changed; rejects when the checkpoint failed. */
  whenRoom(): Promise<void>;
  /** Step 1: number the frame and write it to the log. Not durable yet, not visible. */
  append(writes: readonly RecordWrite[]): void;
  /** Step 2: make the frame durable (a no-op in the modes `interval` and `relaxed`). */
  sync(): void;
  /**
   * Step 2 without holding the thread, for one that has other tasks to serve meanwhile. Until it
   * has settled nothing but reads may be asked of this storage; rejects as `sync` throws.
   */
  syncLater(): Promise<void>;
  /** Step 3: make the frame visible to every reader. */
  publish(): void;
  /** Syncs whatever is not durable yet, whatever the mode. */
  flush(): void;
  /** Swaps the arenas now and resolves when the frozen one is in the environment. */
  checkpoint(): Promise<void>;
  /**
   * `listener` is told when a checkpoint fails, at once: nobody else may ask for anything for a
   * long time. Every call throws that failure from then on. One listener; called at most once.
   */
  onFailure(listener: (error: unknown) => void): void;
  /** What it holds, for `stats()`. */
  stats(): StorageStats;
  /**
   * Waits for a running checkpoint, flushes, frees all; then rejects with the first failure, if
   * there was one. Idempotent.
   */
  close(): Promise<void>;
}

/** Figures of one task's storage since it was opened. Bytes are bytes, counts are counts. */
export interface StorageStats {
  readonly frames: number;
  readonly frameBytes: number;
  readonly syncs: number;
  readonly checkpoints: number;
  readonly arenaBytesUsed: number;
  readonly arenaBytesMax: number;
  readonly segments: number;
  /** Frames read back from the log when it was opened. */
  readonly replayedFrames: number;
  /** Bytes of a torn tail that were cut when it was opened. */
  readonly cutBytes: number;
}
