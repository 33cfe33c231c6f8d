// View — one thread's look at a task's committed state: active arena, the other one, environment.
//
// A kept arena has nothing that the environment has not: single keys are found faster in it, and
// pages pass it by.
//
// Owns: precedence (newer layers first), tombstones, clears, and pages merged in key order. Leaves
// to others: whether the look was valid (reader.ts: the generation; the owner's looks always are).
//
// Invariants:
//   W1. The first layer that knows a key decides; a tombstone or a clear decides for absent.
//   W2. A page has every key committed before the call, whatever was cached for an earlier page.
//   W3. A page is of one instant: that at which it noted the ends of the arenas. A row that was
//       published since ends it with "moved".

import { limits } from "../base/limits.js";
import type { Arena } from "./arena.js";
import { ArenaScan, type KnownKeys } from "./arena-scan.js";
import type { Environment } from "./environment.js";
import type { KeyRange, StoredRow, StoredValue, TableId } from "./storage.js";
import type { ControlWords } from "./task-memory.js";

export class View {
  readonly #control: ControlWords;
  readonly #arenas: readonly [Arena, Arena];
  readonly #environment: () => Environment;
  readonly #likely = new Int32Array(2 * limits.lookAheadRequests);
  readonly #scans: readonly [ArenaScan, ArenaScan];

  constructor(
    control: ControlWords,
    arenas: readonly [Arena, Arena],
    environment: () => Environment,
  ) {
    this.#control = control;
    this.#arenas = arenas;
    this.#environment = environment;
    this.#scans = [new ArenaScan(arenas[0]), new ArenaScan(arenas[1])];
  }

  /** Begins with what recovery has learnt of the arenas, which holds in one generation. */
  begin(generation: number, known: readonly [KnownKeys, KnownKeys]): void {
    for (const arena of [0, 1] as const) this.#scans[arena].begin(generation, known[arena]);
  }

  /** See TaskReader.get. */
  get(table: TableId, key: Uint8Array, keyHash: number): StoredValue | undefined {
    const { active } = this.#control;
    const inActive = this.#arenas[active].find(table, key, keyHash);
    if (inActive !== 0) return this.#stored(active, table, inActive);
    if (this.#control.other !== "empty") {
      const other = active === 0 ? 1 : 0;
      const inOther = this.#arenas[other].find(table, key, keyHash);
      if (inOther !== 0) return this.#stored(other, table, inOther);
    }
    const found = this.#environment().get(table, key);
    return found !== undefined && found.version <= this.#control.cleared(table) ? undefined : found;
  }

  /** See TaskStorage.lookAhead: first all slots, then all records that they lead to. */
  lookAhead(keyHashes: Uint32Array, count: number): number {
    const { active } = this.#control;
    const [newer, older] = active === 0 ? this.#arenas : [this.#arenas[1], this.#arenas[0]];
    const likely = this.#likely;
    for (let at = 0; at < count; at += 1) {
      const keyHash = keyHashes[at] ?? 0;
      likely[at * 2] = newer.likely(keyHash);
      likely[at * 2 + 1] = older.likely(keyHash);
    }
    let touched = 0;
    for (let at = 0; at < count; at += 1) {
      const inNewer = likely[at * 2] ?? 0;
      const inOlder = likely[at * 2 + 1] ?? 0;
      if (inNewer !== 0) touched += newer.records.touch(inNewer);
      else if (inOlder !== 0) touched += older.records.touch(inOlder);
    }
    return touched;
  }

  /** See TaskReader.page; `"moved"` when the owner published rows of it meanwhile. */
  page(table: TableId, range: KeyRange, limit: number): StoredRow[] | "moved" {
    const reverse = range.reverse === true;
    const { active } = this.#control;
    const { generation } = this.#control;
    const layers: Layer[] = [];
    const arenas =
      this.#control.other === "frozen"
        ? ([active, active === 0 ? 1 : 0] as const)
        : ([active] as const);
    for (const arena of arenas) {
      const end = this.#control.publishedEnd(arena);
      const keys = this.#scans[arena].keys(table, generation, end);
      layers.push(new ArenaLayer(this.#arenas[arena], { keys, end }, range));
    }
    layers.push(new EnvironmentLayer(this.#environment(), table, range, limit));
    const cleared = this.#control.cleared(table);
    // Most often one layer has all there is, and no keys have to be compared.
    const filled = layers.filter((layer) => !layer.ended);
    const [first] = filled;
    const only = filled.length === 1 ? first : undefined;
    const rows: StoredRow[] = [];
    let bytes = 0;
    while (rows.length < limit && bytes < limits.pageBytesMax) {
      const row = only === undefined ? nextRow(filled, reverse) : rowOf(only);
      if (row === "moved") return row;
      if (row === "ended") break;
      if (row === undefined || row.version <= cleared) continue;
      rows.push(row);
      bytes += row.key.length + row.value.length;
    }
    return rows;
  }

  #stored(arena: 0 | 1, table: TableId, offset: number): StoredValue | undefined {
    const { records } = this.#arenas[arena];
    if (records.isTombstone(offset)) return undefined;
    if (records.version(offset) <= this.#control.cleared(table)) return undefined;
    return records.stored(offset);
  }
}

/** One layer's keys of a range, in the range's direction. */
interface Layer {
  readonly ended: boolean;
  /** The next key; `undefined` at the end. */
  readonly key: Uint8Array | undefined;
  /**
   * Its row; `undefined` when the layer says that it is gone, `"moved"` when it is too new (W3).
   */
  row(): StoredRow | undefined | "moved";
  advance(): void;
}

/** A layer's next row, and moves on. */
function rowOf(layer: Layer): StoredRow | undefined | "moved" | "ended" {
  if (layer.ended) return "ended";
  const row = layer.row();
  layer.advance();
  return row;
}

/** What the first layer says of the next key of all, and moves on with each that has it (W1). */
function nextRow(
  layers: readonly Layer[],
  reverse: boolean,
): StoredRow | undefined | "moved" | "ended" {
  const key = nextKey(layers, reverse);
  if (key === undefined) return "ended";
  let row: StoredRow | undefined | "moved";
  let decided = false;
  for (const layer of layers) {
    const known = layer.key;
    if (known === undefined || Buffer.compare(known, key) !== 0) continue;
    if (!decided) row = layer.row();
    decided = true;
    layer.advance();
  }
  return row;
}

function nextKey(layers: readonly Layer[], reverse: boolean): Uint8Array | undefined {
  let best: Uint8Array | undefined;
  for (const { key } of layers) {
    if (key === undefined) continue;
    const order = best === undefined ? -1 : Buffer.compare(key, best);
    if (best === undefined || (reverse ? order > 0 : order < 0)) best = key;
  }
  return best;
}

/** The newest record of each key of a table, by key, and where the arena ended by then. */
interface ListedKeys {
  readonly keys: Int32Array;
  readonly end: number;
}

class ArenaLayer implements Layer {
  readonly #arena: Arena;
  readonly #offsets: Int32Array;
  readonly #publishedEnd: number;
  readonly #step: 1 | -1;
  #index: number;
  readonly #end: number;

  constructor(arena: Arena, listed: ListedKeys, range: KeyRange) {
    const offsets = listed.keys;
    this.#arena = arena;
    this.#offsets = offsets;
    this.#publishedEnd = listed.end;
    const first = range.from === undefined ? 0 : this.#lowerBound(range.from);
    const end = range.to === undefined ? offsets.length : this.#lowerBound(range.to);
    const reverse = range.reverse === true;
    this.#step = reverse ? -1 : 1;
    this.#index = reverse ? end - 1 : first;
    this.#end = reverse ? Math.min(first - 1, end - 1) : Math.max(first, end);
  }

  get ended(): boolean {
    return this.#index === this.#end;
  }

  get key(): Uint8Array | undefined {
    if (this.ended) return undefined;
    return this.#arena.records.key(this.#offsets[this.#index] ?? 0);
  }

  row(): StoredRow | undefined | "moved" {
    const { records } = this.#arena;
    const offset = this.#offsets[this.#index] ?? 0;
    if (offset >= this.#publishedEnd) return "moved";
    return records.isTombstone(offset) ? undefined : records.row(offset);
  }

  advance(): void {
    this.#index += this.#step;
  }

  #lowerBound(key: Uint8Array): number {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const known = this.#arena.records.key(this.#offsets[middle] ?? 0);
      if (Buffer.compare(known, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

class EnvironmentLayer implements Layer {
  readonly #environment: Environment;
  readonly #table: TableId;
  readonly #pageRows: number;
  #range: KeyRange;
  #rows: readonly StoredRow[] = [];
  #index = 0;
  #noMore = false;

  constructor(environment: Environment, table: TableId, range: KeyRange, pageRows: number) {
    this.#environment = environment;
    this.#table = table;
    this.#range = range;
    this.#pageRows = Math.max(pageRows, 16);
    this.#fill();
  }

  get ended(): boolean {
    return this.#index === this.#rows.length;
  }

  get key(): Uint8Array | undefined {
    return this.#rows[this.#index]?.key;
  }

  row(): StoredRow | undefined {
    return this.#rows[this.#index];
  }

  advance(): void {
    this.#index += 1;
    if (this.#index === this.#rows.length && !this.#noMore) this.#fill();
  }

  #fill(): void {
    this.#rows = this.#environment.page(this.#table, this.#range, this.#pageRows);
    this.#index = 0;
    this.#noMore = this.#rows.length === 0;
    const last = this.#rows.at(-1);
    if (last === undefined) return;
    if (this.#range.reverse === true) this.#range = { ...this.#range, to: last.key };
    else {
      const from = new Uint8Array(last.key.length + 1);
      from.set(last.key);
      this.#range = { ...this.#range, from };
    }
  }
}
