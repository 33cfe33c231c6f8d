// Noted run — a side effect of a node function whose outcome is on record: `ctx.run(name, fn)`.
//
// Leaves to others: the place in the journal (operation-journal.ts), the record (runtime).
// Invariant: what a later run of the node gets, this one gets too.

import { limits } from "../../base/limits.js";
import { optionInvalid } from "../../base/options.js";
import { noteDigest } from "../../runtime/node-operations.js";
import type { OperationJournal } from "../../runtime/operation-journal.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { assertFits } from "../wire/message-bounds.js";
import { decodeMessage, encodeMessage } from "../wire/wire-field.js";

interface Running {
  readonly journal: OperationJournal;
  assertWrites(): void;
}

/**
 * The recorded outcome of `name`, or what `fn` returns, once that is durable.
 * @throws PartitaError OPTION_INVALID, VALUE_UNSUPPORTED, MESSAGE_TOO_LARGE; what `fn` throws
 */
export async function notedRun(
  running: Running,
  port: TaskPort,
  node: string,
  outcomeBytesMax: number,
  name: string,
  fn: () => unknown,
): Promise<unknown> {
  const bytes = Buffer.from(typeof name === "string" ? name : "", "utf8");
  const { runNameBytesMax } = limits;
  if (bytes.length === 0 || bytes.length > runNameBytesMax) {
    const valid = `a text of 1 to ${runNameBytesMax} bytes`;
    throw optionInvalid(`run in node "${node}"`, "name", name, valid);
  }
  if (typeof fn !== "function") {
    throw optionInvalid(`run in node "${node}"`, "fn", fn, "a function");
  }
  running.assertWrites();
  const step = running.journal.claim(noteDigest(bytes));
  if (step.known !== undefined) return decodeMessage(step.known.bytes);
  const where = `outcome of run "${name}" in node "${node}"`;
  const outcome = encodeMessage(await fn(), where);
  assertFits(where, outcome.length, outcomeBytesMax);
  running.assertWrites();
  await port.note(running.journal, step, bytes, outcome);
  return decodeMessage(outcome);
}
