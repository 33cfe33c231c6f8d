// Invocation ids — names of invocations and of their node invocations, as bytes and as text.
//
// Owns: both layouts, and how ids are derived. Leaves to others: which task stands behind a
// placement (TaskPort.ownerOf), clock and chance (the ports).
//
//   invocation        [placement u32][milliseconds u48][random u48], big-endian
//                     as text: pppppppp-tttttttttttt-rrrrrrrrrrrr, lower-case hex
//   node invocation   two u32; as text: sixteen hex digits
//
// Invariants:
//   D1. The home task of an invocation is the owner of its placement: the id alone leads to it.
//   D2. A node invocation's id follows from its parent's and its place among the parent's emits,
//       so a node that is run again after a crash gives its children the same ids.

import { PartitaError } from "../../base/errors.js";
import { hashKey } from "../../store/key-hash.js";

/** Sixteen bytes. */
export type InvocationId = Uint8Array;

/** A node invocation within its invocation. */
export interface NodeInvocationId {
  /** 0 to 2^32 - 1. */
  readonly high: number;
  /** 0 to 2^32 - 1. */
  readonly low: number;
}

export const invocationIdBytes = 16;

/** The scope of node invocations that are in none. */
export const noScope: NodeInvocationId = Object.freeze({ high: 0, low: 0 });

/** No emit has these numbers: there are at most `limits.emitsMax`. */
const gatherIndex = 0xffffffff;
const tokenIndex = 0xfffffffe;

/** No node emits so often; those above are of scopes. */
const rootsFirst = 2 ** 31;

const two16 = 2 ** 16;
const two24 = 2 ** 24;
const two32 = 2 ** 32;
const textForm = /^([0-9a-f]{8})-([0-9a-f]{12})-([0-9a-f]{12})$/;
const nodeTextForm = /^[0-9a-f]{16}$/;

/** What ids are made from; the clients' port has it. */
interface IdSource {
  now(): number;
  random(): number;
}

/** A new id whose home is the owner of `placement`, which is 0 to 2^32 - 1. */
export function newInvocationId(placement: number, source: IdSource): InvocationId {
  const id = new Uint8Array(invocationIdBytes);
  const view = new DataView(id.buffer);
  const ms = Math.max(0, Math.floor(source.now()));
  view.setUint32(0, placement);
  view.setUint16(4, Math.floor(ms / two32) % two16);
  view.setUint32(6, ms % two32);
  // Two draws of 24 bits: one of 48 would lean on the low bits of a double.
  const upper = Math.floor(source.random() * two24);
  const lower = Math.floor(source.random() * two24);
  view.setUint32(10, upper * 2 ** 8 + (lower >>> 16));
  view.setUint16(14, lower % two16);
  return id;
}

/**
 * The id of the invocation that a call with an id begins: the same for the same call, on any
 * machine. `call`: sixteen bytes, its milliseconds first (runtime/call-id.ts).
 */
export function invocationIdOfCall(placement: number, call: Uint8Array): InvocationId {
  const id = new Uint8Array(invocationIdBytes);
  const view = new DataView(id.buffer);
  view.setUint32(0, placement);
  id.set(call.subarray(0, 6), 4);
  const { high, low } = deriveNodeId(call);
  view.setUint16(10, high >>> 16);
  view.setUint32(12, low);
  return id;
}

/**
 * The id of an invocation that a node begins: `seed` says which, `parent` is the node's own. It is
 * of the same time as its parent: every run of the node gets the same.
 */
export function invocationIdOfNode(
  placement: number,
  parent: InvocationId,
  seed: Uint8Array,
): InvocationId {
  const id = new Uint8Array(invocationIdBytes);
  const view = new DataView(id.buffer);
  view.setUint32(0, placement);
  id.set(parent.subarray(4, 10), 4);
  const { high, low } = deriveNodeId(seed);
  view.setUint16(10, high >>> 16);
  view.setUint32(12, low);
  return id;
}

/** The placement of an invocation whose entry has no key and whose call has an id. */
export function placementOfCall(call: Uint8Array): number {
  return hashKey(call);
}

/** A placement that leads to every task alike. */
export function randomPlacement(source: IdSource): number {
  return Math.floor(source.random() * two32);
}

/** The key hash whose owner is the invocation's home task. */
export function placementOf(id: InvocationId): number {
  return u32At(id, 0);
}

/** The text users see and keep. */
export function formatInvocationId(id: InvocationId): string {
  const hex = Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 20)}-${hex.slice(20)}`;
}

/**
 * The id of a text that `formatInvocationId` made.
 * @throws PartitaError INVOCATION_UNKNOWN for anything else: no invocation has such an id
 */
export function parseInvocationId(agent: string, text: string): InvocationId {
  const match = typeof text === "string" ? textForm.exec(text) : null;
  if (match === null) {
    throw new PartitaError("INVOCATION_UNKNOWN", { agent, invocationId: String(text) });
  }
  return new Uint8Array(Buffer.from(`${match[1]}${match[2]}${match[3]}`, "hex"));
}

/** A short text of the same sixteen bytes, for the keys of maps. */
export function invocationName(id: InvocationId): string {
  if (id === lastNamed) return lastName;
  lastNamed = id;
  lastName = nameOf(id);
  return lastName;
}

/** What was asked for last: one message asks for its invocation's name several times. */
let lastNamed: InvocationId | undefined;
let lastName = "";

function nameOf(id: InvocationId): string {
  // Made for every message: a Buffer over the bytes would cost more than the text.
  return String.fromCharCode(
    id[0] ?? 0,
    id[1] ?? 0,
    id[2] ?? 0,
    id[3] ?? 0,
    id[4] ?? 0,
    id[5] ?? 0,
    id[6] ?? 0,
    id[7] ?? 0,
    id[8] ?? 0,
    id[9] ?? 0,
    id[10] ?? 0,
    id[11] ?? 0,
    id[12] ?? 0,
    id[13] ?? 0,
    id[14] ?? 0,
    id[15] ?? 0,
  );
}

/** The id that `invocationName` was made from. */
export function invocationIdOf(name: string): InvocationId {
  const id = new Uint8Array(name.length);
  for (let at = 0; at < id.length; at += 1) id[at] = name.charCodeAt(at);
  return id;
}

/** The id of an invocation's first node invocation. */
export function entryNodeId(id: InvocationId): NodeInvocationId {
  return deriveNodeId(id);
}

/** The same when the invocation has begun again from its root in a later attempt. */
export function rootNodeId(id: InvocationId, attempt: number): NodeInvocationId {
  const entry = entryNodeId(id);
  return attempt === 0 ? entry : childNodeId(entry, rootsFirst + attempt);
}

/** The id of the node invocation that the `index`-th emit of `parent` starts (D2). */
export function childNodeId(parent: NodeInvocationId, index: number): NodeInvocationId {
  const seed = new Uint8Array(1 + 12);
  putNodeId(seed, 1, parent);
  putU32(seed, 9, index);
  return hashedTwice(seed);
}

/** The id of the gather's node invocation that ends a scope, which is named by its scatter's. */
export function gatherNodeId(scope: NodeInvocationId): NodeInvocationId {
  return childNodeId(scope, gatherIndex);
}

/** Stands in the account around a scope for all that is in it and has not ended. */
export function scopeToken(scope: NodeInvocationId): NodeInvocationId {
  return childNodeId(scope, tokenIndex);
}

/** Names a node invocation among all: operation ids begin with it (runtime/operation-id.ts). */
export function operationPrefix(of: {
  readonly invocationId: InvocationId;
  readonly nodeInvocationId: NodeInvocationId;
}): Uint8Array {
  const prefix = new Uint8Array(invocationIdBytes + 8);
  prefix.set(of.invocationId);
  putNodeId(prefix, invocationIdBytes, of.nodeInvocationId);
  return prefix;
}

/** The account of node invocations that were started and have not ended is the xor of their ids. */
export function xorOf(a: NodeInvocationId, b: NodeInvocationId): NodeInvocationId {
  return { high: (a.high ^ b.high) >>> 0, low: (a.low ^ b.low) >>> 0 };
}

/** Whether an account is settled, or a scope is none. */
export function isZeroId({ high, low }: NodeInvocationId): boolean {
  return high === 0 && low === 0;
}

export function isSameNode(one: NodeInvocationId, other: NodeInvocationId): boolean {
  return one.high === other.high && one.low === other.low;
}

/** Sixteen hex digits. */
export function formatNodeId(id: NodeInvocationId): string {
  return id.high.toString(16).padStart(8, "0") + id.low.toString(16).padStart(8, "0");
}

/** The id of a text that `formatNodeId` made; `undefined` for anything else. */
export function parseNodeId(text: string): NodeInvocationId | undefined {
  if (typeof text !== "string" || !nodeTextForm.test(text)) return undefined;
  return { high: Number.parseInt(text.slice(0, 8), 16), low: Number.parseInt(text.slice(8), 16) };
}

/**
 * A number of 64 bits that follows from `seed`: two hashes that differ in one byte of what is
 * hashed.
 */
export function deriveNodeId(seed: Uint8Array): NodeInvocationId {
  const hashed = new Uint8Array(1 + seed.length);
  hashed.set(seed, 1);
  return hashedTwice(hashed);
}

/** `hashed`: the seed behind a byte of its own, which is 0. */
function hashedTwice(hashed: Uint8Array): NodeInvocationId {
  const high = hashKey(hashed);
  hashed[0] = 1;
  return { high, low: hashKey(hashed) };
}

/** Puts a node invocation's id into a key, big-endian. */
export function putNodeId(bytes: Uint8Array, at: number, id: NodeInvocationId): void {
  putU32(bytes, at, id.high);
  putU32(bytes, at + 4, id.low);
}

/** Big-endian, without a DataView: one for each key would cost more than the key. */
export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function u32At(bytes: Uint8Array, at: number): number {
  const upper = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16);
  return (upper | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;
}
