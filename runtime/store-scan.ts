// Store scan — the entries of a store in key order, merged over all tasks.
//
// Owns: the k-way merge of the tasks' pages and the translation of a range. Leaves to others: a
// page of one task, read at one instant (store/reader.ts).
//
// Invariants:
//   N1. Entries come in the order of encoded keys, each key once, at most `limit`.
//   N2. An entry committed before `next()` asked for its page is seen; later ones may be.

import { limits } from "../base/limits.js";
import { optionInvalid } from "../base/options.js";
import { keyRangeOf } from "../store/key-range.js";
import type { EntriesOptions } from "../store/key-value-store.js";
import type { KeyRange, StoredRow } from "../store/storage.js";
import { decodeValue } from "../store/value.js";
import { checkCallOptions } from "./call-checks.js";
import type { Lane } from "./lane.js";
import type { NodeRequest } from "./node-operations.js";
import { decodePage, encodePageRequest } from "./page-message.js";
import type { PlannedStore } from "./plan.js";
import { noBytes, operation, type Reply } from "./lane-encoding.js";
import { checked } from "./refusal.js";
import type { Router } from "./router.js";

/** Sends a request that changes nothing: once, or for a node until it is answered. */
type Ask = (lane: Lane, request: NodeRequest) => Promise<Reply>;

const askOnce: Ask = (lane, { kind, table, key, keyHash, argument }) => {
  return lane.request(kind, table, key, keyHash, argument);
};

interface Cursor {
  readonly task: number;
  range: KeyRange;
  rows: readonly StoredRow[];
  index: number;
  ended: boolean;
}

const entriesOptions = [
  "from",
  "to",
  "prefix",
  "limit",
  "reverse",
  "signal",
] as const satisfies readonly (keyof EntriesOptions<unknown>)[];

/** See `ReadOnlyKeyValueStore.entries`. */
export async function* scanEntries(
  router: Router,
  store: PlannedStore,
  options: EntriesOptions<unknown>,
  ask: Ask = askOnce,
): AsyncGenerator<readonly [unknown, unknown], void, void> {
  router.assertOpen();
  checkCallOptions("entries", options, entriesOptions);
  if (options.reverse !== undefined && typeof options.reverse !== "boolean") {
    throw optionInvalid("entries", "reverse", options.reverse, "a boolean");
  }
  const range = {
    ...keyRangeOf(store.declaration.key, options),
    ...(options.reverse === true ? { reverse: true } : {}),
  };
  const limit = checkedLimit(options.limit);
  const pageRows = Math.min(limit, limits.entriesPageRows);
  options.signal?.throwIfAborted();
  await settleWrites(router, ask);
  const cursors: Cursor[] = [];
  for (let task = 0; task < router.taskCount; task += 1) {
    cursors.push({ task, range, rows: [], index: 0, ended: false });
  }
  for (let count = 0; count < limit; count += 1) {
    options.signal?.throwIfAborted();
    for (const cursor of cursors) {
      if (cursor.index === cursor.rows.length && !cursor.ended) {
        await fill(router, ask, store.table, cursor, pageRows);
      }
    }
    const next = first(cursors, options.reverse === true);
    if (next === undefined) return;
    yield [store.declaration.key.decode(next.key), decodeValue(next.value)];
  }
}

async function fill(
  router: Router,
  ask: Ask,
  table: number,
  cursor: Cursor,
  pageRows: number,
): Promise<void> {
  router.assertOpen();
  let rows = router.reader(cursor.task).page(table, cursor.range, pageRows);
  if (rows === "busy") rows = await askOwner(router, ask, table, cursor, pageRows);
  cursor.rows = rows;
  cursor.index = 0;
  cursor.ended = rows.length === 0;
  const last = rows.at(-1);
  if (last === undefined) return;
  const { reverse } = cursor.range;
  cursor.range = reverse
    ? { ...cursor.range, to: last.key }
    : { ...cursor.range, from: successor(last.key) };
}

/** The same page from the owner, whom nobody overtakes. */
async function askOwner(
  router: Router,
  ask: Ask,
  table: number,
  cursor: Cursor,
  limit: number,
): Promise<readonly StoredRow[]> {
  const argument = encodePageRequest({ range: cursor.range, limit });
  const lane = router.lane(cursor.task);
  const request = { kind: operation.page, table, key: noBytes, keyHash: 0, argument };
  return decodePage(checked(await ask(lane, request)).bytes);
}

/** Resolves when every write of this thread that is on the way is committed. */
async function settleWrites(router: Router, ask: Ask): Promise<void> {
  const barrier = {
    kind: operation.barrier,
    table: 0,
    key: noBytes,
    keyHash: 0,
    argument: noBytes,
  };
  const lanes = Array.from({ length: router.taskCount }, (_, task) => router.lane(task));
  await Promise.all(lanes.filter(({ writes }) => writes > 0).map((lane) => ask(lane, barrier)));
}

/** Takes the smallest (or, reversed, the greatest) key of all cursors. */
function first(cursors: readonly Cursor[], reverse: boolean): StoredRow | undefined {
  let best: Cursor | undefined;
  let bestRow: StoredRow | undefined;
  for (const cursor of cursors) {
    const row = cursor.rows[cursor.index];
    if (row === undefined) continue;
    const order = bestRow === undefined ? -1 : Buffer.compare(row.key, bestRow.key);
    if (bestRow === undefined || (reverse ? order > 0 : order < 0)) {
      best = cursor;
      bestRow = row;
    }
  }
  if (best !== undefined) best.index += 1;
  return bestRow;
}

/** The next key in byte order: nothing fits between. */
function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

function checkedLimit(limit: number | undefined): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  if (Number.isInteger(limit) && limit >= 0) return limit;
  throw optionInvalid("entries", "limit", limit, "a whole number of at least 0");
}
