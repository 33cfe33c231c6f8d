// Neighbour store — a store of another topology as one node invocation sees it: it reads, and
// writes are refused.
//
// Owns: reads over `TaskPort.neighbour`, which a later run of the node replays like reads of its
// own stores. Leaves to others: the store itself, in the other topology (neighbour-server.ts).

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { noteDigest } from "../../runtime/node-operations.js";
import type { OperationJournal } from "../../runtime/operation-journal.js";
import { status } from "../../runtime/lane-encoding.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { storesOf } from "../../runtime/topology.js";
import type { KeyCodec } from "../../store/key-form.js";
import type { EntriesOptions, ReadOnlyKeyValueStore } from "../../store/key-value-store.js";
import type { StoreRef } from "../declare/store-ref.js";
import {
  encodeNeighbourRequest,
  type FoundEntries,
  type FoundValues,
  type NeighbourRequest,
} from "../wire/neighbour-request.js";
import { decodeMessage } from "../wire/wire-field.js";
import type { NodeOperations } from "./node-store.js";

/** What reading needs of a run. */
export interface NeighbourRun extends NodeOperations {
  readonly journal: OperationJournal;
  readonly signal: AbortSignal;
}

const writes = ["put", "putMany", "delete", "clear", "update", "modify", "once"] as const;

export class NeighbourStore implements ReadOnlyKeyValueStore<unknown, unknown> {
  readonly #run: NeighbourRun;
  readonly #own: string;
  readonly #ref: StoreRef<unknown, unknown>;
  readonly #neighbour: TaskPort["neighbour"];
  readonly #key: KeyCodec<unknown>;

  /** `own`: what the agent calls the store. */
  constructor(
    run: NeighbourRun,
    own: string,
    ref: StoreRef<unknown, unknown>,
    neighbour: TaskPort["neighbour"],
  ) {
    this.#run = run;
    this.#own = own;
    this.#ref = ref;
    this.#neighbour = neighbour;
    const declaration = storesOf(ref.topology).get(ref.name);
    if (declaration === undefined) {
      const known = [...storesOf(ref.topology).keys()];
      throw new PartitaError("STORE_UNKNOWN", { store: ref.name, known });
    }
    this.#key = declaration.key;
    for (const operation of writes) {
      Object.defineProperty(this, operation, { value: () => this.#refuse(operation) });
    }
  }

  get(key: unknown, fallback?: unknown): Promise<unknown> {
    return this.#operation("get", [key], async () => {
      const [found] = await this.#values([key]);
      return found?.length === 1 ? found[0] : fallback;
    });
  }

  contains(key: unknown): Promise<boolean> {
    return this.#operation("contains", [key], async () => {
      return (await this.#values([key]))[0]?.length === 1;
    });
  }

  getMany(keys: Iterable<unknown>): Promise<unknown[]> {
    const all = [...keys];
    return this.#operation("getMany", [all], async () => {
      return (await this.#values(all)).map(([value]) => value);
    });
  }

  entries(options: EntriesOptions<unknown> = {}): AsyncIterable<readonly [unknown, unknown]> {
    const pages = this.#pages(options);
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => this.#operation("entries", [options], () => pages.next()),
        return: async () => ({ done: true, value: undefined }),
      }),
    };
  }

  /** Page by page, as it is consumed. */
  async *#pages({
    signal,
    limit = Number.POSITIVE_INFINITY,
    ...bounds
  }: EntriesOptions<unknown>): AsyncGenerator<readonly [unknown, unknown], void> {
    let last: readonly [unknown, unknown] | undefined;
    for (let left = limit; left > 0; ) {
      signal?.throwIfAborted();
      const size = Math.min(left, limits.entriesPageRows);
      const page = await this.#page(bounds, last?.[0], size);
      for (const entry of page) {
        signal?.throwIfAborted();
        yield entry;
      }
      last = page.at(-1);
      if (page.length < size) return;
      left -= size;
    }
  }

  /** The next entries behind the key `last`, which is a bound that is excluded going down. */
  async #page(
    bounds: Omit<EntriesOptions<unknown>, "limit" | "signal">,
    last: unknown,
    size: number,
  ): Promise<FoundEntries> {
    const { name: store } = this.#ref;
    const { reverse = false } = bounds;
    const given = Object.entries({
      ...bounds,
      ...(last === undefined ? {} : { [reverse ? "to" : "from"]: last }),
    });
    const known = Object.fromEntries(given.filter(([, bound]) => bound !== undefined));
    const isBehind = last !== undefined && !reverse;
    const limit = isBehind ? size + 1 : size;
    const answer = await this.#ask({ op: "entries", store, bounds: { ...known, limit } });
    // cast: the server answers `entries` with entries
    const found = answer as FoundEntries;
    const isLast = isBehind && found.length > 0 && this.#isKey(found[0]?.[0], last);
    return isLast ? found.slice(1) : found.slice(0, size);
  }

  #isKey(one: unknown, other: unknown): boolean {
    return Buffer.compare(this.#key.encode(one), this.#key.encode(other)) === 0;
  }

  async #values(keys: readonly unknown[]): Promise<FoundValues> {
    const { topology, name: store } = this.#ref;
    const encoded = keys.map((key) => this.#key.encode(key));
    const request = encodeNeighbourRequest({ op: "get", store, keys: encoded });
    const digest = noteDigest(Buffer.concat([Buffer.from(`${topology.name}/`), request]));
    const { bytes } = await this.#run.journal.read(digest, async () => {
      const found = await this.#neighbour(topology.name, request, this.#run.signal);
      return { status: status.ok, bytes: found };
    });
    // cast: the server answers `get` with what it has found
    return decodeMessage(bytes) as FoundValues;
  }

  async #ask(request: NeighbourRequest): Promise<unknown> {
    const { topology } = this.#ref;
    const bytes = encodeNeighbourRequest(request);
    return decodeMessage(await this.#neighbour(topology.name, bytes, this.#run.signal));
  }

  #operation<T>(call: string, given: readonly unknown[], begin: () => Promise<T>): Promise<T> {
    return this.#run.operation(`stores.${this.#own}.${call}`, begin, {
      type: "store-read",
      about: { store: this.#own, call },
      arguments: given,
    });
  }

  #refuse(operation: string): never {
    const { topology, name: store } = this.#ref;
    throw new PartitaError("STORE_READ_ONLY", { topology: topology.name, store, operation });
  }
}
