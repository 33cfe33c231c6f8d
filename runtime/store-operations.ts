// Store operations — what each request of a lane does to the overlay of its owner.
//
// Owns: the meaning of get, put, delete, update, replace and clear. Leaves to others: the bytes of
// requests and replies (lane-encoding.ts), order (mailbox.ts), durability (storage).
//
// Invariants:
//   U1. An operation that throws has changed nothing.
//   U2. An update's reply is encoded before the next update of the key runs: later changes in place
//       cannot reach it.

import { ByteReader } from "../base/byte-reader.js";
import type { ByteWriter } from "../base/byte-writer.js";
import { updateThrew } from "../base/errors.js";
import { InvariantViolation } from "../base/invariant.js";
import { isReply } from "../store/declaration.js";
import { validate } from "../store/schema.js";
import { decodeValue } from "../store/value.js";
import { isDamage } from "./fail-stop.js";
import type { Overlay, Row } from "./overlay.js";
import { decodePageRequest, encodePage } from "./page-message.js";
import type { PlannedStore } from "./plan.js";
import {
  noBytes,
  operation,
  type Request,
  status,
  undefinedArgument,
  writeReply,
  writeValueReply,
} from "./lane-encoding.js";

const yes = Uint8Array.of(1);
const no = Uint8Array.of(0);
const noArguments: readonly unknown[] = [];

/** Applies one store operation and appends its reply. Throws before it has changed anything. */
export function applyOperation(
  overlay: Overlay,
  store: PlannedStore,
  request: Request,
  keyHash: number,
  replies: ByteWriter,
): void {
  switch (request.kind) {
    case operation.get:
      replyWithRow(overlay, rowOf(overlay, store, request, keyHash), replies);
      return;
    case operation.put:
      overlay.overwrite(store.table, request.key, request.argument, false, keyHash);
      writeReply(replies, status.ok, noBytes);
      return;
    case operation.delete: {
      const row = rowOf(overlay, store, request, keyHash);
      const existed = row.present;
      if (existed) overlay.remove(row);
      writeReply(replies, status.ok, existed ? yes : no);
      return;
    }
    case operation.update:
      update(overlay, store, rowOf(overlay, store, request, keyHash), request, replies);
      return;
    case operation.replace:
      replace(overlay, rowOf(overlay, store, request, keyHash), request.argument, replies);
      return;
    case operation.clear:
      overlay.clear(store.table);
      writeReply(replies, status.ok, noBytes);
      return;
    case operation.page: {
      const { range, limit } = decodePageRequest(request.argument);
      writeReply(replies, status.ok, encodePage(overlay.page(store.table, range, limit)));
      return;
    }
    default:
      throw new InvariantViolation(`operation ${request.kind} is not in the protocol`);
  }
}

function rowOf(overlay: Overlay, store: PlannedStore, request: Request, keyHash: number): Row {
  const { packet, keyStart, argumentStart } = request;
  return overlay.rowAt(store.table, packet, keyStart, argumentStart, keyHash);
}

function replyWithRow(overlay: Overlay, row: Row, replies: ByteWriter): void {
  const bytes = overlay.encoded(row);
  if (bytes === undefined) {
    writeReply(replies, status.absent, noBytes);
    return;
  }
  replies.u8(status.ok);
  replies.u32(8 + bytes.length);
  replies.uint64(row.version);
  replies.bytes(bytes);
}

function update(
  overlay: Overlay,
  store: PlannedStore,
  row: Row,
  request: Request,
  replies: ByteWriter,
): void {
  const reader = new ByteReader(request.packet, request.argumentStart);
  const planned = store.updates[reader.u16()];
  // Not `assert` with a message: no closure is made for each update.
  if (planned === undefined) throw noSuchUpdate(store);
  const { fn } = planned;
  const count = reader.u32();
  let replied: boolean;
  let answer: unknown;
  let value: unknown;
  try {
    // Most updates have one argument: no array is made of it.
    const only = count === 1 ? readArgument(reader) : undefined;
    const args = count === 1 ? noArguments : readArguments(reader, count);
    const current = overlay.decoded(row);
    const outcome = count === 1 ? fn(current, only) : fn(current, ...args);
    // Looked at here: the traps of a proxy are the update's code as well.
    replied = isReply(outcome);
    answer = isReply(outcome) ? outcome.reply : undefined;
    value = isReply(outcome) ? outcome.value : outcome;
  } catch (cause) {
    overlay.forgetDecoded(row);
    throw updateThrew(usersOwn(cause), store.name, planned.name);
  }
  const start = replies.length;
  try {
    if (value !== undefined) {
      value = validate(store.declaration.value, value, planned.whereValue);
    }
    // Without a reply of its own an update answers with what is kept, as the schema has it.
    if (!replied) answer = value;
    if (answer === undefined) writeReply(replies, status.absent, noBytes);
    else writeValueReply(replies, answer, planned.whereReply);
    if (value !== undefined) overlay.setValue(row, value);
    else if (row.present) overlay.remove(row);
  } catch (error) {
    overlay.forgetDecoded(row);
    replies.truncate(start);
    throw isDamage(error) ? updateThrew(usersOwn(error), store.name, planned.name) : error;
  }
}

/**
 * Where updates, classes and schemas run nothing of ours is read: what calls itself damage there is
 * an error of the user's (O2 of fail-stop.ts).
 */
function usersOwn(thrown: unknown): unknown {
  return isDamage(thrown) ? new Error("users' code threw it", { cause: thrown }) : thrown;
}

function noSuchUpdate({ name }: PlannedStore): InvariantViolation {
  return new InvariantViolation(`store "${name}" has no such update number`);
}

function readArguments(reader: ByteReader, count: number): unknown[] {
  const args: unknown[] = [];
  for (let index = 0; index < count; index += 1) args.push(readArgument(reader));
  return args;
}

function readArgument(reader: ByteReader): unknown {
  const length = reader.u32();
  if (length === undefinedArgument) return undefined;
  const start = reader.offset;
  reader.skip(length);
  return decodeValue(reader.whole, start, start + length);
}

function replace(overlay: Overlay, row: Row, argument: Uint8Array, replies: ByteWriter): void {
  const reader = new ByteReader(argument);
  const expected = reader.uint64();
  const keep = reader.u8() === 1;
  const current = row.present ? row.version : 0;
  if (current !== expected) {
    writeReply(replies, status.ok, no);
    return;
  }
  if (keep) overlay.setBytes(row, reader.rest());
  else if (row.present) overlay.remove(row);
  writeReply(replies, status.ok, yes);
}
