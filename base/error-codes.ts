// Error codes — every refusal that Partita's users can meet, with what its `details` hold.
//
// The code is the contract: it never changes its meaning, and its details only gain fields. Details
// are plain data (they cross threads and go to disk): names, numbers, limits, and offending values
// as short texts. `error-messages.ts` says the same in words.

/** One problem of a topology's definition; all of them are reported at once. */
export interface TopologyProblemDetails {
  readonly code: string;
  /** Where: `agents.transfer.nodes.debit`. */
  readonly path: string;
  readonly message: string;
  /** What would have been valid; empty when that cannot be listed. */
  readonly valid: readonly string[];
}

/** One issue that a schema found. */
export interface SchemaIssueDetails {
  /** Where in the value: `$.a[3].b`. */
  readonly path: string;
  readonly message: string;
}

/** One failure of an invocation, as its record keeps it. */
export interface InvocationFailureDetails {
  readonly node: string;
  readonly attempt: number;
  readonly message: string;
  readonly stack: string;
}

/**
 * What `details` holds, by code. `where` names the operation; `path` starts with `$`, the value.
 */
export interface ErrorDetails {
  // Keys

  /** The key's codec cannot encode it, or stored bytes are no key of this codec. */
  KEY_INVALID: { codec: string; path: string; value: string; reason: string };
  /** An empty string, byte array or tuple (empty parts of a tuple are fine). */
  KEY_EMPTY: { codec: string };
  KEY_TOO_LARGE: { codec: string; keyBytes: number; keyBytesMax: number };
  /** Bounds of `entries` that contradict each other or that the key's codec has no meaning for. */
  RANGE_INVALID: { option: string; value: string; reason: string };

  // Values

  /** `undefined` is not a value: it stands for "no value". `null` is one. */
  VALUE_UNDEFINED: { where: string };
  /** Something in it cannot be carried without a change. */
  VALUE_UNSUPPORTED: { where: string; path: string; value: string; reason: string };
  VALUE_CYCLIC: { where: string; path: string };
  VALUE_TOO_DEEP: { where: string; path: string; valueDepthMax: number };
  /** `valueBytes` is the encoded size, or as much of it as was looked at. */
  VALUE_TOO_LARGE: { where: string; valueBytes: number; valueBytesMax: number };
  /** Stored or received bytes are no value. */
  VALUE_CORRUPT: { valueBytes: number; reason: string };
  SCHEMA_INVALID: { where: string; issues: readonly SchemaIssueDetails[] };
  /** Values are validated where they cannot be waited for. */
  SCHEMA_ASYNC: { where: string; vendor: string };
  CLASS_NAME_TAKEN: { name: string };
  CLASS_UNKNOWN: { name: string; known: readonly string[] };

  // Stores

  STORE_UNKNOWN: { store: string; known: readonly string[] };
  UPDATE_UNKNOWN: { store: string; update: string; known: readonly string[] };
  /** The update's function threw; `cause` is what it threw. Nothing was changed. */
  UPDATE_THREW: { store: string; update: string };
  /** Other writers changed the key during every attempt of `modify`. */
  MODIFY_CONFLICT: { store: string; attempts: number };

  // Calls with an id

  /** The text is no id: they are UUIDs of version 7. */
  ID_INVALID: { where: string; id: string; reason: string };
  /** The id was used before for another call: another operation, key, argument or input. */
  ID_REUSED: { id: string };
  /** So long ago that its record may be gone: the call may have been carried out, or not. */
  ID_EXPIRED: { id: string; retentionMs: number };

  // Options and topologies

  OPTION_INVALID: { where: string; option: string; value: string; valid: string };
  OPTION_UNKNOWN: { where: string; option: string; known: readonly string[] };
  TOPOLOGY_INVALID: { topology: string; problems: readonly TopologyProblemDetails[] };
  /** The topology module does not export the topology it names. */
  MODULE_INVALID: { module: string; topology: string; reason: string };

  // Directories and files

  /** The directory belongs to another topology, or to another shape of this one. */
  TOPOLOGY_MISMATCH: { directory: string; recorded: string; declared: string };
  TASK_COUNT_MISMATCH: { directory: string; recorded: number; asked: number };
  FORMAT_UNKNOWN: { directory: string; recorded: string; known: readonly string[] };
  DIRECTORY_INVALID: { directory: string; reason: string };
  /** `pid` is the owner's, or `null` when it could not be read. */
  DIRECTORY_LOCKED: { directory: string; pid: number | null };
  LOG_CORRUPT: { file: string; offset: number; reason: string };
  STORE_CORRUPT: { taskId: number; reason: string };
  /** Two tasks of a directory disagree on what one sent the other: a part of it is older. */
  STREAM_DIVERGED: {
    source: number;
    destination: number;
    applied: number;
    acknowledged: number;
    next: number;
  };

  // Running

  FRAME_TOO_LARGE: { frameBytes: number; frameBytesMax: number };
  MAILBOX_FULL: { taskId: number; capacity: number };
  /** New work is refused until the disk has room; what was accepted goes on. Reads are served. */
  DISK_LOW: { directory: string; freeBytes: number; diskLowBytes: number };
  MESSAGE_TOO_LARGE: { where: string; messageBytes: number; messageBytesMax: number };
  /** The thread that hosts these tasks has died: the outcome of what waited on it is unknown. */
  TASK_EXITED: { taskIds: readonly number[]; threadId: number; reason: string };
  CLOSED: { what: string };

  // Agents

  AGENT_UNKNOWN: { agent: string; known: readonly string[] };
  NODE_UNKNOWN: { agent: string; node: string; known: readonly string[] };
  EMIT_UNDECLARED: { agent: string; node: string; target: string; declared: readonly string[] };
  EMIT_AFTER_RESULT: { agent: string; node: string; target: string };
  RESULT_AFTER_EMIT: { agent: string; node: string };
  RESULT_TWICE: { agent: string; node: string };
  /** An input of a gather with a tag that its `multi` does not have. */
  TAG_UNKNOWN: { where: string; tag: string; known: readonly string[] };
  /** The context was used after its node function had returned. */
  NODE_FINISHED: { agent: string; node: string; operation: string };
  INVOCATION_FAILED: {
    agent: string;
    invocationId: string;
    reason: string;
    /** Of all attempts, oldest first: at most 64, of about 64 KiB in all. */
    failures: readonly InvocationFailureDetails[];
    /** Failures that there was no room for: never the first one, nor the one it failed with. */
    failuresLost: number;
  };
  INVOCATION_UNKNOWN: { agent: string; invocationId: string };
  /** It was cancelled before it had a result. */
  INVOCATION_CANCELLED: { agent: string; invocationId: string };
  /** Another attempt of the invocation has begun: this run of the node is void. */
  INVOCATION_RETRIED: { agent: string; node: string; invocationId: string };
  /** No such node invocation, or it is one of another node. */
  NODE_INVOCATION_UNKNOWN: {
    agent: string;
    invocationId: string;
    /** `null` when one of any node would do. */
    node: string | null;
    nodeInvocationId: string;
  };
  /** The agent's graph has changed since the invocation that was to be forked began. */
  FORK_OUTDATED: { agent: string; invocationId: string; version: number; current: number };
  /** It took longer than its `nodeTimeoutMs`: the attempt has failed, its signal is aborted. */
  NODE_TIMEOUT: { agent: string; node: string; timeoutMs: number };
  /** No task held it any more, after a power cut in a weak mode: it was begun again, if it may. */
  NODE_LOST: { agent: string; node: string };
  /**
   * It would wait for a key that one of its own callers holds, who waits for it: `cycle` has the
   * invocations from the one that holds the key to the one that wants it. Of a long one it has the
   * first 16 and the last 16; `leftOut` is how many are between them, mostly none.
   */
  KEY_DEADLOCK: {
    agent: string;
    node: string;
    key: string;
    cycle: readonly string[];
    leftOut: number;
  };
  /** The process or its thread died each time this node invocation ran: it is not run any more. */
  NODE_DEADLY: { agent: string; node: string; deaths: number };
  /** The invocation has never asked this question. */
  QUESTION_UNKNOWN: { invocationId: string; question: string };
  /** It was answered, or whoever asked does not wait for an answer any more. */
  QUESTION_STALE: { invocationId: string; question: string };
  /** No such dead letter: it was replayed, discarded, or never was. */
  DEAD_LETTER_UNKNOWN: { id: string };

  // Objects

  /** No instance of the pool was given back in time. */
  OBJECT_UNAVAILABLE: { object: string; limit: number; acquireTimeoutMs: number };
  /** A builder asks for something that the topology does not declare. */
  OBJECT_UNKNOWN: { object: string; known: readonly string[] };
  /** Builders need each other: each of `path` the next. */
  OBJECT_CYCLE: { path: readonly string[] };

  // Other topologies of the process

  /** It is not launched here, or more than once. */
  NEIGHBOUR_UNAVAILABLE: { topology: string; reason: string; launched: readonly string[] };
  /** Stores of another topology are read, not written. */
  STORE_READ_ONLY: { topology: string; store: string; operation: string };

  // Compute functions

  COMPUTE_UNKNOWN: { compute: string; known: readonly string[] };
  /** The function threw, or its thread died; `cause` is what it threw. */
  COMPUTE_FAILED: { compute: string; reason: string };
  COMPUTE_TIMEOUT: { compute: string; timeoutMs: number };
  COMPUTE_QUEUE_FULL: { compute: string; computeQueueMax: number };
}

/** The string in `error.code`. */
export type PartitaErrorCode = keyof ErrorDetails;

/** `details` of an error with code `C`: read-only, plain data. */
export type DetailsOf<C extends PartitaErrorCode> = Readonly<ErrorDetails[C]>;
