// A target for tests: its subjects give the figures they are told to, and say when they are called.

import type { Figures } from "../../bench/figures.js";
import { measureTarget, type Measurements } from "../../bench/rounds.js";
import { Stage } from "../../bench/stage.js";
import type { Comparison, SubjectSpec, Target } from "../../bench/target.js";

/** Figures of the rounds in turn; an error is thrown. */
export type Script = readonly (Figures | Error)[];

export class MadeTarget {
  /** `open a`, `measure a 0`, `close a`, … */
  readonly calls: string[] = [];
  readonly target: Target;

  constructor(
    scripts: Readonly<Record<string, Script | Error>>,
    comparisons: readonly Comparison[],
    changes: Partial<Target> = {},
  ) {
    const subjects = Object.entries(scripts).map(([name, script]) => {
      return [name, this.#subject(name, script)] as const;
    });
    this.target = {
      id: "P1",
      title: "made",
      unit: "calls/s",
      subjects: Object.fromEntries(subjects),
      comparisons,
      limits: [],
      ms: { full: 10, quick: 1 },
      warmUp: false,
      ...changes,
    };
  }

  /** Measures it, for so many rounds. */
  async measure(rounds: number, signal = new AbortController().signal): Promise<Measurements> {
    const stage = await Stage.open({ quick: false, seed: 1, signal });
    try {
      return await measureTarget(stage, this.target, {
        rounds,
        patienceMs: 5_000,
        onRound: (index, count) => this.calls.push(`round ${index} of ${count}`),
      });
    } finally {
      await stage.end();
    }
  }

  #subject(name: string, script: Script | Error): SubjectSpec {
    return {
      ours: name === "ours",
      shown: [{ figure: "perSecond", label: `the ${name}` }],
      open: async () => {
        this.calls.push(`open ${name}`);
        if (script instanceof Error) throw script;
        return {
          measure: async ({ index }) => {
            this.calls.push(`measure ${name} ${index}`);
            const figures = script[Math.max(index, 0)];
            if (figures === undefined || figures instanceof Error) throw figures;
            return figures;
          },
          close: async () => {
            this.calls.push(`close ${name}`);
          },
        };
      },
    };
  }
}

/** `perSecond` of each round. */
export function rates(...values: readonly number[]): Script {
  return values.map((perSecond) => ({ perSecond }));
}
