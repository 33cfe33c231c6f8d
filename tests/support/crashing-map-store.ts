// Crashing map store — a store made of a Map whose calls are cut off now and then, as those of a
// task whose thread dies; sound, or broken in one way that commands with crashes must find.

import { PartitaError } from "../../base/errors.js";
import { MapStore } from "./map-store.js";
import type { ListStore } from "./store-model.js";

/** What is wrong with a store whose calls are cut off. */
export type CrashingFault = "loses acknowledged" | "leaves halves" | "applies out of order";

/**
 * Each third write is cut off, with those that are under way behind it. The first of them happens
 * or not in turns, the others do not.
 */
export class CrashingMapStore {
  readonly store: ListStore;
  readonly #map = new MapStore();
  readonly #fault: CrashingFault | undefined;
  #writes = 0;
  #cuts = 0;
  #isCut = false;

  constructor(fault?: CrashingFault) {
    this.#fault = fault;
    const { store } = this.#map;
    this.store = {
      ...store,
      put: (key, value) => this.#write(key, () => store.put(key, value)),
      delete: (key) => this.#write(key, () => store.delete(key)),
      update: (name, key, ...args) => {
        return this.#write(key, () => store.update(name, key, ...args));
      },
    };
  }

  async crash(): Promise<void> {
    await this.#map.relaunch();
    if (this.#fault !== "loses acknowledged" || this.#writes % 3 !== 0) return;
    for await (const [key] of this.#map.store.entries({ limit: 1 })) {
      await this.#map.store.delete(key);
    }
  }

  async #write<T>(key: string, call: () => Promise<T>): Promise<T> {
    this.#writes += 1;
    const isBehind = this.#isCut;
    if (!isBehind && this.#writes % 3 !== 0) return await call();
    this.#isCut = true;
    setImmediate(() => {
      this.#isCut = false;
    });
    if (!isBehind) this.#cuts += 1;
    if (this.#fault === "leaves halves") await this.#map.store.put(key, []);
    else if (this.#happens(isBehind)) await call();
    throw new PartitaError("TASK_EXITED", { taskIds: [0], threadId: 1, reason: "made up" });
  }

  #happens(isBehind: boolean): boolean {
    if (this.#fault === "applies out of order") return isBehind;
    return !isBehind && this.#cuts % 2 === 0;
  }
}
