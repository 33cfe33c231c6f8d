// Version history — decides in linear time whether notes of reads and writes are linearizable.
//
// Every write of a key raises its version by one and names itself in the value. So the order of the
// writes of a key is known, and each read says which write it has seen; what is left to check is
// that time does not contradict that order. Works on registers one at a time: linearizability
// composes.
//
// What is a violation:
//   1. Two writes with one version, or a version that nobody has written: a write was lost.
//   2. A value that names another write than the one of its version: a write was overwritten.
//   3. A call that returned before one of a lower version was invoked: a stale read, or a
//      reordering.
//   4. A read that returned before its write was invoked: it saw the future.
//   5. A client that does not see its own earlier calls, awaited or not.

import type { HistoryNote } from "../topologies/history-client.js";

/** Every violation in words; none for a history that is linearizable for each key. */
export function historyViolations(notes: readonly HistoryNote[]): string[] {
  return [...groupBy(notes, ({ key }) => key).values()].flatMap((ofKey) => {
    const writes = ofKey.filter(({ kind }) => kind === "write").sort(byVersion);
    const gap = writes.findIndex(({ version }, index) => version !== index + 1);
    if (gap >= 0) return [`version ${gap + 1} was not written once: ${show(writes[gap])}`];
    return [...wrongValues(ofKey, writes), ...againstTime(ofKey, writes), ...againstSelf(ofKey)];
  });
}

function wrongValues(notes: readonly HistoryNote[], writes: readonly HistoryNote[]): string[] {
  return notes.flatMap((note) => {
    if (note.version === 0) return [];
    const write = writes[note.version - 1];
    if (write === undefined) return [`nobody wrote what was read: ${show(note)}`];
    if (note.by === `${write.client}/${write.call}`) return [];
    return [`${show(note)} is not what was written: ${show(write)}`];
  });
}

function againstTime(notes: readonly HistoryNote[], writes: readonly HistoryNote[]): string[] {
  const violations: string[] = [];
  /** Of all calls with a lower version than those at hand, the one that was invoked last. */
  let latest: HistoryNote | undefined;
  for (const [version, ofVersion] of [...groupBy(notes, (note) => note.version)].sort(
    ([one], [other]) => one - other,
  )) {
    for (const note of ofVersion) {
      if (latest !== undefined && note.returned < latest.invoked) {
        violations.push(`${show(latest)} was invoked after ${show(note)} had returned`);
      }
      const write = writes[version - 1];
      if (write !== undefined && note.returned < write.invoked) {
        violations.push(`${show(note)} returned before ${show(write)} was invoked`);
      }
    }
    latest = [...ofVersion, ...(latest === undefined ? [] : [latest])].reduce((one, other) =>
      other.invoked > one.invoked ? other : one,
    );
  }
  return violations;
}

function againstSelf(notes: readonly HistoryNote[]): string[] {
  return [...groupBy(notes, ({ client }) => client).values()].flatMap((ofClient) => {
    const violations: string[] = [];
    let own: HistoryNote | undefined;
    for (const note of [...ofClient].sort((one, other) => one.call - other.call)) {
      if (own !== undefined && note.version < own.version) {
        violations.push(`${show(note)} does not see its client's own ${show(own)}`);
      }
      if (note.kind === "write") own = note;
    }
    return violations;
  });
}

function byVersion(one: HistoryNote, other: HistoryNote): number {
  return one.version - other.version;
}

function groupBy<K>(
  notes: readonly HistoryNote[],
  group: (note: HistoryNote) => K,
): Map<K, HistoryNote[]> {
  const groups = new Map<K, HistoryNote[]>();
  for (const note of notes) {
    const found = groups.get(group(note));
    if (found === undefined) groups.set(group(note), [note]);
    else found.push(note);
  }
  return groups;
}

function show(note: HistoryNote | undefined): string {
  if (note === undefined) return "nothing";
  const { kind, client, call, key, version, invoked, returned } = note;
  return `${kind} ${client}/${call} of ${key} version ${version} [${invoked}, ${returned}]`;
}
