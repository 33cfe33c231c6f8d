// Fault trace — what strace says of a run into which a fault was put: whether it has happened, on
// which file, and what was asked and acknowledged afterwards.

import { string } from "../../index.js";
import { ownerOf } from "../../runtime/partition.js";
import { hashKey } from "../../store/key-hash.js";
import { bytesOf, type Call, pathOf, readTrace, returned } from "../strace/trace-reader.js";

/** A fault that has happened. */
export interface Fired {
  readonly name: string;
  readonly path: string;
}

/** The path of a call: that of its descriptor (-y), or the one it names. */
export function pathIn(call: Call): string | undefined {
  const descriptor = call.name === "mmap" ? call.args[4] : call.args[0];
  const shown = /^\d+<(.*)>$/.exec(descriptor ?? "");
  if (shown !== null) return pathOf(`"${shown[1] ?? ""}"`);
  const named = call.args.find((argument) => argument.startsWith('"'));
  return named === undefined || call.name.startsWith("write") ? undefined : pathOf(named);
}

/** The first fault in a trace: an error that was put in, a delay, or the call that was the last. */
export function firedIn(trace: Buffer, name: string, isKill: boolean): Fired | undefined {
  for (const { phase, call } of readTrace(trace)) {
    if (phase !== "ends" || call.name !== name) continue;
    const isHit = isKill
      ? call.result.startsWith("?")
      : call.injected || call.result.includes("(DELAYED)");
    const path = isHit ? pathIn(call) : undefined;
    if (isHit) return { name: call.name, path: path ?? "" };
  }
  return undefined;
}

const requestPattern = /^(try|ack) (log|reg) (\S+) (\d+)/;

/**
 * Requests to a task that were made after the fault in one of its segments and acknowledged all the
 * same: its log was broken by then.
 */
export function acknowledgedBehind(trace: Buffer, journal: string, tasks: number): string[] {
  let broken: number | undefined;
  const asked = new Set<string>();
  const found: string[] = [];
  for (const { phase, call } of readTrace(trace)) {
    const path = pathIn(call);
    if (phase === "ends" && call.injected && returned(call) < 0 && broken === undefined) {
      const task = /\/t(\d{4})\/log\/\d+\.seg$/.exec(path ?? "");
      if (task !== null) broken = Number(task[1]);
    }
    if (phase !== "begins" || path !== journal || broken === undefined) continue;
    const line = bytesOf(call.args[1] ?? "").toString("utf8");
    const [, verb, kind, name = "", n] = requestPattern.exec(line) ?? [];
    if (verb === undefined || ownerOf(hashKey(string.encode(name)), tasks) !== broken) continue;
    const request = `${kind} ${name} ${n}`;
    if (verb === "try") asked.add(request);
    else if (asked.has(request)) found.push(request);
  }
  return found;
}
