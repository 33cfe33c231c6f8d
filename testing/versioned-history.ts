// Versioned history — decides in linear time whether reads and writes are linearizable key by key.
//
// Every write of a key raises its version and (best) leaves a mark of its own in the value. So the
// order of the writes of a key is known, and each read says which write it has seen; what is left
// to check is that time does not contradict that order. Keys are looked at one at a time:
// linearizability composes.
//
// Rules (`Violation.rule`):
//   two writes      Two writes took one version: one of them was lost.
//   lost write      A version between others that nobody wrote or read: a write vanished, or one
//                   was applied twice.
//   unwritten       A version was read that nobody wrote.
//   other value     A value was read that is not the one written with its version.
//   stale           An operation returned before one of a lower version was invoked.
//   future          A read returned before the write that it has seen was invoked.
//   before start    A version was read that is older than the history.
//   own operations  A client did not see its own earlier write, awaited or not.
//
// Unknown outcomes: a write that did not return may or may not have happened, at any time after it
// was invoked. Its version is found by its value. If nobody has read it, it may stand for a version
// that nobody else wrote, or is left out.

import { optionInvalid } from "../base/options.js";
import { show } from "../base/show.js";
import type { Findings } from "./verdict.js";

/** What tells a value from others: usually an id of the write, which the value carries. */
export type ValueMark = string | number | bigint | boolean | null | undefined;

/** One read or write of one key. */
export interface VersionedOperation {
  readonly kind: "read" | "write";
  readonly key: string;
  /**
   * The version that it wrote or has read; 0 for a read that found nothing. `undefined` when it is
   * not known: a read is left out then, a write has an unknown outcome.
   */
  readonly version: number | undefined;
  /** Compared with `Object.is` when write and read both have one. */
  readonly value?: ValueMark;
  /** Time of the call, of a clock that all callers share. */
  readonly invoked: number;
  /** Time of the return; `Infinity` when it never came or was an error: the outcome is unknown. */
  readonly returned: number;
  /** Who called. With `call`, the client must see its own writes in the order of its calls. */
  readonly client?: string;
  /** Number of the call among those of its client. */
  readonly call?: number;
}

/** How to read the versions of a history. */
export interface VersionedOptions {
  /**
   * `dense` (default): each write raises the version by exactly one, from 1, so a missing one is a
   * lost write. `increasing`: versions only rise, and gaps mean nothing.
   */
  readonly versions?: "dense" | "increasing";
  /** The version that a key had before the history began, for keys that had one. */
  readonly initial?: ReadonlyMap<string, number>;
  /** Violations that are kept; the rest are only counted. Default 20. */
  readonly violationsMax?: number;
}

/** All operations of one version of a key, as far as they matter. */
interface VersionGroup {
  readonly version: number;
  write: VersionedOperation | undefined;
  /** Of all reads the one that returned first. */
  firstRead: VersionedOperation | undefined;
  /** A read that showed a value. */
  shown: VersionedOperation | undefined;
  lastInvoked: VersionedOperation;
  firstReturned: VersionedOperation;
}

/** The operations of one key. */
class KeyHistory {
  readonly groups = new Map<number, VersionGroup>();
  readonly unknown: VersionedOperation[] = [];
  readonly clients = new Map<string, VersionedOperation[]>();
}

/** Adds what contradicts linearizability to `found`. */
export function checkVersions(
  history: Iterable<VersionedOperation>,
  { versions = "dense", initial }: VersionedOptions,
  found: Findings<VersionedOperation>,
): number {
  const keys = new Map<string, KeyHistory>();
  let checked = 0;
  for (const operation of history) {
    const { key } = operation;
    assertWellFormed(operation, checked);
    checked += 1;
    let ofKey = keys.get(key);
    if (ofKey === undefined) {
      ofKey = new KeyHistory();
      keys.set(key, ofKey);
    }
    take(ofKey, operation, found);
  }
  for (const [key, ofKey] of keys) {
    const start = initial?.get(key) ?? 0;
    const resolved = resolveUnknown(ofKey);
    const groups = [...ofKey.groups.values()].sort((one, other) => one.version - other.version);
    checkWrites(groups, { start, isDense: versions === "dense", key }, resolved, found);
    checkTimes(groups, found);
    for (const ofClient of ofKey.clients.values()) checkClient(ofClient, resolved, found);
  }
  return checked;
}

function assertWellFormed(operation: VersionedOperation, index: number): void {
  const { kind, version, invoked, returned } = operation;
  const wrong = (field: string, value: unknown, valid: string) =>
    optionInvalid("checkLinearizable", `history[${index}].${field}`, value, valid);
  if (kind !== "read" && kind !== "write") throw wrong("kind", kind, '"read" or "write"');
  if (!(invoked > Number.NEGATIVE_INFINITY && invoked < Number.POSITIVE_INFINITY)) {
    throw wrong("invoked", invoked, "a time");
  }
  if (!(returned >= invoked)) throw wrong("returned", returned, "a time not before `invoked`");
  if (version === undefined) return;
  if (!Number.isSafeInteger(version) || version < (kind === "write" ? 1 : 0)) {
    throw wrong("version", version, "a whole number, at least 1 for a write and 0 for a read");
  }
}

function take(
  ofKey: KeyHistory,
  operation: VersionedOperation,
  found: Findings<VersionedOperation>,
): void {
  const { version, client, call, kind } = operation;
  const isUnknown = version === undefined || operation.returned === Number.POSITIVE_INFINITY;
  if (isUnknown && kind === "read") return;
  if (client !== undefined && call !== undefined) {
    const ofClient = ofKey.clients.get(client);
    if (ofClient === undefined) ofKey.clients.set(client, [operation]);
    else ofClient.push(operation);
  }
  if (isUnknown) {
    ofKey.unknown.push(operation);
    return;
  }
  const group = join(ofKey, version, operation);
  if (kind === "write") {
    const other = group.write;
    if (other === undefined) group.write = operation;
    else {
      found.add("two writes", [other, operation], () => {
        return `${shown(other)} and ${shown(operation)} both wrote version ${version}`;
      });
    }
    return;
  }
  const { firstRead, shown: before } = group;
  if (firstRead === undefined || operation.returned < firstRead.returned) {
    group.firstRead = operation;
  }
  if (operation.value === undefined) return;
  if (before === undefined) group.shown = operation;
  else if (!Object.is(before.value, operation.value)) {
    found.add("other value", [before, operation], () => {
      return `${shown(before)} and ${shown(operation)} differ, at one version`;
    });
  }
}

function join(ofKey: KeyHistory, version: number, operation: VersionedOperation): VersionGroup {
  const group = ofKey.groups.get(version);
  if (group === undefined) {
    const made: VersionGroup = {
      version,
      write: undefined,
      firstRead: undefined,
      shown: undefined,
      lastInvoked: operation,
      firstReturned: operation,
    };
    ofKey.groups.set(version, made);
    return made;
  }
  if (operation.invoked > group.lastInvoked.invoked) group.lastInvoked = operation;
  if (operation.returned < group.firstReturned.returned) group.firstReturned = operation;
  return group;
}

/** Which of the writes without an outcome took which version, and those of which that is open. */
interface Resolved {
  readonly versions: ReadonlyMap<VersionedOperation, number>;
  /** Those that no read has shown. */
  readonly open: VersionedOperation[];
}

/** A write without an outcome took the version at which a read shows its value. */
function resolveUnknown(ofKey: KeyHistory): Resolved {
  const versions = new Map<VersionedOperation, number>();
  if (ofKey.unknown.length === 0) return { versions, open: [] };
  const unexplained = new Map<ValueMark, VersionGroup>();
  for (const group of ofKey.groups.values()) {
    const { shown: read } = group;
    if (group.write === undefined && read !== undefined && !unexplained.has(read.value)) {
      unexplained.set(read.value, group);
    }
  }
  const open = ofKey.unknown.filter((write) => {
    const group = write.value === undefined ? undefined : unexplained.get(write.value);
    if (group === undefined || group.write !== undefined) return true;
    if (write.version !== undefined && write.version !== group.version) return true;
    group.write = write;
    join(ofKey, group.version, write);
    versions.set(write, group.version);
    return false;
  });
  return { versions, open };
}

interface KeyFacts {
  readonly key: string;
  readonly start: number;
  readonly isDense: boolean;
}

/** Each version was written once, and shows what was written. */
function checkWrites(
  groups: readonly VersionGroup[],
  { start, isDense, key }: KeyFacts,
  { open }: Resolved,
  found: Findings<VersionedOperation>,
): void {
  const deadlines = open.length === 0 ? [] : returnsFrom(groups);
  let before = start;
  for (const [index, { version, write, firstRead, shown: read }] of groups.entries()) {
    const seen = write ?? firstRead;
    if (seen === undefined) continue;
    if (version < start || (version === start && write !== undefined)) {
      found.add("before start", [seen], () => `${shown(seen)}, but the key began at ${start}`);
      continue;
    }
    const deadline = deadlines[index] ?? 0;
    const missing = isDense ? version - before - 1 : 0;
    if (missing > 0 && !stoodForAll(open, before + 1, version, deadline)) {
      const range = missing === 1 ? `${version - 1}` : `${before + 1} to ${version - 1}`;
      found.add("lost write", [seen], () => {
        return `nobody wrote version ${range} of key ${show(key)}, but ${shown(seen)}`;
      });
    }
    before = version;
    if (version === start) continue;
    if (write === undefined) {
      if (stoodFor(open, version, read?.value, deadline)) continue;
      found.add("unwritten", [seen], () => `${shown(seen)}, which nobody wrote`);
    } else if (read !== undefined && write.value !== undefined) {
      if (Object.is(read.value, write.value)) continue;
      found.add("other value", [read, write], () => `${shown(read)}, but ${shown(write)}`);
    }
  }
}

/** For each group the first return of it and all later ones: what was before it began before. */
function returnsFrom(groups: readonly VersionGroup[]): number[] {
  const deadlines = groups.map(({ firstReturned }) => firstReturned.returned);
  for (let index = deadlines.length - 2; index >= 0; index -= 1) {
    deadlines[index] = Math.min(deadlines[index] ?? 0, deadlines[index + 1] ?? 0);
  }
  return deadlines;
}

/** Whether writes without an outcome stood for the versions from `first` up to before `end`. */
function stoodForAll(
  open: VersionedOperation[],
  first: number,
  end: number,
  deadline: number,
): boolean {
  for (let version = first; version < end; version += 1) {
    if (!stoodFor(open, version, undefined, deadline)) return false;
  }
  return true;
}

/**
 * Whether a write without an outcome, invoked by `deadline`, may have made this version; takes it.
 * Which one does not matter to later versions: their deadlines are not earlier.
 */
function stoodFor(
  open: VersionedOperation[],
  version: number,
  value: ValueMark,
  deadline: number,
): boolean {
  // A write that has a value would have been found by it where a value was read.
  const fits = (write: VersionedOperation) => {
    return write.invoked <= deadline && (value === undefined || write.value === undefined);
  };
  let index = open.findIndex((write) => write.version === version && fits(write));
  if (index < 0) index = open.findIndex((write) => write.version === undefined && fits(write));
  if (index < 0) return false;
  open.splice(index, 1);
  return true;
}

/** Time agrees with the order of the versions. */
function checkTimes(groups: readonly VersionGroup[], found: Findings<VersionedOperation>): void {
  /** Of all operations with a lower version, the one that was invoked last. */
  let latest: VersionedOperation | undefined;
  let accused: VersionedOperation | undefined;
  for (const { write, firstRead, firstReturned, lastInvoked } of groups) {
    // One late operation contradicts all versions above its own: it is named once.
    const isStale = latest !== undefined && firstReturned.returned < latest.invoked;
    if (latest !== undefined && isStale && latest !== accused) {
      const later = latest;
      accused = latest;
      found.add("stale", [later, firstReturned], () => {
        return `${shown(later)} after this had returned: ${shown(firstReturned)}`;
      });
    }
    if (write !== undefined && firstRead !== undefined && firstRead.returned < write.invoked) {
      found.add("future", [firstRead, write], () => {
        return `${shown(firstRead)}, and had returned before ${shown(write)} was invoked`;
      });
    }
    if (latest === undefined || lastInvoked.invoked > latest.invoked) latest = lastInvoked;
  }
}

/** What a client called later sees what it wrote before. */
function checkClient(
  operations: VersionedOperation[],
  { versions }: Resolved,
  found: Findings<VersionedOperation>,
): void {
  operations.sort((one, other) => (one.call ?? 0) - (other.call ?? 0));
  let own: VersionedOperation | undefined;
  let ownVersion = 0;
  for (const operation of operations) {
    const isKnown = operation.returned !== Number.POSITIVE_INFINITY;
    const version = isKnown ? operation.version : versions.get(operation);
    if (version === undefined) continue;
    if (own !== undefined && version < ownVersion) {
      const earlier = own;
      found.add("own operations", [earlier, operation], () => {
        return `${shown(operation)}, although its client had called before: ${shown(earlier)}`;
      });
    }
    if (operation.kind !== "write") continue;
    own = operation;
    ownVersion = version;
  }
}

/** `ada/3 read version 2 of key "k" ("ada/1") [12, 15]`. */
function shown(operation: VersionedOperation): string {
  const { kind, key, version, value, invoked, returned, client, call } = operation;
  const who = client === undefined ? "somebody" : client + (call === undefined ? "" : `/${call}`);
  const verb = kind === "read" ? "read" : "wrote";
  const mark = value === undefined ? "" : ` (${show(value)})`;
  const what = version === undefined ? "an unknown version" : `version ${version}`;
  return `${who} ${verb} ${what} of key ${show(key)}${mark} [${invoked}, ${returned}]`;
}
