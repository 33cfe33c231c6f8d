// A trial whose end is chosen on its command line, for the tests of what all trials share.

import { runTrial, type TrialOutcome, Unavailable } from "../../trials/trial.js";

await runTrial(
  {
    name: "sample",
    summary: "Tries nothing.",
    options: {
      rounds: { help: "rounds", default: 3 },
      from: { help: "first round", default: 1, min: 0 },
      end: { help: "0 held, 1 violated, 2 throws, 3 unavailable, 4 waits", default: 0, min: 0 },
      loud: { help: "says each round", default: false },
    },
  },
  async ({ values, signal, progress, say }): Promise<TrialOutcome> => {
    const { rounds, from, end, loud, seed } = values;
    for (let round = from; round < from + rounds; round += 1) {
      progress(round, rounds, "rounds");
      if (loud === 1) say(`round ${round}`);
    }
    if (end === 2) throw new RangeError("a mistake of the trial");
    if (end === 3) throw new Unavailable("there is no strace");
    if (end === 4) await interrupted(signal);
    return { line: `sample: rounds=${rounds} seed=${seed}`, held: end !== 1 };
  },
);

async function interrupted(signal: AbortSignal): Promise<void> {
  // What keeps the process alive while it waits, as a child process or a socket would.
  const alive = setInterval(() => {}, 1_000);
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    process.stdout.write("waiting\n");
  });
  clearInterval(alive);
}
