// History recorder — notes calls with the time of their call and of their return, for
// `checkLinearizable`.
//
// Time is logical unless a clock is given: a counter that goes up at each call and each return. On
// one thread that is exact (what happened first has the smaller number), also under a virtual clock
// and in a simulation. Callers on several threads or processes need a clock that all of them share.

import { checkOptionNames, optionInvalid } from "../base/options.js";

interface Timed {
  readonly invoked: number;
  readonly returned: number;
  readonly client?: string;
  readonly call?: number;
}

/** Options of `recordHistory`. */
export interface RecordOptions {
  /**
   * A clock that never goes back and that all callers share. Default: a logical one. For several
   * threads of one machine: `() => Number(process.hrtime.bigint())`.
   */
  readonly clock?: () => number;
  /**
   * Whether a rejection says for certain that nothing happened: such calls are left out. All others
   * have an unknown outcome. Default: none does.
   */
  readonly hadNoEffect?: (error: unknown) => boolean;
}

/** What is known of an operation when it is called: all but times and numbers. */
export type Begun<Operation> = Partial<Omit<Operation, "invoked" | "returned" | "call">>;

/** Calls and what came of them. */
export interface HistoryRecorder<Operation extends Timed> {
  /**
   * What was recorded so far, in the order of the calls. A call that has not returned, or was
   * rejected, has an unknown outcome: it returned at `Infinity`.
   */
  readonly operations: readonly Operation[];

  /**
   * Makes a call and records it; resolves or rejects as the call does. Together, `begun` and what
   * `seen` makes of the result must be an operation. When `begun` names a client, its calls are
   * numbered in order.
   */
  record<Result>(
    begun: Begun<Operation>,
    call: () => Promise<Result> | Result,
    seen?: (result: Result) => Partial<Operation>,
  ): Promise<Result>;
}

/**
 * Starts a record of operations for `checkLinearizable`.
 *
 *     const history = recordHistory<VersionedOperation>();
 *     await history.record(
 *       { kind: "read", key: "k", client: "ada" },
 *       () => registers.get("k"),
 *       (register) => ({ version: register?.version ?? 0, value: register?.by }),
 *     );
 *     assertLinearizable(history.operations);
 *
 * @throws PartitaError OPTION_INVALID, OPTION_UNKNOWN
 */
export function recordHistory<Operation extends Timed>(
  options: RecordOptions = {},
): HistoryRecorder<Operation> {
  checkOptionNames("recordHistory", options, ["clock", "hadNoEffect"]);
  for (const name of ["clock", "hadNoEffect"] as const) {
    const value = options[name];
    if (value !== undefined && typeof value !== "function") {
      throw optionInvalid("recordHistory", name, value, "a function");
    }
  }
  return new Recorder<Operation>(options);
}

class Recorder<Operation extends Timed> implements HistoryRecorder<Operation> {
  readonly #operations: (Operation | undefined)[] = [];
  readonly #calls = new Map<string, number>();
  readonly #clock: () => number;
  readonly #hadNoEffect: (error: unknown) => boolean;

  constructor({ clock, hadNoEffect }: RecordOptions) {
    let ticks = 0;
    this.#clock =
      clock ??
      (() => {
        ticks += 1;
        return ticks;
      });
    this.#hadNoEffect = hadNoEffect ?? (() => false);
  }

  get operations(): readonly Operation[] {
    return this.#operations.filter((operation) => operation !== undefined);
  }

  async record<Result>(
    begun: Begun<Operation>,
    call: () => Promise<Result> | Result,
    seen: (result: Result) => Partial<Operation> = () => ({}),
  ): Promise<Result> {
    const index = this.#operations.length;
    const known = { ...begun, ...this.#numbered(begun), invoked: this.#clock() };
    const note = (outcome: Partial<Operation>, returned: number) => {
      // cast: the caller has described an operation, as the contract of `record` says
      this.#operations[index] = { ...known, ...outcome, returned } as unknown as Operation;
    };
    note({}, Number.POSITIVE_INFINITY);
    try {
      const result = await call();
      note(seen(result), this.#clock());
      return result;
    } catch (error) {
      if (this.#hadNoEffect(error)) this.#operations[index] = undefined;
      throw error;
    }
  }

  #numbered(begun: Begun<Operation>): { readonly call?: number } {
    // cast: every operation may have a client, but a generic one is not known to
    const { client } = begun as { readonly client?: string };
    if (client === undefined) return {};
    const call = (this.#calls.get(client) ?? 0) + 1;
    this.#calls.set(client, call);
    return { call };
  }
}
