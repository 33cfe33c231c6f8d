// Node waits — what one run of a node function waits for: humans, pauses, other agents.
//
// A wait takes two places of the run's journal: its request, which the node's task records with a
// row of its own (waits.ts), and the next one, where the task records the outcome when it is there.
// So a run that is cut off, or given up to save memory, finds in its journal how far it had come.
// Owns: requests, who of the run waits for which outcome, and looking at answers. Leaves to others:
// rows and messages between tasks (waits.ts), agents (sub-agents.ts), when a run may be given up
// (node-runner.ts).
//
// Invariants:
//   N1. Places are taken when the function calls, in the order of the calls.
//   N2. One question of a node invocation is open at a time: the next is asked when it is answered.
//   N3. An outcome that is there before the function asks for it is kept for it.
//   N4. What still waits when the function has returned is given up; what was sent is waited for.
//   N5. A request that is known to the task by an earlier run, and not to this one, is made again.

import { limits } from "../../base/limits.js";
import { optionInvalid } from "../../base/options.js";
import { appliedDigest } from "../../runtime/node-operations.js";
import type { JournalStep, OperationJournal } from "../../runtime/operation-journal.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { ByteWriter } from "../../base/byte-writer.js";
import { type Schema, checkSchema, validate } from "../../store/schema.js";
import { checksum } from "../../store/checksum.js";
import type { RunMessage } from "../wire/message.js";
import { assertFits, type MessageBounds } from "../wire/message-bounds.js";
import { newQuestionId } from "../wire/question-id.js";
import { type NeighbourChild, type Wanted, type WaitPlace, wholeRow } from "../wire/wait-fields.js";
import { encodeTaskWait } from "../wire/wait-message.js";
import { refusalBytes } from "../wire/refusal-bytes.js";
import { decodeMessage, encodeMessage, noBytes } from "../wire/wire-field.js";
import { answerKey, decodeAnswer, decodeWait, waitKey, waitTable } from "./wait-rows.js";

/** What a run's waits need of it. */
export interface WaitParts {
  readonly run: RunMessage;
  readonly arrivalNo: number;
  readonly port: TaskPort;
  readonly journal: OperationJournal;
  readonly bounds: MessageBounds;
  /** Something has changed in what the run waits for. */
  readonly changed: () => void;
}

/** The two places of a wait. */
export interface WaitPlaces {
  readonly name: Uint8Array;
  readonly request: JournalStep;
  readonly outcome: JournalStep;
}

/** Writes what a wait is: its kind, one byte, and whatever tells it from others. */
export type NameWriter = (writer: ByteWriter) => void;

/** Looks at an answer: the bytes to go on with. Throws when it is none. */
type Look = (value: Uint8Array) => Uint8Array;

interface OpenWait {
  /** Of its outcome: another attempt of the node can wait for something else at the same place. */
  readonly digest: number;
  readonly resolve: (outcome: Uint8Array) => void;
  readonly reject: (reason: unknown) => void;
  readonly look: Look | undefined;
  /** Its row is in a frame, committed or in hand. */
  isRecorded: boolean;
}

/** Those from 8 on are for agents (sub-agents.ts). */
const names = { answer: 1, pause: 2 } as const;

export class NodeWaits {
  readonly #parts: WaitParts;
  /** By the number of the request. */
  readonly #open = new Map<number, OpenWait>();
  /** Outcomes that came before their waits, by the number of the request. */
  readonly #arrived = new Map<number, { readonly digest: number; readonly bytes: Uint8Array }>();
  readonly #sending = new Set<Promise<unknown>>();
  #isOver = false;
  #aborted: { readonly reason: unknown } | undefined;
  /** Settles when the newest question is answered (N2). */
  #question: Promise<unknown> = Promise.resolve();

  constructor(parts: WaitParts) {
    this.#parts = parts;
  }

  /** Whether there is something to wait for, and all of it is recorded. */
  get isResting(): boolean {
    if (this.#open.size === 0) return false;
    for (const { isRecorded } of this.#open.values()) if (!isRecorded) return false;
    return true;
  }

  /** See `NodeContext.askHuman`. */
  ask(prompt: unknown, schema: Schema<unknown, unknown> | undefined): Promise<unknown> {
    const { run, arrivalNo, port, bounds } = this.#parts;
    const where = `question of node "${run.node}"`;
    if (schema !== undefined) checkSchema(schema, where, "schema");
    const bytes = encodeMessage(prompt, where);
    assertFits(where, bytes.length, bounds.messageBytesMax);
    const isChecked = schema !== undefined;
    const places = this.places((writer) => {
      writer.u8(names.answer);
      writer.u32(run.attempt);
      writer.uint64(arrivalNo);
      writer.u8(isChecked ? 1 : 0);
      writer.u32(checksum(bytes));
    });
    const of = `answer to a ${where}`;
    const look: Look | undefined =
      schema === undefined
        ? undefined
        : (value) => {
            const taken = encodeMessage(validate(schema, decodeMessage(value), of), of);
            assertFits(of, taken.length, bounds.messageBytesMax);
            return taken;
          };
    const asked = async (): Promise<Uint8Array> => {
      const { index } = places.request;
      const { nodeInvocationId, attempt } = run;
      const asker = { nodeInvocationId, attempt, arrivalNo, index, passedOn: noBytes };
      const question = newQuestionId({ ...asker, askedMs: port.now() });
      return await this.outcome(
        places,
        { kind: "answer", question, isChecked, prompt: bytes },
        look,
      );
    };
    const answer = this.#question.then(asked);
    this.#question = answer.catch(ignore);
    return answer.then(decodeMessage);
  }

  /** See `NodeContext.sleep`. */
  async sleep(pauseMs: number): Promise<void> {
    const { run, port } = this.#parts;
    const { sleepMsMax } = limits;
    if (!(typeof pauseMs === "number" && pauseMs >= 0 && pauseMs <= sleepMsMax)) {
      const valid = `0 to ${sleepMsMax} milliseconds`;
      throw optionInvalid(`sleep in node "${run.node}"`, "ms", pauseMs, valid);
    }
    const dueMs = Math.ceil(port.now() + pauseMs);
    const places = this.places((writer) => {
      writer.u8(names.pause);
      writer.uint64(Math.ceil(pauseMs));
    });
    await this.outcome(places, { kind: "pause", dueMs });
  }

  /** The port of the node's task. */
  get port(): TaskPort {
    return this.#parts.port;
  }

  /** The attempt of its invocation that the run belongs to. */
  get attempt(): number {
    return this.#parts.run.attempt;
  }

  /** The number of the next place. */
  get nextIndex(): number {
    return this.#parts.journal.next;
  }

  /** Whether an earlier run may have waited for something. */
  get mayHaveEarlier(): boolean {
    return this.#parts.journal.isReplayed;
  }

  /** Whether an earlier run has requested a wait of that name at the next place. */
  wasRequested(write: NameWriter): boolean {
    return this.#parts.journal.earlier(0, appliedDigest(nameBy(write))) !== undefined;
  }

  /** What waits of these names came to in earlier runs, at whatever places. */
  earlierOutcomes(...names: readonly NameWriter[]): readonly Uint8Array[] {
    const { journal } = this.#parts;
    return names.flatMap((write) => {
      return journal.allEarlier(outcomeDigest(nameBy(write))).map(({ bytes }) => bytes);
    });
  }

  /** Takes the places of a wait, which later runs know by its name (N1). */
  places(write: NameWriter): WaitPlaces {
    const { journal, port } = this.#parts;
    const name = nameBy(write);
    const request = journal.claim(appliedDigest(name));
    const outcome = journal.claim(outcomeDigest(name));
    journal.expect(port.taskId, outcome);
    return { name, request, outcome };
  }

  /** Requests a wait, unless an earlier run has, and resolves with its outcome. */
  async outcome(places: WaitPlaces, wanted: Wanted, look?: Look): Promise<Uint8Array> {
    const { name, request, outcome } = places;
    const { run, arrivalNo, port, journal } = this.#parts;
    const place = { arrivalNo, index: request.index };
    if (this.#isOver) return await never;
    const digest = outcomeDigest(name);
    const known = outcome.known?.bytes ?? this.#take(request.index, digest);
    if (known !== undefined) return known;
    const isRecorded = request.known !== undefined;
    if (this.#aborted !== undefined) throw this.#aborted.reason;
    const settled = new Promise<Uint8Array>((resolve, reject) => {
      this.#open.set(request.index, { digest, resolve, reject, look, isRecorded });
    });
    settled.catch(ignore);
    const message = { kind: "wait", ...place, digest } as const;
    const again = (): void =>
      port.submit(encodeTaskWait({ ...message, wanted: askedAgain(wanted) }));
    if (!isRecorded) {
      const first = encodeTaskWait({ ...message, wanted });
      await this.#send(place, port.applied(journal, request, name, first));
      if (this.#isUnheard(request.index)) again();
    } else if (port.get(waitTable, waitKey(place)) === undefined) again();
    else this.#lookAtStored(place, digest);
    this.#parts.changed();
    const bytes = await settled;
    port.goesOn(run.agent, run.node);
    return bytes;
  }

  /** A request for nothing that is waited for. */
  async request({ name, request }: WaitPlaces, wanted: Wanted): Promise<void> {
    if (request.known !== undefined) return;
    if (this.#aborted !== undefined) throw this.#aborted.reason;
    const { arrivalNo, port, journal } = this.#parts;
    const place = { arrivalNo, index: request.index };
    const message = encodeTaskWait({ kind: "wait", ...place, digest: 0, wanted });
    await this.#send(place, port.applied(journal, request, name, message));
  }

  /** Something was begun of which no request tells: the node's task is to know it as its own. */
  begun(child: NeighbourChild): void {
    const place = { arrivalNo: this.#parts.arrivalNo, index: wholeRow };
    const wanted = { kind: "begun", ...child } as const;
    this.#parts.port.submit(encodeTaskWait({ kind: "wait", ...place, digest: 0, wanted }));
  }

  /** The row of a wait is in a frame. */
  recorded(index: number): void {
    const open = this.#open.get(index);
    if (open !== undefined) open.isRecorded = true;
  }

  /** The outcome of a wait is recorded; what another attempt waited for is none of this one. */
  settle(index: number, digest: number, bytes: Uint8Array): void {
    const open = this.#open.get(index);
    if (open === undefined) {
      this.#arrived.set(index, { digest, bytes });
      return;
    }
    if (open.digest !== digest) return;
    this.#open.delete(index);
    open.resolve(bytes);
    this.#parts.changed();
  }

  /** An answer is recorded: the node looks at it, and its task hears what it says. */
  offer(place: WaitPlace, digest: number, answerNo: number, value: Uint8Array): void {
    const open = this.#open.get(place.index);
    const look = open?.digest === digest ? open.look : undefined;
    // Not asked again yet: it is looked at then. Or it was asked by an earlier attempt.
    if (look === undefined) return;
    let taken: { readonly isTaken: boolean; readonly bytes: Uint8Array };
    try {
      taken = { isTaken: true, bytes: look(value) };
    } catch (error) {
      taken = { isTaken: false, bytes: refusalBytes(error) };
    }
    this.#parts.port.submit(encodeTaskWait({ kind: "settle", ...place, answerNo, ...taken }));
  }

  /** The run is to stop, or counts no more: whatever it waits for is rejected. */
  abort(reason: unknown): void {
    this.#aborted ??= { reason };
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { reject } of open) reject(reason);
  }

  /** The function has returned: rejects with the first error among what it has sent (N4). */
  async finish(): Promise<void> {
    this.#isOver = true;
    this.#open.clear();
    for (const sent of await Promise.allSettled(this.#sending)) {
      if (sent.status === "rejected") throw sent.reason;
    }
  }

  /**
   * Whether a request that was answered is in no frame of this run: it was answered for a run under
   * another number, of which a power cut in a weak mode has left no more than that (N5).
   */
  #isUnheard(index: number): boolean {
    return this.#open.get(index)?.isRecorded === false;
  }

  #lookAtStored(place: WaitPlace, digest: number): void {
    const { port } = this.#parts;
    const row = port.get(waitTable, waitKey(place));
    const wanted = row === undefined ? undefined : decodeWait(row).wanted;
    if (wanted?.kind !== "answer") return;
    for (let no = wanted.firstAnswer; no < wanted.nextAnswer; no += 1) {
      const answer = port.get(waitTable, answerKey(place, no));
      if (answer !== undefined) this.offer(place, digest, no, decodeAnswer(answer).value);
    }
  }

  async #send(place: WaitPlace, sent: Promise<unknown>): Promise<void> {
    this.#sending.add(sent);
    try {
      await sent;
    } catch (error) {
      this.#open.delete(place.index);
      throw error;
    } finally {
      this.#sending.delete(sent);
    }
  }

  #take(index: number, digest: number): Uint8Array | undefined {
    const outcome = this.#arrived.get(index);
    this.#arrived.delete(index);
    return outcome?.digest === digest ? outcome.bytes : undefined;
  }
}

function nameBy(write: NameWriter): Uint8Array {
  const writer = new ByteWriter(32);
  write(writer);
  return writer.finish();
}

/**
 * What a request that is on record has begun is only waited for: it may have ended and be forgotten
 * by now, and is not begun once more. Under an id of its own home knows that by itself.
 */
function askedAgain(wanted: Wanted): Wanted {
  const hasBegun = wanted.kind === "result" && wanted.belongs === "own";
  return hasBegun ? { ...wanted, beginning: undefined } : wanted;
}

/** By which later runs know the outcome of a request of that name. */
function outcomeDigest(name: Uint8Array): number {
  const outcome = new Uint8Array(name.length + 1);
  outcome.set(name);
  return appliedDigest(outcome);
}

function ignore(): void {}

/** What waits for it is given up. */
const never: Promise<never> = new Promise(() => {});
