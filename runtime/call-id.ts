// Call ids — names of calls that must be carried out once however often they are sent.
//
// UUIDs of version 7 (RFC 9562): 48 bits of milliseconds, then 74 bits that tell calls of one
// millisecond apart. The time in an id is what makes "too old to be known" decidable: an id whose
// record may be gone is refused instead of carried out a second time.
// Owns: the text and the 16 bytes. Leaves to others: what is remembered (call-records.ts).

import { createHash } from "node:crypto";
import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { optionInvalid } from "../base/options.js";
import { show } from "../base/show.js";

/** Sixteen bytes; their order is the order of time. */
export type CallId = Uint8Array;

export const callIdBytes = 16;

const textForm = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** What new ids are made from. */
interface IdSource {
  now(): number;
  random(): number;
}

/** A new id. */
export function newCallId(source: IdSource): string {
  const tail = new Uint8Array(10);
  for (let index = 0; index < tail.length; index += 1) {
    tail[index] = Math.floor(source.random() * 256);
  }
  return formatCallId(idOf(source.now(), tail));
}

/**
 * The id of a call that has a name of its own already: an order's number, a webhook's event. The
 * same name and time give the same id, on any machine. `at` is when the call came up (the event's
 * own time, not the time of a retry): ids older than what is remembered are refused.
 * @throws PartitaError OPTION_INVALID
 */
export function callId(name: string, at: Date | number): string {
  if (typeof name !== "string" || name === "") {
    throw optionInvalid("callId", "name", name, "a text that is not empty");
  }
  const ms = typeof at === "number" ? at : at.getTime();
  if (!Number.isSafeInteger(ms) || ms < 0 || ms >= 2 ** 48) {
    throw optionInvalid("callId", "at", at, "a Date, or whole milliseconds since 1970");
  }
  return formatCallId(idOf(ms, createHash("sha256").update(name).digest().subarray(0, 10)));
}

/**
 * The bytes of an id.
 * @throws PartitaError ID_INVALID when the text is none, or lies in the future
 */
export function parseCallId(where: string, text: unknown, nowMs: number): CallId {
  if (typeof text !== "string" || !textForm.test(text)) {
    const reason =
      "it must be a UUID of version 7 in lower case, as callId() and newId() make them";
    throw new PartitaError("ID_INVALID", { where, id: show(text), reason });
  }
  const id = new Uint8Array(Buffer.from(text.replaceAll("-", ""), "hex"));
  if (callIdMs(id) > nowMs + limits.callAheadMsMax) {
    const reason = "its time lies in the future";
    throw new PartitaError("ID_INVALID", { where, id: text, reason });
  }
  return id;
}

export function formatCallId(id: CallId): string {
  const hex = Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return `${parts.join("-")}-${hex.slice(20)}`;
}

/** The milliseconds since 1970 in an id. */
export function callIdMs(id: CallId): number {
  const view = new DataView(id.buffer, id.byteOffset, id.byteLength);
  return view.getUint16(0) * 2 ** 32 + view.getUint32(2);
}

function idOf(ms: number, tail: Uint8Array): CallId {
  const id = new Uint8Array(callIdBytes);
  const view = new DataView(id.buffer);
  const whole = Math.max(0, Math.floor(ms));
  view.setUint16(0, Math.floor(whole / 2 ** 32));
  view.setUint32(2, whole % 2 ** 32);
  id.set(tail, 6);
  id[6] = 0x70 | ((id[6] ?? 0) & 0x0f);
  id[8] = 0x80 | ((id[8] ?? 0) & 0x3f);
  return id;
}
