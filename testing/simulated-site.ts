// Simulated site — what outlives the processes of a simulation: the record of the directory and an
// image of each task's storage.
//
// Owns: which image a task opens next, and what a death leaves of one. Leaves to others: the images
// themselves (store/memory-storage.ts).
//
// Invariants:
//   1. What was durable is in the next image. Of the frames behind it a first part is kept: after a
//      power cut any, after a kill all but a frame in hand, which can be torn.

import type { DirectoryRecord } from "../runtime/directory.js";
import { MemoryStorage } from "../store/memory-storage.js";
import type { Durability } from "../store/task-storage.js";
import type { Loss } from "./fault-plan.js";
import type { SimulatedStorage } from "./simulated-storage.js";
import type { World } from "./simulated-world.js";

export class SimulatedSite {
  record: DirectoryRecord | undefined;
  /** Held by a process that is alive. */
  isOwned = false;
  readonly #world: World;
  readonly #durability: Durability;
  readonly #arenaBytes: number;
  readonly #images = new Map<number, MemoryStorage>();
  readonly #open = new Map<number, SimulatedStorage>();

  constructor(world: World, durability: Durability, arenaBytes: number) {
    this.#world = world;
    this.#durability = durability;
    this.#arenaBytes = arenaBytes;
  }

  /** The image that a task opens now. */
  image(task: number): MemoryStorage {
    // What was closed in order has everything on the disk.
    this.release(task, "kill");
    const image = this.#images.get(task);
    if (image !== undefined) return image;
    return MemoryStorage.create({
      durability: this.#durability,
      arenaBytes: this.#arenaBytes,
      runCheckpoint: async () => {
        await this.#open.get(task)?.checkpointed();
      },
    });
  }

  /** The storage that a task has open. */
  opened(task: number): SimulatedStorage | undefined {
    const storage = this.#open.get(task);
    return storage?.closed === true ? undefined : storage;
  }

  open(task: number, storage: SimulatedStorage): void {
    this.#open.set(task, storage);
  }

  /** Every task's storage is over. */
  releaseAll(loss: Loss): void {
    for (const task of [...this.#open.keys()]) this.release(task, loss);
  }

  /** A task has no storage open any more; of an orderly close everything is left. */
  release(task: number, loss: Loss): void {
    const storage = this.#open.get(task);
    if (storage === undefined) return;
    this.#open.delete(task);
    const { volatileFrames } = storage.inner;
    // In mode `durable` a volatile frame is one in hand: a kill, too, can have torn it.
    const isWhole = loss === "kill" && this.#durability !== "durable";
    const keepFrames = isWhole ? volatileFrames : this.#world.pick(volatileFrames + 1);
    this.#images.set(task, storage.inner.crash({ keepFrames }));
  }
}
