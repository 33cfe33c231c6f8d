// Dead letter client — how whoever runs a topology looks after what its agents have given up.
//
// Owns: the typed rows, walking over tasks and pages, and that a replay resolves when the letter
// runs again. Leaves to others: the rows of tasks (dead-letters.ts), what a replay does there
// (failed-nodes.ts), who waits for what (outcome-waiters.ts).
// Invariants C1 and C3 of client.ts.

import type { InvocationFailureDetails } from "../../base/error-codes.js";
import { PartitaError } from "../../base/errors.js";
import { checkOptionNames, optionInvalid } from "../../base/options.js";
import { show } from "../../base/show.js";
import type { ProgramClientPort } from "../../runtime/task-program.js";
import { type DynamicKey, decodeDynamicKey } from "../../store/tuple-key.js";
import { checkWaitOptions, type WaitOptions, waited } from "./waiting.js";
import { formatLetterId, parseLetterId } from "../node/dead-letters.js";
import { decodeFailure, failureDetails } from "../wire/failure.js";
import { formatInvocationId, formatNodeId } from "../wire/invocation-id.js";
import { decodeRun } from "../wire/message.js";
import type { OutcomeWaiters } from "./outcome-waiters.js";
import { decodeLetterPage, encodePoison, type ListedLetter } from "../wire/poison-message.js";
import { decodeMessage } from "../wire/wire-field.js";

/** A node invocation that was given up: its message, and what went wrong. */
export interface DeadLetter {
  /** `<task>-<number>`; what `replay` and `discard` take. */
  readonly id: string;
  readonly agent: string;
  readonly node: string;
  /** The key it ran under; `undefined` when the node is plain. */
  readonly key: DynamicKey | undefined;
  readonly invocationId: string;
  /** Sixteen hex digits, as `ctx.nodeInvocationId`; a replay runs under the same. */
  readonly nodeInvocationId: string;
  /** What the node function was given. */
  readonly message: unknown;
  /** Runs that threw; where the node killed its thread or process, those deaths too. */
  readonly attempts: number;
  /** Why: `Node "<name>" failed (last failure: <first line of the last error>)`. */
  readonly reason: string;
  /** Of this node invocation, oldest first: at most 64, of about 64 KiB in all. */
  readonly failures: readonly InvocationFailureDetails[];
  /** Failures that there was no room for: never the first one, nor the one that `reason` names. */
  readonly failuresLost: number;
  /** When it was given up: milliseconds since the epoch. */
  readonly at: number;
}

/** Options of `DeadLetterClient.list`. */
export interface DeadLetterListOptions extends WaitOptions {
  /** Those of one agent. Default: all. */
  readonly agent?: string;
  /** At most so many. Default: all. */
  readonly limit?: number;
}

/** The dead letters of a launched topology: `runtime.deadLetters`. */
export interface DeadLetterClient {
  /**
   * The letters of one task after the other, each task's in the order in which their messages had
   * arrived. Read in pages while it is iterated: letters that come and go meanwhile may be in it or
   * not, all others are, once.
   *
   * @throws PartitaError OPTION_INVALID, OPTION_UNKNOWN, AGENT_UNKNOWN
   * @throws PartitaError CLASS_UNKNOWN when a message has an instance of a class that this thread
   *   does not know; TASK_EXITED, MAILBOX_FULL, CLOSED
   */
  list(options?: DeadLetterListOptions): AsyncIterable<DeadLetter>;

  /**
   * Runs a letter's node invocation again: same message, same ids, no attempts and no deaths to its
   * name; behind what waits for its key by now. The letter is gone with that. An invocation that
   * had failed is pending again, its failures kept, and its `result()` waits for the new outcome:
   * the first that any of its node invocations brings about from now on. An invocation that has its
   * result keeps it. One that is forgotten (`limits.invocationsRetainedMax`) is run all the same,
   * and nobody is told.
   * Resolves when it is durably queued, and the invocation pending.
   *
   * @throws PartitaError DEAD_LETTER_UNKNOWN when there is none: it was replayed or discarded
   * @throws PartitaError TASK_EXITED: whether it was replayed is unknown; `list` tells
   * @throws PartitaError DISK_LOW, MAILBOX_FULL, CLOSED
   */
  replay(id: string, options?: WaitOptions): Promise<void>;

  /**
   * Deletes a letter, durably. Its invocation stays as it is.
   * @throws PartitaError as `replay`
   */
  discard(id: string, options?: WaitOptions): Promise<void>;
}

/** The client on one thread. `agents`: names of the topology's agents; `waiters`: of the port. */
export function createDeadLetterClient(
  agents: Iterable<string>,
  port: ProgramClientPort,
  waiters: OutcomeWaiters,
): DeadLetterClient {
  return new ProgramDeadLetterClient([...agents], port, waiters);
}

class ProgramDeadLetterClient implements DeadLetterClient {
  readonly #agents: readonly string[];
  readonly #port: ProgramClientPort;
  readonly #waiters: OutcomeWaiters;
  /** Without agents no task has letters, nor anything that could be asked for them. */
  readonly #taskCount: number;

  constructor(agents: readonly string[], port: ProgramClientPort, waiters: OutcomeWaiters) {
    this.#agents = agents;
    this.#port = port;
    this.#waiters = waiters;
    this.#taskCount = agents.length === 0 ? 0 : port.taskCount;
  }

  list(options: DeadLetterListOptions = {}): AsyncIterable<DeadLetter> {
    checkOptionNames("deadLetters.list", options, ["agent", "limit", "signal"]);
    const { agent, limit, ...others } = options;
    checkWaitOptions("deadLetters.list", others);
    const isLimit = typeof limit === "number" && Number.isSafeInteger(limit) && limit >= 1;
    if (limit !== undefined && !isLimit) {
      throw optionInvalid("deadLetters.list", "limit", limit, "a whole number, at least 1");
    }
    if (agent !== undefined && !this.#agents.includes(agent)) {
      const name = typeof agent === "string" ? agent : show(agent);
      throw new PartitaError("AGENT_UNKNOWN", { agent: name, known: this.#agents });
    }
    return { [Symbol.asyncIterator]: () => this.#walk(agent ?? "", limit, others.signal) };
  }

  async replay(id: string, options: WaitOptions = {}): Promise<void> {
    checkWaitOptions("deadLetters.replay", options);
    const { task, letterNo } = parseLetterId(id, this.#taskCount);
    this.#port.assertWritable();
    const waiter = this.#waiters.openReplay(id, task, options.signal);
    const message = encodePoison({ kind: "replay", letterNo });
    this.#port.request(task, message).catch((error: unknown) => waiter.reject(error));
    await waited(waiter.answer);
  }

  async discard(id: string, options: WaitOptions = {}): Promise<void> {
    checkWaitOptions("deadLetters.discard", options);
    const { task, letterNo } = parseLetterId(id, this.#taskCount);
    await waited(this.#port.request(task, encodePoison({ kind: "discard", letterNo })));
  }

  async *#walk(
    agent: string,
    limit: number | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<DeadLetter, void> {
    let left = limit ?? Number.POSITIVE_INFINITY;
    for (let task = 0; task < this.#taskCount; task += 1) {
      for (let from = 1; from > 0 && left > 0; ) {
        signal?.throwIfAborted();
        const asked = {
          kind: "letters",
          from,
          limit: Math.min(left, pageLettersMax),
          agent,
        } as const;
        const reply = await waited(this.#port.request(task, encodePoison(asked)));
        const { letters, next } = decodeLetterPage(reply);
        for (const letter of letters) {
          signal?.throwIfAborted();
          yield deadLetterOf(task, letter);
          left -= 1;
        }
        from = next;
      }
    }
  }
}

/** Tasks have a bound of their own, which is lower. */
const pageLettersMax = 0xffff;

function deadLetterOf(task: number, { letterNo, info, run }: ListedLetter): DeadLetter {
  const { agent, node, key, invocationId, nodeInvocationId, message } = decodeRun(run);
  const { attempts, reason, at, failures, failuresLost } = info;
  return Object.freeze({
    id: formatLetterId(task, letterNo),
    agent,
    node,
    key: key === undefined ? undefined : decodeDynamicKey(key),
    invocationId: formatInvocationId(invocationId),
    nodeInvocationId: formatNodeId(nodeInvocationId),
    message: decodeMessage(message),
    attempts,
    reason,
    failures: failures.map((failure) => failureDetails(decodeFailure(failure))),
    failuresLost,
    at,
  });
}
