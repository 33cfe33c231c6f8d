// Options — the command line of the benchmark.

import { parseArgs } from "node:util";

/** What the benchmark was told. */
export interface BenchOptions {
  readonly help: boolean;
  readonly quick: boolean;
  /** Targets and curves; undefined: all. */
  readonly only: readonly string[] | undefined;
  readonly rounds: number;
  readonly seed: number;
  /** File for the results. */
  readonly json: string | undefined;
  /** Directory for the charts. */
  readonly charts: string | undefined;
  /** A file of results to draw charts of, instead of measuring. */
  readonly from: string | undefined;
  readonly waiting: boolean;
  /** The second process of `--waiting`: not for users. */
  readonly again: readonly string[] | undefined;
}

const roundsDefault = 7;
const roundsQuick = 1;
const seedDefault = 20261125;

export const usage = `usage: npm run bench -- [options]

Measures this library beside its peers, interleaved, in rounds, and prints median and spread of
the ratios. What a run has done is checked; one that did its work wrong has no figure.

  --quick          a minute: checks the work, proves no figure
  --only P1,P4     these targets (P1 to P10) and curves (keys, tasks)
  --rounds N       rounds (${roundsDefault}; ${roundsQuick} with --quick)
  --json FILE      writes the results, with raw samples, machine, versions and seed
  --charts DIR     draws an SVG chart of each target and curve
  --from FILE      draws them from results that --json has written, and measures nothing
  --seed N         where random keys begin (${seedDefault})
  --waiting        measures invocations that wait for a human instead, alone
  --help

Directories are made in the system's temporary directory; TMPDIR moves them to another disk.
exit status: 0 measured (whether targets are met or not), 1 work was wrong or an error,
2 wrong command line, 130 interrupted`;

/**
 * @param ids what `only` may name
 * @throws RangeError or TypeError, in words for the user, when it makes no sense
 */
export function parseOptions(args: readonly string[], ids: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      rounds: { type: "string" },
      seed: { type: "string" },
      json: { type: "string" },
      charts: { type: "string" },
      from: { type: "string" },
      waiting: { type: "boolean", default: false },
      again: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { quick, waiting, again, help, json, charts, from } = values;
  if (!again && positionals.length > 0) throw new RangeError(`unknown argument ${positionals[0]}`);
  if (from !== undefined && charts === undefined) throw new RangeError("--from needs --charts");
  return {
    help,
    quick,
    waiting,
    json,
    charts,
    from,
    only: values.only === undefined ? undefined : selected(values.only, ids),
    rounds: whole("rounds", values.rounds, quick ? roundsQuick : roundsDefault, 1),
    seed: whole("seed", values.seed, seedDefault, 0),
    again: again ? positionals : undefined,
  };
}

function selected(text: string, ids: readonly string[]): string[] {
  const named = text.split(",").map((name) => name.trim());
  return named.map((name) => {
    const id = ids.find((each) => each.toLowerCase() === name.toLowerCase());
    if (id === undefined) throw new RangeError(`--only knows ${ids.join(", ")}, not "${name}"`);
    return id;
  });
}

function whole(name: string, text: string | undefined, otherwise: number, min: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text !== "" && Number.isSafeInteger(value) && value >= min) return value;
  throw new RangeError(`--${name} takes a whole number of at least ${min}, not "${text}"`);
}
