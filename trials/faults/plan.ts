// Plan — which fault a point puts where: the seed and the point's number decide.

import { seededRandom } from "../../testing/index.js";
import { type Ground, type Occurrence, type Phase, phases } from "./ground.js";

/** What happens at the chosen call. */
export const faults = ["kill", "EIO", "ENOSPC", "ever EIO", "ever ENOSPC", "slow"] as const;

export type Fault = (typeof faults)[number];

export interface Point {
  readonly number: number;
  readonly ground: Ground;
  readonly occurrence: Occurrence;
  readonly fault: Fault;
}

/** The point of a number; with another `attempt`, another one in the same phase. */
export function pointOf(
  grounds: readonly Ground[],
  seed: number,
  number: number,
  attempt: number,
): Point {
  const random = seededRandom(seed * 7_919 + number * 101 + attempt);
  const pick = <T>(list: readonly T[]): T => {
    const found = list[Math.floor(random() * list.length)];
    if (found === undefined) throw new RangeError("there is nothing to choose from");
    return found;
  };
  const phase: Phase = pick(phases);
  const fitting = grounds.filter(({ occurrences }) => occurrences.some((o) => o.phase === phase));
  const ground = pick(fitting);
  const usable = ground.occurrences.filter((occurrence) => occurrence.phase === phase);
  const name = pick([...new Set(usable.map((occurrence) => occurrence.name))]);
  const occurrence = pick(usable.filter((candidate) => candidate.name === name));
  return { number, ground, occurrence, fault: faultFor(name, random()) };
}

function faultFor(name: string, chance: number): Fault {
  if (name === "fdatasync" || name === "fsync") {
    if (chance < 0.3) return "kill";
    if (chance < 0.6) return "EIO";
    if (chance < 0.75) return "ENOSPC";
    return chance < 0.88 ? "ever EIO" : "slow";
  }
  if (chance < 0.4) return "kill";
  if (chance < 0.6) return "EIO";
  if (chance < 0.8) return "ENOSPC";
  return chance < 0.9 ? "ever EIO" : "ever ENOSPC";
}

/** The fault in strace's words. */
export function injection({ occurrence, fault }: Point): string {
  const { name, n } = occurrence;
  switch (fault) {
    case "kill":
      return `${name}:signal=KILL:when=${n}`;
    case "slow":
      return `${name}:delay_enter=20000:when=${n}+`;
    case "ever EIO":
    case "ever ENOSPC":
      return `${name}:error=${fault.slice(5)}:when=${n}+`;
    default:
      return `${name}:error=${fault}:when=${n}`;
  }
}
