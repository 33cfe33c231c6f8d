// Error messages — one sentence for each code: what is wrong, the offender, the limit, what is
// valid.
//
// Owns: the words. Leaves to others: codes and details (error-codes.ts), the class (errors.ts).
// People read messages and programs read codes, so words may change in any release.

import type { DetailsOf, PartitaErrorCode } from "./error-codes.js";
import { showNames } from "./show.js";

type Messages = { readonly [C in PartitaErrorCode]: (details: DetailsOf<C>) => string };

const messages: Messages = {
  KEY_INVALID: (d) => `${d.value} is not a valid ${d.codec} key${at(d.path)}: ${d.reason}`,
  KEY_EMPTY: (d) => `a ${d.codec} key must not be empty`,
  KEY_TOO_LARGE: (d) =>
    `the ${d.codec} key takes ${d.keyBytes} bytes encoded; at most ${d.keyBytesMax} fit`,
  RANGE_INVALID: (d) => `the range's "${d.option}" cannot be ${d.value}: ${d.reason}`,

  VALUE_UNDEFINED: (d) =>
    `${d.where}: undefined is not a value; use null, or delete the key to have none`,
  VALUE_UNSUPPORTED: (d) => `${d.where}: cannot carry ${d.value} at ${d.path}: ${d.reason}`,
  VALUE_CYCLIC: (d) => `${d.where}: the value contains itself at ${d.path}`,
  VALUE_TOO_DEEP: (d) =>
    `${d.where}: nested deeper than ${d.valueDepthMax} levels at ${d.path}; at most that many fit`,
  VALUE_TOO_LARGE: (d) =>
    `${d.where}: the value takes ${d.valueBytes} bytes or more; at most ${d.valueBytesMax} fit`,
  VALUE_CORRUPT: (d) => `${d.valueBytes} bytes do not hold a value: ${d.reason}`,
  SCHEMA_INVALID: (d) =>
    `${d.where}: ${d.issues.map((issue) => `${issue.path}: ${issue.message}`).join("; ")}`,
  SCHEMA_ASYNC: (d) =>
    `${d.where}: the ${d.vendor} schema answered with a promise; ` +
    "it must be synchronous and not throw",
  CLASS_NAME_TAKEN: (d) => `another class is registered as "${d.name}"; give this one its own name`,
  CLASS_UNKNOWN: (d) =>
    `no class is registered as "${d.name}" on this thread; known: ${showNames(d.known)}`,

  STORE_UNKNOWN: (d) => `there is no store "${d.store}"; declared: ${showNames(d.known)}`,
  UPDATE_UNKNOWN: (d) =>
    `store "${d.store}" has no update "${d.update}"; declared: ${showNames(d.known)}`,
  UPDATE_THREW: (d) => `update "${d.update}" of store "${d.store}" threw; nothing was changed`,
  MODIFY_CONFLICT: (d) =>
    `modify on store "${d.store}" lost to other writers ${d.attempts} times; use a named update`,

  ID_INVALID: (d) => `${d.where}: ${d.id} is not the id of a call: ${d.reason}`,
  ID_REUSED: (d) => `the id ${d.id} was used for another call; an id is for one call on one key`,
  ID_EXPIRED: (d) =>
    `the id ${d.id} is older than what is remembered (${d.retentionMs} ms, a bounded number); ` +
    "the call may have been carried out before, and is not carried out again",

  OPTION_INVALID: (d) => `${d.where}: "${d.option}" must be ${d.valid}, not ${d.value}`,
  OPTION_UNKNOWN: (d) => `${d.where}: unknown option "${d.option}"; known: ${showNames(d.known)}`,
  TOPOLOGY_INVALID: (d) =>
    [
      `topology "${d.topology}" has ${d.problems.length} problem(s):`,
      ...d.problems.map((p) => `  ${p.path}: ${p.message}${choices(p.valid)} [${p.code}]`),
    ].join("\n"),
  MODULE_INVALID: (d) => `${d.module} does not give topology "${d.topology}": ${d.reason}`,

  TOPOLOGY_MISMATCH: (d) =>
    `${d.directory} holds topology ${d.recorded}, but ${d.declared} was launched on it`,
  TASK_COUNT_MISMATCH: (d) =>
    `${d.directory} was created with ${d.recorded} tasks, but ${d.asked} were asked for`,
  FORMAT_UNKNOWN: (d) =>
    `${d.directory} has format ${d.recorded}; this version reads ${showNames(d.known)}`,
  DIRECTORY_INVALID: (d) => `${d.directory} cannot be used as a data directory: ${d.reason}`,
  DIRECTORY_LOCKED: (d) =>
    `${d.directory} is in use by ${d.pid === null ? "another process" : `process ${d.pid}`}`,
  LOG_CORRUPT: (d) => `${d.file} is corrupt at offset ${d.offset}: ${d.reason}`,
  STORE_CORRUPT: (d) => `the storage of task ${d.taskId} is corrupt: ${d.reason}`,
  STREAM_DIVERGED: (d) =>
    `task ${d.destination} has applied message ${d.applied} of task ${d.source}, which knows of ` +
    `${d.acknowledged} acknowledged and ${d.next - 1} sent: one of them was restored from a copy`,

  FRAME_TOO_LARGE: (d) => `a frame of ${d.frameBytes} bytes; at most ${d.frameBytesMax} fit`,
  MAILBOX_FULL: (d) => `the mailbox of task ${d.taskId} is full (${d.capacity} messages)`,
  DISK_LOW: (d) =>
    `${d.directory} has ${d.freeBytes} bytes free; new work is refused below ${d.diskLowBytes}`,
  MESSAGE_TOO_LARGE: (d) =>
    `${d.where}: a message of ${d.messageBytes} bytes; at most ${d.messageBytesMax} fit`,
  TASK_EXITED: (d) =>
    `thread ${d.threadId} with task(s) ${d.taskIds.join(", ")} has exited: ${d.reason}`,
  CLOSED: (d) => `${d.what} is closed`,

  AGENT_UNKNOWN: (d) => `there is no agent "${d.agent}"; declared: ${showNames(d.known)}`,
  NODE_UNKNOWN: (d) =>
    `agent "${d.agent}" has no node "${d.node}"; declared: ${showNames(d.known)}`,
  EMIT_UNDECLARED: (d) =>
    `${node(d)} does not declare "${d.target}" as a target; declared: ${showNames(d.declared)}`,
  EMIT_AFTER_RESULT: (d) => `${node(d)} emits to "${d.target}" after it has given a result`,
  RESULT_AFTER_EMIT: (d) => `${node(d)} gives a result after it has emitted`,
  RESULT_TWICE: (d) => `${node(d)} gives a second result`,
  TAG_UNKNOWN: (d) => `${d.where}: there is no tag ${d.tag}; there are ${showNames(d.known)}`,
  NODE_FINISHED: (d) =>
    `${node(d)} has returned: "${d.operation}" of its context can no longer be used`,
  INVOCATION_FAILED: (d) => `invocation ${d.invocationId} of agent "${d.agent}": ${d.reason}`,
  INVOCATION_UNKNOWN: (d) =>
    `agent "${d.agent}" has no invocation "${d.invocationId}": it never began or is forgotten`,
  INVOCATION_CANCELLED: (d) => `invocation ${d.invocationId} of agent "${d.agent}" was cancelled`,
  INVOCATION_RETRIED: (d) =>
    `${node(d)}: another attempt of invocation ${d.invocationId} has begun, this run is void`,
  NODE_INVOCATION_UNKNOWN: (d) =>
    `invocation ${d.invocationId} of agent "${d.agent}" has no node invocation ` +
    `"${d.nodeInvocationId}"${d.node === null ? "" : ` of node "${d.node}"`}`,
  FORK_OUTDATED: (d) =>
    `invocation ${d.invocationId} of agent "${d.agent}" cannot be forked: it is of version ` +
    `${d.version} of the agent's graph, which is at version ${d.current} by now`,
  NODE_TIMEOUT: (d) => `${node(d)} took more than ${d.timeoutMs} ms`,
  NODE_LOST: (d) => `${node(d)} was stalled: no task held this invocation of it any more`,
  NODE_DEADLY: (d) =>
    `${node(d)} is not run again: the process or its thread died ${d.deaths} times while it ran`,
  KEY_DEADLOCK: (d) =>
    `node "${d.node}" of agent "${d.agent}" would wait for key ${d.key} for ever: one of its ` +
    `callers holds it and waits for it (${cycleText(d)}); ` +
    "a node with `reentrant: true` gives its key up while it waits",
  QUESTION_UNKNOWN: (d) => `invocation ${d.invocationId} has never asked a question ${d.question}`,
  QUESTION_STALE: (d) =>
    `question ${d.question} of invocation ${d.invocationId} is not open any more: ` +
    "it was answered, or nobody waits for an answer",
  DEAD_LETTER_UNKNOWN: (d) =>
    `there is no dead letter "${d.id}": it was replayed, discarded, or never was`,

  OBJECT_UNAVAILABLE: (d) =>
    `Could not acquire object. All ${d.limit} of "${d.object}" were held ${d.acquireTimeoutMs} ms`,
  OBJECT_UNKNOWN: (d) =>
    `the builder of object "${d.object}" asks for what the topology does not declare; ` +
    `declared: ${showNames(d.known)}`,
  OBJECT_CYCLE: (d) => `objects are built with each other: ${d.path.join(" -> ")}`,

  NEIGHBOUR_UNAVAILABLE: (d) =>
    `topology "${d.topology}": ${d.reason}; launched: ${showNames(d.launched)}`,
  STORE_READ_ONLY: (d) =>
    `"${d.operation}" of store "${d.store}" of topology "${d.topology}": other topologies may ` +
    "read it, not write",

  COMPUTE_UNKNOWN: (d) =>
    `there is no compute function "${d.compute}"; declared: ${showNames(d.known)}`,
  COMPUTE_FAILED: (d) => `compute function "${d.compute}" failed: ${d.reason}`,
  COMPUTE_TIMEOUT: (d) => `compute function "${d.compute}" took more than ${d.timeoutMs} ms`,
  COMPUTE_QUEUE_FULL: (d) =>
    `compute function "${d.compute}": ${d.computeQueueMax} calls already wait for the pool`,
};

/** Every code, in the order of error-codes.ts. */
export const errorCodes: readonly string[] = Object.keys(messages);

/** The message of an error with this code and these details. */
export function messageOf<C extends PartitaErrorCode>(code: C, details: DetailsOf<C>): string {
  const message: Messages[C] = messages[code];
  return message(details);
}

function at(path: string): string {
  return path === "$" ? "" : ` at ${path}`;
}

function choices(valid: readonly string[]): string {
  return valid.length === 0 ? "" : `; valid: ${showNames(valid)}`;
}

/** Without what is left out of its middle: half of what is shown stands on each side. */
function cycleText({ cycle, leftOut }: DetailsOf<"KEY_DEADLOCK">): string {
  if (leftOut === 0) return cycle.join(" → ");
  const half = cycle.length / 2;
  return [...cycle.slice(0, half), `${leftOut} more`, ...cycle.slice(half)].join(" → ");
}

function node(d: { readonly agent: string; readonly node: string }): string {
  return `node "${d.node}" of agent "${d.agent}"`;
}
