// Fate — what happens to a process in one cycle, chosen by the seed.

import type { Durability } from "../../index.js";

/** How a cycle ends its process. */
export type End =
  | "kill"
  /** Stopped first, so that what it had on the way stands still. */
  | "stop-kill"
  /** Told to close under load, and killed while it does. */
  | "close-kill"
  /** Told to close under load, and left in peace. */
  | "close"
  /** `process.exit` on the launching thread, in a node, in an update; memory used up in a node. */
  | "exit-process"
  | "exit-node"
  | "exit-update"
  | "memory";

export interface Fate {
  readonly end: End;
  /** From the beginning of the load. */
  readonly afterMs: number;
  /** For what is done after `end` began: until the kill. */
  readonly lastMs: number;
  /** Kills before that while it recovers, so long after it began to launch. */
  readonly recoveryKillsMs: readonly number[];
  readonly durability: Durability;
  readonly threads: number;
  readonly arenaBytes: number;
  readonly onThreadExit: "stop" | "restart";
}

const afterMsMax = 2_000;
const recoveryMsMax = 450;
const closingMsMax = 60;
const restartMsMax = 500;

const shares: readonly (readonly [End, number])[] = [
  ["kill", 62],
  ["close-kill", 13],
  ["close", 5],
  ["stop-kill", 6],
  ["exit-process", 3],
  ["exit-node", 5],
  ["exit-update", 4],
  ["memory", 2],
];

export function chooseFate(random: () => number): Fate {
  const end = chooseEnd(random);
  const weak = random();
  const kills = random();
  const recoveryKills = kills < 0.06 ? 2 : kills < 0.22 ? 1 : 0;
  return {
    end,
    // Most instants are early: recovery, the first swap and the first checkpoint lie there.
    afterMs: afterMsMax * random() ** 3,
    lastMs: random() * (end === "close-kill" ? closingMsMax : restartMsMax),
    recoveryKillsMs: Array.from({ length: recoveryKills }, () => recoveryMsMax * random()),
    durability: weak < 0.1 ? "relaxed" : weak < 0.2 ? "interval" : "durable",
    threads: random() < 0.75 ? 2 : 1,
    arenaBytes: random() < 0.7 ? 1_048_576 : 2_097_152,
    onThreadExit: random() < 0.6 ? "restart" : "stop",
  };
}

function chooseEnd(random: () => number): End {
  const sum = shares.reduce((total, [, share]) => total + share, 0);
  let rest = random() * sum;
  for (const [end, share] of shares) {
    rest -= share;
    if (rest < 0) return end;
  }
  return "kill";
}
