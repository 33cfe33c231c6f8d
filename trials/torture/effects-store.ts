// Effects store — a row for each message of an invocation, which notices when it comes twice.

import { keyValueStore, string, type } from "../../index.js";

/** One row for each message of a chain, fan or survey: `of` how many, and how often it was seen. */
export interface Effect {
  readonly of: number;
  /** The call that has begun it. */
  readonly call: string;
  /** The run of a node that has written it; another one is another message. */
  readonly by: string;
  readonly repeats: number;
  readonly doubles: number;
}

export interface Begin {
  readonly of: number;
  readonly call: string;
}

export const effects = keyValueStore({
  key: string,
  value: type<Effect>(),
  updates: {
    note: (effect: Effect | undefined, { of, call }: Begin, by: string): Effect => {
      if (effect === undefined) return { of, call, by, repeats: 0, doubles: 0 };
      if (effect.by === by) return { ...effect, repeats: effect.repeats + 1 };
      return { ...effect, doubles: effect.doubles + 1 };
    },
  },
});
