// Scenario — what a seed makes of the trial: the size of the cluster, its bounds and its faults.

import type { FaultOptions, SimulateOptions } from "../../testing/index.js";

export interface Scenario {
  readonly options: SimulateOptions;
  readonly clients: number;
  readonly actionsEach: number;
  /** Keys of each kind. */
  readonly keys: number;
  /** Families: so many generations of invocations below the first one. */
  readonly callDepthMax: number;
  /**
   * A weak mode and power cuts: what was before them may be gone, so what comes afterwards is
   * judged alone. Streams must go on behind what one of their ends has lost.
   */
  readonly isLossy: boolean;
  /** Functions of a task that only wait and stay in memory; others are given up. */
  readonly awakeMax: number;
}

/** The smallest that can be simulated, and larger ones. */
const arenasBytes = [16_384, 32_768, 65_536, 1_048_576] as const;

export function scenarioOf(seed: number, random: () => number): Scenario {
  const among = <T>(...choices: readonly [T, ...T[]]): T => {
    return choices[Math.floor(random() * choices.length)] ?? choices[0];
  };
  const tasks = among(1, 2, 2, 3, 3, 4, 4);
  const isLossy = random() < 0.05;
  const isWeak = isLossy || random() < 0.1;
  const arenaBytes = among(...arenasBytes);
  return {
    isLossy,
    awakeMax: among(0, 0, 1, 2, 1_000),
    clients: among(1, 2, 3),
    actionsEach: among(3, 4, 6),
    keys: among(1, 2, 3),
    // A letter of eight attempts that failed because others did, three deep, takes 20 KB.
    callDepthMax: arenaBytes === arenasBytes[0] ? 1 : 3,
    options: {
      seed,
      tasks,
      threads: Math.min(tasks, among(0, 1, 2, 2, 3, 3)),
      durability: isWeak ? among("interval", "relaxed") : "durable",
      arenaBytes,
      streamWindowMessages: among(1, 1, 2, 4_096, 4_096),
      mailbox: { messagesMax: among(1, 2, 65_536) },
      stalls: random() < 0.7,
      faults: faultsOf(random, isLossy ? 0.8 : isWeak ? 0 : 0.5),
      streamWindowBytes: among(1, 512, 16_777_216),
    },
  };
}

/** The weak modes promise nothing over a power cut, and everything over a kill. */
function faultsOf(random: () => number, powerCut: number): FaultOptions {
  const busyRead = random() < 0.5 ? 0.2 : 0;
  if (random() < 0.1) return { busyRead, powerCut };
  return {
    busyRead,
    powerCut,
    processCrash: random() < 0.6 ? 0.004 : 0,
    threadCrash: random() < 0.6 ? 0.012 : 0,
    commitCrash: random() < 0.7 ? 0.03 : 0,
    duplicate: random() < 0.7 ? 1 : 0,
    crashesMax: 1 + Math.floor(random() * 4),
  };
}
