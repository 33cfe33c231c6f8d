// Neighbour agents — agents of another topology as one node invocation calls them.
//
// The id of a call is recorded before the other topology hears of it, and begins one invocation
// there however often it comes; results are recorded like outcomes of `ctx.run`. So a node that is
// run again neither begins an invocation twice nor waits again for what it has had.
// Owns: that order, and what a retry does with an invocation that has failed. Leaves to others: the
// way there (TaskPort.neighbour), what is done there (neighbour-server.ts).
//
// Invariants:
//   B1. Places in the journal are taken when the function calls, in the order of its calls.
//   B2. A later attempt goes on with an invocation that runs or has succeeded; one that failed or
//       was cancelled it begins anew.

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { newCallId } from "../../runtime/call-id.js";
import { noteDigest } from "../../runtime/node-operations.js";
import type { JournalStep } from "../../runtime/operation-journal.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { checksum } from "../../store/checksum.js";
import type { NeighbourAgentClient, NeighbourInvocation } from "../client/neighbour-client.js";
import type { HumanQuestion, NextStep } from "../client/invocation.js";
import { checkWaitOptions, type WaitOptions, waited } from "../client/waiting.js";
import type { NeighbourTarget } from "../declare/definition.js";
import { messageBounds } from "../wire/message-bounds.js";
import { encodeNeighbourRequest, type NeighbourQuestion } from "../wire/neighbour-request.js";
import { decodeMessage, encodeMessage } from "../wire/wire-field.js";
import type { NeighbourRun } from "./neighbour-store.js";

/** What a call needs of the run that makes it. */
export interface NeighbourCallParts {
  readonly run: NeighbourRun;
  readonly port: TaskPort;
  /** Of the invocation, at the start of the run. */
  readonly attempt: number;
}

/** The call of an invocation, as it is recorded. */
interface BegunCall {
  readonly call: string;
  /** The attempt that began it. */
  readonly attempt: number;
}

export class NeighbourAgent implements NeighbourAgentClient<unknown, unknown> {
  readonly #parts: NeighbourCallParts;
  readonly #own: string;
  readonly #target: NeighbourTarget;

  /** `own`: what the agent calls it. */
  constructor(parts: NeighbourCallParts, own: string, target: NeighbourTarget) {
    this.#parts = parts;
    this.#own = own;
    this.#target = target;
  }

  invoke(input: unknown, options: WaitOptions = {}): Promise<unknown> {
    return this.#operation("invoke", [input], options, async (signal) => {
      const begun = this.#begin(input);
      const result = this.#place(`result of ${begun.name}`);
      if (result.known !== undefined) return decodeMessage(result.known.bytes);
      const id = await begun.id();
      return await this.#keep(result, () => this.#wait(id, signal));
    });
  }

  initiate(input: unknown): Promise<NeighbourInvocation<unknown>> {
    return this.#operation("initiate", [input], {}, async () => {
      return this.get(await this.#begin(input).id());
    });
  }

  get(id: string): NeighbourInvocation<unknown> {
    return Object.freeze({
      id,
      result: (options: WaitOptions = {}) =>
        this.#operation("result", [id], options, (signal) => {
          const place = this.#place(`result of ${this.#name} ${id}`);
          return this.#keep(place, () => this.#wait(id, signal));
        }),
      isComplete: (options: WaitOptions = {}) =>
        this.#operation("isComplete", [id], options, async (signal) => {
          return (await this.#ask(id, "isComplete", signal)) === true;
        }),
      nextStep: (options: WaitOptions = {}) =>
        this.#operation("nextStep", [id], options, async (signal) => {
          const place = this.#place(`step of ${this.#name} ${id}`);
          const step = await this.#keep(place, () => this.#ask(id, "nextStep", signal));
          // cast: the server answers with what its own client gives
          return step as NextStep<unknown>;
        }),
      humanInputs: (options: WaitOptions = {}) =>
        this.#operation("humanInputs", [id], options, async (signal) => {
          // cast: as above
          return (await this.#ask(id, "humanInputs", signal)) as readonly HumanQuestion[];
        }),
      answer: (question: HumanQuestion | string, value: unknown, options: WaitOptions = {}) =>
        this.#operation("answer", [id, question, value], options, (signal) =>
          this.#answer(id, typeof question === "object" ? question.id : question, value, signal),
        ),
      cancel: (options: WaitOptions = {}) =>
        this.#operation("cancel", [id], options, async (signal) => {
          await this.#ask(id, "cancel", signal);
        }),
    });
  }

  get #name(): string {
    return `${this.#target.topology}/${this.#target.agent}`;
  }

  /** Takes the place of a call (B1); `id` begins it, or finds what an earlier run has begun. */
  #begin(input: unknown): { readonly name: string; id(): Promise<string> } {
    const where = `input of agent "${this.#target.agent}" of topology "${this.#target.topology}"`;
    const bytes = encodeMessage(input, where);
    const name = `${this.#name} #${checksum(bytes).toString(16)}`;
    const first = this.#place(name);
    return {
      name,
      id: async () => {
        for (let place = first, again = 1; ; again += 1) {
          const begun = await this.#keep(place, async () => ({
            call: newCallId(this.#parts.port),
            attempt: this.#parts.attempt,
          }));
          // cast: what is recorded under this name
          const { call, attempt } = begun as BegunCall;
          const id = await this.#initiate(call, bytes);
          const isOlder = attempt < this.#parts.attempt;
          if (!isOlder || (await this.#ask(id, "hasFailed")) !== true) return id;
          place = this.#place(`${name} again ${again}`);
        }
      },
    };
  }

  async #initiate(call: string, input: Uint8Array): Promise<string> {
    this.#parts.run.assertWrites();
    const { agent } = this.#target;
    const id = await this.#send({ op: "initiate", agent, call, input });
    return String(id);
  }

  /** Answers once: an earlier run that was about to may have, and then the question is stale. */
  async #answer(
    invocationId: string,
    question: string,
    value: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    const bytes = encodeMessage(value, `answer to question ${question}`);
    const name = `answer of ${this.#name} ${question} #${checksum(bytes).toString(16)}`;
    const intended = this.#place(`intended ${name}`);
    const given = this.#place(name);
    const { agent } = this.#target;
    await this.#keep(intended, async () => null);
    await this.#keep(given, async () => {
      try {
        await this.#send({ op: "answer", agent, invocationId, question, value: bytes }, signal);
      } catch (error) {
        const isRepeated = intended.known !== undefined;
        if (!isRepeated || !PartitaError.is(error, "QUESTION_STALE")) throw error;
      }
      return null;
    });
  }

  /** The result; when the invocation of this node is cancelled meanwhile, so is that one. */
  async #wait(id: string, signal: AbortSignal): Promise<unknown> {
    try {
      return await this.#ask(id, "result", signal);
    } catch (error) {
      const { signal: own } = this.#parts.run;
      if (own.aborted && PartitaError.is(own.reason, "INVOCATION_CANCELLED")) {
        this.#ask(id, "cancel").catch(() => {});
      }
      throw error;
    }
  }

  #ask(invocationId: string, question: NeighbourQuestion, signal?: AbortSignal): Promise<unknown> {
    const { agent } = this.#target;
    return this.#send({ op: "ask", agent, invocationId, question }, signal);
  }

  /** Asks until there is an answer: a task of the other topology may be on its way back. */
  async #send(
    request: Parameters<typeof encodeNeighbourRequest>[0],
    signal?: AbortSignal,
  ): Promise<unknown> {
    const { port } = this.#parts;
    const bytes = encodeNeighbourRequest(request);
    for (let tries = 1; ; tries += 1) {
      try {
        return decodeMessage(await port.neighbour(this.#target.topology, bytes, signal));
      } catch (error) {
        const isLast = tries >= limits.neighbourTriesMax || signal?.aborted === true;
        if (isLast || !PartitaError.is(error, "TASK_EXITED")) throw error;
        await new Promise<void>((resolve) => port.after(limits.neighbourPauseMs, resolve));
      }
    }
  }

  #place(name: string): NamedStep {
    const bytes = Buffer.from(`neighbour ${name}`);
    return { name: bytes, ...this.#parts.run.journal.claim(noteDigest(bytes)) };
  }

  /** What is recorded at a place; what `make` gives, when nothing is. */
  async #keep(place: NamedStep, make: () => Promise<unknown>): Promise<unknown> {
    if (place.known !== undefined) return decodeMessage(place.known.bytes);
    const { run, port } = this.#parts;
    const bytes = encodeMessage(await make(), `answer of ${this.#name}`);
    run.assertWrites();
    // What no row can hold is asked for again by a later run.
    const { resultBytesMax } = messageBounds(port.rowBytesMax);
    if (bytes.length <= resultBytesMax) await port.note(run.journal, place, place.name, bytes);
    return decodeMessage(bytes);
  }

  #operation<T>(
    call: string,
    given: readonly unknown[],
    options: WaitOptions,
    begin: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { run } = this.#parts;
    const begun = async (): Promise<T> => {
      checkWaitOptions(call, options);
      const { signal: own } = options;
      return await waited(
        begin(own === undefined ? run.signal : AbortSignal.any([run.signal, own])),
      );
    };
    return run.operation(`agents.${this.#own}.${call}`, begun, {
      type: "agent-call",
      about: { agent: this.#own, call },
      arguments: given,
    });
  }
}

interface NamedStep extends JournalStep {
  readonly name: Uint8Array;
}
