// Simulated storage — a storage in memory as one thread of a simulated process has it: with points
// at which the thread can die, and syncs that take their time.
//
// Owns: the points of a commit, and that a dead thread changes nothing. Leaves to others: rows and
// images (store/memory-storage.ts), which faults happen (fault-plan.ts), what a death does to the
// image (simulated-site.ts).

import type { MemoryStorage } from "../store/memory-storage.js";
import type {
  KeyRange,
  RecordWrite,
  StorageStats,
  StoredRow,
  StoredValue,
  TableId,
  TaskStorage,
} from "../store/storage.js";
import type { CommitPoint } from "./fault-plan.js";
import { SimulatedDeath, type SimulatedThread, ThreadPromise } from "./simulated-thread.js";
import type { Line, World } from "./simulated-world.js";

export interface SimulatedStorageParts {
  readonly world: World;
  readonly task: number;
  readonly thread: SimulatedThread;
  readonly inner: MemoryStorage;
  /** A task's commit has come so far: the thread may be dead when it returns. */
  readonly passed: (task: number, point: CommitPoint) => void;
}

export class SimulatedStorage implements TaskStorage {
  readonly inner: MemoryStorage;
  closed = false;
  readonly #world: World;
  readonly #task: number;
  readonly #thread: SimulatedThread;
  readonly #passed: (task: number, point: CommitPoint) => void;
  /** What the device and checkpoint jobs still do for this task. */
  readonly #device: Line;

  constructor(parts: SimulatedStorageParts) {
    this.inner = parts.inner;
    this.#world = parts.world;
    this.#task = parts.task;
    this.#thread = parts.thread;
    this.#passed = parts.passed;
    this.#device = parts.world.line(`device of task ${parts.task}`);
  }

  get versionLast(): number {
    return this.inner.versionLast;
  }

  get batchLast(): number {
    return this.inner.batchLast;
  }

  get batchDurable(): number {
    return this.inner.batchDurable;
  }

  get(table: TableId, key: Uint8Array, keyHash: number): StoredValue | undefined {
    this.#assertAlive();
    return this.inner.get(table, key, keyHash);
  }

  page(table: TableId, range: KeyRange, limit: number): readonly StoredRow[] {
    this.#assertAlive();
    return this.inner.page(table, range, limit);
  }

  clear(table: TableId, version: number): void {
    this.#assertAlive();
    this.inner.clear(table, version);
  }

  hasRoom(writes: readonly RecordWrite[]): boolean {
    this.#assertAlive();
    return this.inner.hasRoom(writes);
  }

  whenRoom(): Promise<void> {
    this.#assertAlive();
    return this.#reactTo(this.inner.whenRoom());
  }

  append(writes: readonly RecordWrite[]): void {
    this.#assertAlive();
    this.inner.append(writes);
    this.#world.hash.add(writes.length);
    this.#world.tell(
      () => `task ${this.#task} appends frame ${this.inner.batchLast} of ${writes.length} records`,
    );
    this.#pass("appended");
  }

  sync(): void {
    this.#assertAlive();
    this.inner.sync();
    this.#pass("synced");
  }

  syncLater(): Promise<void> {
    this.#assertAlive();
    return new ThreadPromise<void>(this.#thread, (resolve) => {
      this.#world.schedule(this.#device, () => {
        this.#thread.run(() => {
          this.sync();
          resolve();
        });
      });
    });
  }

  publish(): void {
    this.#assertAlive();
    this.inner.publish();
    this.#pass("published");
  }

  flush(): void {
    this.#assertAlive();
    this.inner.flush();
  }

  checkpoint(): Promise<void> {
    this.#assertAlive();
    return this.#reactTo(this.inner.checkpoint());
  }

  onFailure(listener: (error: unknown) => void): void {
    this.inner.onFailure((error) => this.#thread.run(() => listener(error)));
  }

  stats(): StorageStats {
    return this.inner.stats();
  }

  async close(): Promise<void> {
    if (!this.#thread.alive) return;
    this.closed = true;
    await this.inner.close();
  }

  /** Resolves when a checkpoint of this storage is written. */
  checkpointed(): Promise<void> {
    return new Promise((resolve) => {
      this.#world.schedule(this.#device, () => this.#thread.run(resolve));
    });
  }

  #reactTo(promise: Promise<void>): Promise<void> {
    return new ThreadPromise<void>(this.#thread, (resolve, reject) => {
      promise.then(resolve, reject);
    });
  }

  #pass(point: CommitPoint): void {
    this.#passed(this.#task, point);
    this.#assertAlive();
  }

  #assertAlive(): void {
    if (!this.#thread.alive) throw new SimulatedDeath("the thread is dead");
  }
}
