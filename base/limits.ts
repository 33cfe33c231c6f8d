// Limits — every bound and default of Partita, with its unit and its reason.
//
// Bytes are bytes of the encoded form, Ms are milliseconds, Max is included. A queue without a
// bound is a bug; a bound that is not here is one nobody can find. Relations between them are
// asserted when this file is loaded, so a change that breaks one fails at once. 1_048_576 bytes are
// a MiB.

import { assert } from "./invariant.js";
import { nameRule } from "./name.js";

export const limits = {
  /** An encoded key, type tag included: LMDB takes 1,978, two bytes of which name the table. */
  keyBytesMax: 1_976,
  /** Tuples within tuples of a key whose type is not declared. */
  keyDepthMax: 32,
  /** An encoded value: larger ones belong in files, and a frame must hold one with its key. */
  valueBytesMax: 8_388_608,
  /** An encoded message, argument, reply or result: crosses threads like a value. */
  messageBytesMax: 8_388_608,
  /** Containers within containers of a value: bounds the recursion of walk, encoder and decoder. */
  valueDepthMax: 128,
  /** A bigint within a value: some 157,000 digits, beyond which arithmetic is no longer quick. */
  bigintBytesMax: 65_536,

  /** Tables 0 to 15 are the runtime's own rows; declared stores start here. */
  tableStoreFirst: 16,
  /** Declared stores of a topology: with the runtime's tables they fit one byte. */
  storesMax: 240,
  /** Tasks of a new directory when nothing is asked: enough for the cores of a small machine. */
  tasksDefault: 4,
  /** Tasks of a directory: an environment, a log and two arenas each. */
  tasksMax: 1_024,
  /** Task threads: far above any machine that one process can use. */
  threadsMax: 256,
  /**
   * Memory of a task thread for what it has just made, before that is found to stay (two thirds of
   * it can be resident): what is made on the way of a message is gone soon, and more of it costs
   * memory for as long as the thread lives. V8's own default is 48; `--max-semi-space-size` rules.
   */
  threadYoungMebibytes: 24,
  /** Smallest `threadHeapBytes`: the library with its default caches, and as much again. */
  threadHeapBytesMin: 134_217_728,
  /** Largest: a TiB, more than any machine gives one thread. */
  threadHeapBytesMax: 1_099_511_627_776,
  /** Characters of a name; `name.ts` has the rule. */
  nameLengthMax: 64,

  /** Messages of one batch: bounds the time until the first of them is acknowledged. */
  batchMessagesMax: 2_048,
  /** Bytes of one batch: of its frame, of the rows it reads, and of its replies, each by itself. */
  batchBytesMax: 4_194_304,
  /** Time one batch may take messages: bounds the wait of other tasks on the thread. */
  batchTimeMs: 5,
  /** Requests of a lane whose keys are looked for side by side: what they touch fits 32 KiB. */
  lookAheadRequests: 32,
  /** Bytes of requests from which on that is worth a second reading of them. */
  lookAheadBytesMin: 1_024,
  /** How long a node asks for an invocation that it has begun and whose home does not know it. */
  childUnknownMs: 2_000,
  /** One of a task's two memtable arenas: larger ones make checkpoints cheaper per row. */
  arenaBytesDefault: 67_108_864,
  /** Smallest arena: tests use it to reach checkpoints quickly. A frame must fit the arena. */
  arenaBytesMin: 1_048_576,
  /** Largest arena: offsets within it are 31-bit numbers. */
  arenaBytesMax: 1_073_741_824,
  /** Bytes of a log that are indexed at a launch before a close keeps their index in a file. */
  indexFileBytesMin: 1_048_576,
  /** Threads that write checkpoints: one writes while another sorts. */
  checkpointThreads: 2,
  /** Bytes written by one LMDB transaction of a checkpoint: bounds what it holds of large rows. */
  checkpointStepBytesMax: 16_777_216,
  /**
   * Rows of one such transaction. Each can be on a page of its own, and LMDB keeps every page that
   * a transaction has changed in memory until it ends, then writes it to another place of the file:
   * some 32 MiB of either.
   */
  checkpointStepRowsMax: 8_192,

  /** Requests of one lane that are on the way. */
  laneMessagesMax: 65_536,
  /** Bytes of a lane's requests that are on the way. */
  laneBytesMax: 67_108_864,
  /** Requests that wait for room in a lane before callers are refused with MAILBOX_FULL. */
  laneWaitingMax: 1_000_000,
  /** Bytes of them: waiting requests live on the launching thread's heap. */
  laneWaitingBytesMax: 268_435_456,
  /** Messages of one stream between tasks that are sent and not acknowledged. */
  streamWindowMessages: 4_096,
  /**
   * Bytes of messages that one task has on the way to all others; beyond them a stream sends one
   * section at a time. As many more are kept to be sent next, the rest is read back from its rows.
   */
  streamWindowBytes: 16_777_216,
  /** Bytes of one section of a stream: the rest goes in the next. */
  streamSectionBytesMax: 1_048_576,
  /** Rows of a stream that are looked at when its task is opened after an orderly stop. */
  outboxSampleRows: 16,
  /** Acknowledged outbox rows deleted with one frame. */
  outboxTrimRowsMax: 2_000,
  /** How long `close` waits for what is under way; the rest goes on at the next launch. */
  closeTimeoutMs: 10_000,
  /** Time that a thread has to close its files after that, before it is ended. */
  closeGraceMs: 5_000,
  /** How long the end of a thread waits for modules that it still loads: its own take 0.1 s. */
  threadLoadMs: 5_000,
  /** Longest pause between two looks whether everything is quiet. */
  drainPollMs: 20,
  /** Rounds of `modify` before it rejects with MODIFY_CONFLICT. */
  modifyAttemptsMax: 1_000,
  /** About the bytes of one page: a page of large values has fewer rows, at least one. */
  pageBytesMax: 1_048_576,
  /** Rows of one page of `entries`: bounds what a slow consumer holds. */
  entriesPageRows: 256,
  /** Decoded rows of stores that a task keeps, of keys that are asked for again. */
  cacheEntriesMax: 65_536,
  /** About the bytes of those rows. */
  cacheBytesMax: 67_108_864,
  /** The same of the runtime's own rows: most are looked at again soon, or after days. */
  ownCacheEntriesMax: 1_024,
  ownCacheBytesMax: 16_777_216,

  /** How long the reply of a call with an id is kept: longer than clients go on retrying. */
  callRetentionMs: 86_400_000,
  /** Replies of calls with an id that a task keeps; the oldest go first: some 20 MB. */
  callRecordsMax: 100_000,
  /** Call records deleted with one frame. */
  callTrimRowsMax: 2_048,
  /** How far ahead of this machine's clock an id may be: clocks differ, ids of the future stay. */
  callAheadMsMax: 3_600_000,
  /** Reads between two writes of a node that are recorded for its next run; others are repeated. */
  operationReadBytesMax: 65_536,
  /** Chunks of one run of a node that are not acknowledged: with so many, the node waits. */
  chunksUnacknowledgedMax: 1_000,
  /** About the bytes of those chunks. */
  chunkBytesUnacknowledgedMax: 16_777_216,
  /** Bytes of chunks in one request: a part of a frame. */
  chunkRequestBytesMax: 1_048_576,
  /** Chunks, or streams, of one answer to who follows them. */
  streamPageRows: 256,
  /** The name of a `ctx.run`: it is part of a key. */
  runNameBytesMax: 256,

  /** Node functions that run at a time on one task. */
  runningNodesMax: 1_000,
  /** What all node invocations of an invocation carry along: it is in each of their rows. */
  carriedBytesMax: 16_384,
  /** What is kept of a node invocation for traces, messages aside: a record is read as a whole. */
  nodeTraceBytesMax: 65_536,
  /** One nested operation of those: beyond, only what it was about is kept. */
  operationTraceBytesMax: 8_192,
  /** States of open scopes that a task keeps in memory; others are made again from their inputs. */
  foldedScopesMax: 16_384,
  /** About the bytes of the inputs in them. */
  foldedBytesMax: 67_108_864,
  /** Emits of one node invocation: they become rows of one frame. */
  emitsMax: 10_000,
  /** Times that a node invocation which threw is run again, when the agent does not say. */
  maxRetriesDefault: 2,
  /** Largest `maxRetries` of an agent: beyond that a failure is not of the passing kind. */
  maxRetriesMax: 100,
  /** Longest pause before a retry: `retryBackoffMs` doubles up to it. An hour. */
  retryBackoffMsMax: 3_600_000,
  /** Longest `nodeTimeoutMs`, and longest `stallThresholdMs`: a day. */
  nodeTimeoutMsMax: 86_400_000,
  /** Time without progress after which an invocation may have lost a node invocation. */
  stallThresholdMs: 10_000,
  /** Time between two looks of a task for invocations that have not come further. */
  stallLookMs: 10_000,
  /** Longest time until the next look at an invocation that was found to wait or to run. */
  stallPauseMsMax: 600_000,
  /** Invocations that one look is about. */
  stallLooksMax: 256,
  /** Node invocations of a tree that a look goes over. */
  stallNodesMax: 2_048,
  /** Node invocations of an invocation that a look asks for. */
  stallProbesMax: 64,
  /** Those that a look has not come to and leaves to the next: more than one node emits. */
  stallLeftMax: 16_384,
  stallThresholdMsMax: 86_400_000,
  /** Largest `version` of an agent: far more than anybody counts. */
  agentVersionMax: 1_000_000_000,
  /** Starts that died while a node invocation ran in them; then it is not run any more. */
  suspectDeathsMax: 3,
  /** How long a suspect runs alone: after that the next one begins beside it. */
  suspectTimeMs: 10_000,
  /** Dead letters that a task keeps; of those beyond, only the number. */
  deadLettersMax: 10_000,
  /** Longest pause of a node: a hundred years, in numbers that are exact. */
  sleepMsMax: 3_155_760_000_000,
  /** Open questions of one page of a list: bounds what a slow consumer holds. */
  questionsPageRows: 64,
  /**
   * Nodes of a task that wait for humans, pauses or other agents with their functions in memory:
   * the rest sleeps, and is run again, with replay, when what it waits for is there.
   */
  awakeWaitingMax: 1_000,
  /**
   * How long a node that holds a key waits for the next event of a stream before work behind that
   * key which the stream depends on counts as stuck: events may be on their way.
   */
  followPatienceMs: 1_000,
  /**
   * The longest pause between two looks at whether work that waits for a key of its own caller does
   * so for ever: a caller in between may begin to wait for it at any time.
   */
  keyLookMsMax: 1_000,
  /** Invocations that a cancelled node has begun and that are asked to stop at a time. */
  childrenStopMax: 256,
  /** Dead letters of one page of a list: bounds what a slow consumer holds. */
  deadLettersPageRows: 64,
  /** Finished invocations whose records a task keeps. */
  invocationsRetainedMax: 5_000,
  /** Largest `maxInvocationsPerTask` of an agent. */
  invocationsPerTaskMax: 1_000_000,
  /** Largest pool of an object, on each thread. */
  objectLimitMax: 10_000,
  /** How long a node waits for an object of a pool when the object does not say. */
  acquireTimeoutMs: 30_000,
  /** Time that a thread gives its objects to close, all together: well within `closeGraceMs`. */
  objectCloseMs: 2_000,
  /** Longest `acquireTimeoutMs` of an object: a day. */
  acquireTimeoutMsMax: 86_400_000,
  /** How long a node waits for another topology of the process to be launched. */
  neighbourWaitMs: 10_000,
  /** How often a node asks another topology whose task threads are on their way back. */
  neighbourTriesMax: 100,
  /** The pause before each of these. */
  neighbourPauseMs: 100,
  /** The longest pause before a wait for an invocation of another topology asks again. */
  neighbourPauseMsMax: 2_000,
  /** Questions of one such invocation that are passed on at a time: their ids are in one row. */
  neighbourQuestionsMax: 256,
  /** Calls that wait for a thread of the compute pool. */
  computeQueueMax: 10_000,
  /** How long a compute function may run before its thread is ended. */
  computeTimeoutMs: 60_000,
  /** Time between syncs in durability mode `interval`: what a power cut may take. */
  syncIntervalMs: 100,
  /**
   * Free space below which new work is refused: four times the reserve, so that what was accepted
   * can end.
   */
  diskLowBytes: 268_435_456,
  /**
   * Free space below which no node is started: the segment of a default arena, or the pages of its
   * checkpoint, are still to fit, because checkpoints give the space of the log back.
   */
  diskReserveBytes: 67_108_864,
  /** Largest mark: a number that is exact. */
  diskBytesMax: Number.MAX_SAFE_INTEGER,
  /** Time between two looks at the free space: what a fast device writes meanwhile fits a mark. */
  diskLookMs: 100,
  /** What tasks write at most until one of them looks by itself. */
  diskLookBytes: 67_108_864,
  /** Least of it, where marks are small or tasks many: a look costs a system call. */
  diskLookBytesMin: 65_536,
  /** How long an update or a node function may hold its thread before the process is stopped. */
  handlerTimeoutMs: 30_000,
  /** Shortest such limit: a busy machine lets a thread wait for its turn for some time, too. */
  handlerTimeoutMsMin: 100,
  /** Longest pause between two beats of a thread that hosts tasks: a tenth of the limit at most. */
  beatMsMax: 250,
  /** Times a dead task thread is started again before the runtime stops. */
  threadRestartsMax: 10,

  /** Errors of a cause chain that are kept, the first included. */
  errorCauseDepthMax: 8,
  /** One text of an error (message, stack, a detail) on its way to another thread or to disk. */
  errorTextBytesMax: 16_384,
  /** Entries of one list in an error's details (issues, names, failures). */
  errorListMax: 1_024,
  /** Issues of one refusal by a schema that are kept. */
  schemaIssuesMax: 100,
} as const;

assert(limits.keyBytesMax + 2 <= 1_978, "an LMDB key holds the table and the encoded key");
assert(limits.tableStoreFirst + limits.storesMax <= 256, "a table number fits one byte");
assert(limits.threadsMax <= limits.tasksMax, "a thread hosts at least one task");
assert(limits.tasksMax <= 0x7fff, "task numbers leave half of 16 bits to threads");
assert(limits.stallLeftMax > limits.emitsMax, "a look leaves all that one node has emitted");
assert(limits.messageBytesMax <= limits.valueBytesMax, "a message is encoded as a value");
assert(limits.bigintBytesMax < limits.valueBytesMax, "a bigint fits a value");
assert(limits.valueBytesMax + limits.keyBytesMax <= limits.laneBytesMax, "a request fits its lane");
assert(limits.laneBytesMax <= limits.laneWaitingBytesMax, "what fits a lane may wait for it");
assert(limits.objectCloseMs < limits.closeGraceMs, "objects are closed before a thread is ended");
assert(limits.diskReserveBytes <= limits.diskLowBytes, "work is refused before it is held up");
assert(limits.batchBytesMax <= limits.checkpointStepBytesMax, "a batch fits a checkpoint step");
assert(
  limits.arenaBytesMin / 4 > limits.operationReadBytesMax,
  "a batch, a value and its call record fit an arena",
);
assert(limits.chunkRequestBytesMax <= limits.batchBytesMax, "chunks fit a batch");
assert(limits.arenaBytesMin <= limits.arenaBytesDefault, "the default arena is large enough");
assert(limits.valueBytesMax < limits.arenaBytesDefault, "the largest value fits a default arena");
assert(
  limits.batchMessagesMax <= limits.callTrimRowsMax,
  "call records shrink faster than they grow",
);
assert(limits.batchMessagesMax <= limits.laneMessagesMax, "a batch is not larger than a lane");
assert(nameRule.includes(String(limits.nameLengthMax - 1)), "the rule for names says its limit");
