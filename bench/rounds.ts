// Rounds — measures the subjects of one target by turns, and keeps the figures of each round
// together.
//
// Leaves to others: what a measurement is (targets, peers), what its figures come to (judge.ts).
//
// Invariants:
//   R1. Subjects are measured one at a time, each round in another order, so that a drift of the
//       machine and the neighbour before meet all alike.
//   R2. A subject that is missing is skipped, one that failed is not measured again, and the others
//       go on: each of the two is told with its reason, and has no figure.
//   R3. Whatever was opened is closed when this returns, in whatever way.

import type { Figures } from "./figures.js";
import type { Stage } from "./stage.js";
import { PeerMissing, type RoundFigures, type Subject, type Target } from "./target.js";

/** What the rounds of one target have found. */
export interface Measurements {
  readonly target: Target;
  readonly rounds: readonly RoundFigures[];
  /** Why a subject has no figures. */
  readonly skipped: ReadonlyMap<string, string>;
  readonly failed: ReadonlyMap<string, string>;
}

export interface RoundsOptions {
  readonly rounds: number;
  /** Longest time that a measurement may take beyond that of its load. */
  readonly patienceMs: number;
  onRound(index: number, count: number, figures: RoundFigures): void;
}

export async function measureTarget(
  stage: Stage,
  target: Target,
  options: RoundsOptions,
): Promise<Measurements> {
  const skipped = new Map<string, string>();
  const failed = new Map<string, string>();
  const open = new Map<string, Subject>();
  const rounds: RoundFigures[] = [];
  const count = Math.min(options.rounds, target.roundsMax ?? options.rounds);
  const ms = stage.quick ? target.ms.quick : target.ms.full;
  const round = async (index: number, roundMs: number): Promise<RoundFigures> => {
    const found: Record<string, Figures> = {};
    for (const name of turned([...open.keys()], Math.max(index, 0))) {
      const subject = open.get(name);
      if (subject === undefined) continue;
      globalThis.gc?.();
      try {
        const measuring = subject.measure({ ms: roundMs, index });
        found[name] = await within(measuring, roundMs + options.patienceMs, stage.signal);
      } catch (error) {
        stage.signal.throwIfAborted();
        failed.set(name, reasonOf(error));
        open.delete(name);
        await subject.close();
      }
    }
    return found;
  };
  try {
    for (const [name, spec] of Object.entries(target.subjects)) {
      stage.signal.throwIfAborted();
      try {
        open.set(name, await spec.open(stage));
      } catch (error) {
        stage.signal.throwIfAborted();
        (error instanceof PeerMissing ? skipped : failed).set(name, reasonOf(error));
      }
    }
    if (target.warmUp !== false && !stage.quick) await round(-1, ms / 4);
    for (let index = 0; index < count; index += 1) {
      const figures = await round(index, ms);
      rounds.push(figures);
      options.onRound(index, count, figures);
    }
  } finally {
    for (const subject of open.values()) await subject.close();
  }
  return { target, rounds, skipped, failed };
}

/** The same names, another first in each round. */
function turned(names: readonly string[], by: number): string[] {
  const at = names.length === 0 ? 0 : by % names.length;
  return [...names.slice(at), ...names.slice(0, at)];
}

/** A measurement that does not end fails, and so does one that is interrupted. */
async function within<T>(work: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  let stop = (): void => {};
  const stopped = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`no end after ${Math.round(ms)} ms`)), ms);
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    stop = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    };
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    stop();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
