// Neighbour agents — agents of another topology as one node invocation calls them.
//
// The id of a call is recorded before the other topology hears of it, and begins one invocation
// there however often it comes. Waiting for a result is a wait of the node (node-waits.ts): its
// function may be given up meanwhile. So a node that is run again neither begins an invocation
// twice nor waits again for what it has had.
// Owns: that order, and what a retry does with an invocation that has failed. Leaves to others: the
// way there and the notes of it (neighbour-asking.ts), what is done there (neighbour-server.ts),
// waiting (neighbour-watches.ts).
//
// Invariants:
//   B1. Places in the journal are taken when the function calls, in the order of its calls.
//   B2. A later attempt goes on with an invocation that runs or has succeeded; another is begun
//       when an earlier attempt was told that it failed or was cancelled.
//   B3. The metadata and the callers of a call are recorded with its id: it is sent again as it was
//       sent first, also by a run on another task, or it would be refused as another call.

import { assert } from "../../base/invariant.js";
import { PartitaError } from "../../base/errors.js";
import { optionInvalid } from "../../base/options.js";
import { newCallId } from "../../runtime/call-id.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { checksum } from "../../store/checksum.js";
import type {
  NeighbourAgentClient,
  NeighbourInvocation,
  NeighbourInvokeOptions,
} from "../client/neighbour-client.js";
import type { HumanQuestion, NextStep } from "../client/invocation.js";
import { neighbourStreams } from "../client/neighbour-streams.js";
import { neighbourTrace } from "../client/neighbour-traces.js";
import type { NodeTrace } from "../client/trace.js";
import { checkWaitOptions, unlessAborted, type WaitOptions, waited } from "../client/waiting.js";
import { encodeMetadata, type Metadata, type MetadataChanges } from "../declare/metadata.js";
import type { NeighbourTarget } from "../declare/definition.js";
import { type InvocationId, parseInvocationId } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import type { NeighbourQuestion } from "../wire/neighbour-request.js";
import type { NeighbourChild } from "../wire/wait-fields.js";
import { encodeMessage } from "../wire/wire-field.js";
import type { ActiveNode } from "./active-node.js";
import { failedBefore, resultIn } from "./child-outcome.js";
import { NeighbourAsking, type NotedCall } from "./neighbour-asking.js";
import type { NamedStep } from "./noted-steps.js";
import type { NameWriter, NodeWaits, WaitPlaces } from "./node-waits.js";
import type { Traced } from "./trace-recorder.js";
import { callersFor } from "./wait-requests.js";

const names = { invoke: 13, result: 14 } as const;

/** What a call is begun with. */
interface GivenCall extends Omit<NotedCall, "call"> {
  readonly input: Uint8Array;
}

/** An invocation over there, as a run of the node begins it. */
interface BegunCall {
  /** The attempt in which it is begun. */
  readonly attempt: number;
  /** Its id, from the record or from there. */
  id(): Promise<string>;
}

export class NeighbourAgent implements NeighbourAgentClient<unknown, unknown> {
  readonly #active: ActiveNode;
  readonly #run: RunMessage;
  readonly #port: TaskPort;
  readonly #own: string;
  readonly #target: NeighbourTarget;
  readonly #asking: NeighbourAsking;

  /** `own`: what the agent calls it. */
  constructor(
    active: ActiveNode,
    run: RunMessage,
    port: TaskPort,
    own: string,
    target: NeighbourTarget,
  ) {
    this.#active = active;
    this.#run = run;
    this.#port = port;
    this.#own = own;
    this.#target = target;
    this.#asking = new NeighbourAsking(active, port, target.topology);
  }

  invoke(input: unknown, options: NeighbourInvokeOptions = {}): Promise<unknown> {
    return this.#waiting("invoke", [input], async (waits) => {
      const given = this.#given("invoke", input, options);
      const index = waits.nextIndex;
      const nameIn = (attempt: number): NameWriter => {
        return (writer) => {
          writer.u8(names.invoke);
          writer.u32(index);
          writer.u32(attempt);
          writer.u32(checksum(given.input));
          writer.bytes(Buffer.from(this.#name));
        };
      };
      const begun = this.#begin(waits, given, (attempt) => {
        return waits.earlierOutcomes(nameIn(attempt));
      });
      const places = waits.places(nameIn(begun.attempt));
      return await this.#outcome(waits, places, begun.id, true, options);
    });
  }

  initiate(
    input: unknown,
    options: NeighbourInvokeOptions = {},
  ): Promise<NeighbourInvocation<unknown>> {
    return this.#waiting("initiate", [input], async (waits) => {
      const given = this.#given("initiate", input, options);
      const { id: begin } = this.#begin(waits, given, (_, id) => {
        return id === undefined ? [] : waits.earlierOutcomes(this.#resultName(id));
      });
      // Sent for good, like what is written: the function may not return before. It is on record
      // as the node's own as soon as it is known.
      const begun = this.#active.operation(this.#called("initiate"), async () => {
        const id = await begin();
        waits.begun(this.#ownChild(id));
        return id;
      });
      return this.#invocation(await unlessAborted(begun, options));
    });
  }

  get(id: string): NeighbourInvocation<unknown> {
    return this.#invocation(id);
  }

  #invocation(id: string): NeighbourInvocation<unknown> {
    const asked =
      <T>(question: NeighbourQuestion) =>
      (options: WaitOptions = {}): Promise<T> =>
        this.#operation(question, [id], options, async (signal) => {
          // cast: the server answers with what its own client gives
          return (await this.#ask(id, question, signal)) as T;
        });
    return Object.freeze({
      id,
      ...this.#streams(id),
      trace: (options: WaitOptions = {}) => this.#trace(id, options),
      metadata: (options: WaitOptions = {}) => this.#metadata("metadata", id, {}, options),
      setMetadata: (changes: MetadataChanges, options: WaitOptions = {}) =>
        this.#metadata("setMetadata", id, changes, options),
      result: (options: WaitOptions = {}) =>
        this.#waiting("result", [id], (waits) => {
          checkWaitOptions("result", options);
          const places = waits.places(this.#resultName(id));
          return this.#outcome(waits, places, async () => id, false, options);
        }),
      isComplete: asked<boolean>("isComplete"),
      nextStep: (options: WaitOptions = {}) =>
        this.#operation("nextStep", [id], options, async (signal) => {
          const place = this.#asking.place(`step of ${this.#name} ${id}`);
          const child = { child: this.#childOf(id), isWhole: true };
          const step = await this.#keep(place, () =>
            this.#active.looks.expects(child, () => this.#ask(id, "nextStep", signal)),
          );
          // cast: as above
          return step as NextStep<unknown>;
        }),
      humanInputs: asked<readonly HumanQuestion[]>("humanInputs"),
      answer: (question: HumanQuestion | string, value: unknown, options: WaitOptions = {}) =>
        this.#operation("answer", [id, question, value], options, (signal) =>
          this.#answer(id, typeof question === "object" ? question.id : question, value, signal),
        ),
      parent: asked<string | undefined>("parent"),
      forks: asked<readonly string[]>("forks"),
      cancel: asked<void>("cancel"),
    });
  }

  get #name(): string {
    return `${this.#target.topology}/${this.#target.agent}`;
  }

  /** Chunks over there; a later run of the node follows them from the first one again. */
  #streams(id: string): ReturnType<typeof neighbourStreams> {
    const { agent } = this.#target;
    const ask = async (message: Uint8Array, over: AbortSignal): Promise<Uint8Array> => {
      const signal = AbortSignal.any([this.#active.signal, over]);
      // cast: the server answers `follow` with the bytes of home's answer
      return (await this.#asking.send({ op: "follow", agent, message }, signal)) as Uint8Array;
    };
    const following = { agent, port: this.#port, ask };
    const child = this.#childOf(id);
    return this.#active.looks.allFollowed(neighbourStreams(following, child, id), child);
  }

  /** As it is now: a later run of the node reads it again. */
  #trace(id: string, options: WaitOptions): AsyncIterable<NodeTrace> {
    checkWaitOptions("trace", options);
    const { agent } = this.#target;
    const ask = (message: Uint8Array): Promise<unknown> =>
      this.#asking.send({ op: "trace", agent, message }, this.#active.signal);
    return neighbourTrace(agent, id, options, (message) =>
      this.#active.look(this.#called("trace"), () => ask(message)),
    );
  }

  #metadata(
    call: string,
    id: string,
    changes: MetadataChanges,
    options: WaitOptions,
  ): Promise<Metadata> {
    return this.#operation(call, [id], options, async (signal) => {
      const { agent } = this.#target;
      const asked = { op: "metadata", agent, invocationId: id, changes } as const;
      // cast: the server answers so
      return (await this.#asking.send(asked, signal)) as Metadata;
    });
  }

  #resultName(id: string): NameWriter {
    const child = this.#childOf(id);
    return (writer) => {
      writer.u8(names.result);
      writer.bytes(child);
    };
  }

  #childOf(id: string): InvocationId {
    return parseInvocationId(this.#target.agent, id);
  }

  /** @throws PartitaError OPTION_INVALID, OPTION_UNKNOWN; or the signal's reason */
  #given(call: "invoke" | "initiate", input: unknown, options: NeighbourInvokeOptions): GivenCall {
    const of = `agent "${this.#target.agent}" of topology "${this.#target.topology}"`;
    const where = `${call} of ${of}`;
    checkWaitOptions(call, options, ["signal", "metadata", "id"]);
    const id: unknown = Reflect.get(options, "id");
    if (id !== undefined) {
      const valid = "left out: a node gives each call of another topology an id of its own";
      throw optionInvalid(where, "id", id, valid);
    }
    const metadata = encodeMetadata(where, options.metadata);
    const callers = callersFor(this.#target.topology, this.#run, this.#port, call === "invoke");
    return { input: encodeMessage(input, `input of ${of}`), metadata, callers };
  }

  /**
   * Takes the places of a call (B1): of the id by which it is begun, and of what it has begun.
   * `outcomesOf`: what that came to, as earlier runs were told.
   */
  #begin(
    waits: NodeWaits,
    given: GivenCall,
    outcomesOf: (attempt: number, id: string | undefined) => readonly Uint8Array[],
  ): BegunCall {
    const name = `${this.#name} #${checksum(given.input).toString(16)}`;
    const callName = (attempt: number): string => `call ${attempt} of ${name}`;
    const idName = (attempt: number): string => `begun ${attempt} of ${name}`;
    const asking = this.#asking;
    const { attempt: current } = this.#run;
    let attempt = current;
    for (let earlier = current; earlier >= 0 && waits.mayHaveEarlier; earlier -= 1) {
      if (asking.noted(callName(earlier), 0) === undefined) continue;
      const known = asking.noted(idName(earlier), 1);
      const id = known === undefined ? undefined : String(known);
      if (!failedBefore(outcomesOf(earlier, id), current)) attempt = earlier;
      break;
    }
    const call = asking.place(callName(attempt));
    const begun = asking.place(idName(attempt));
    const id = async (): Promise<string> => {
      const { input, metadata, callers } = given;
      const note = async () => ({ call: newCallId(this.#port), metadata, callers });
      // cast: an earlier run has noted the same
      const noted = (await this.#keep(call, note)) as NotedCall;
      return String(await this.#keep(begun, () => this.#initiate(noted, input)));
    };
    return { attempt, id };
  }

  async #initiate(call: NotedCall, input: Uint8Array): Promise<unknown> {
    this.#active.assertWrites();
    const { agent } = this.#target;
    return await this.#asking.send({ op: "initiate", agent, ...call, input });
  }

  /** Waits for an invocation, once it has begun: until then the node is not at rest. */
  async #outcome(
    waits: NodeWaits,
    places: WaitPlaces,
    begin: () => Promise<string>,
    isOwn: boolean,
    options: WaitOptions,
  ): Promise<unknown> {
    const { topology, agent } = this.#target;
    const waited: { outcome: Promise<Uint8Array>; child: InvocationId }[] = [];
    await this.#active.operation(this.#called("result"), async () => {
      const id = await begin();
      const child = this.#childOf(id);
      // Cancelled meanwhile: no row of a wait will tell of it.
      if (isOwn && this.#active.isAborted) waits.begun(this.#ownChild(id));
      const wanted = { kind: "neighbour", topology, agent, child, isOwn } as const;
      const outcome = waits.outcome(places, wanted);
      outcome.catch(ignore);
      waited.push({ outcome, child });
    });
    const [begun] = waited;
    assert(begun !== undefined, "what has begun is waited for");
    const outcome = await unlessAborted(begun.outcome, options);
    return resultIn(agent, begun.child, outcome);
  }

  #ownChild(id: string): NeighbourChild {
    const { topology, agent } = this.#target;
    return { topology, agent, child: this.#childOf(id), isOwn: true };
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
    const intended = this.#asking.place(`intended ${name}`);
    const given = this.#asking.place(name);
    const { agent } = this.#target;
    await this.#keep(intended, async () => null);
    await this.#keep(given, async () => {
      try {
        await this.#asking.send(
          { op: "answer", agent, invocationId, question, value: bytes },
          signal,
        );
      } catch (error) {
        const isRepeated = intended.known !== undefined;
        if (!isRepeated || !PartitaError.is(error, "QUESTION_STALE")) throw error;
      }
      return null;
    });
  }

  #ask(invocationId: string, question: NeighbourQuestion, signal?: AbortSignal): Promise<unknown> {
    const { agent } = this.#target;
    return this.#asking.send({ op: "ask", agent, invocationId, question }, signal);
  }

  #keep(place: NamedStep, make: () => Promise<unknown>): Promise<unknown> {
    return this.#asking.keep(place, this.#name, make);
  }

  #operation<T>(
    call: string,
    given: readonly unknown[],
    options: WaitOptions,
    begin: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const run = this.#active;
    const begun = async (): Promise<T> => {
      checkWaitOptions(call, options);
      const { signal: own } = options;
      return await waited(
        begin(own === undefined ? run.signal : AbortSignal.any([run.signal, own])),
      );
    };
    return run.look(this.#called(call), begun, this.#traced(call, given));
  }

  #waiting<T>(
    call: string,
    given: readonly unknown[],
    begin: (waits: NodeWaits) => Promise<T>,
  ): Promise<T> {
    return this.#active.waiting(this.#called(call), begin, this.#traced(call, given));
  }

  #called(call: string): string {
    return `agents.${this.#own}.${call}`;
  }

  #traced(call: string, given: readonly unknown[]): Traced {
    const traced = {
      type: "agent-call",
      about: { agent: this.#own, call },
      arguments: given,
    } as const;
    return call === "initiate" ? { ...traced, shown: idIn } : traced;
  }
}

function idIn(value: unknown): unknown {
  return typeof value === "object" && value !== null && "id" in value ? value.id : undefined;
}

function ignore(): void {}
