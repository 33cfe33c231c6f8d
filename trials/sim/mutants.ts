// Mutants — rules of the protocol, each broken by a replacement in the compiled code. The trial
// has to notice every one of them.

import type { Mutant } from "../mutant.js";
import { tales } from "./tale-mutants.js";
import { waitingMutants } from "./waiting-mutants.js";

/** What is broken, and the rule in words. */
export interface BrokenRule extends Mutant {
  readonly rule: string;
}

const append = "this.storage.append(batch.records);";

/** The output gate: nothing leaves before the frame is durable. */
const gate: readonly BrokenRule[] = [
  {
    name: "reply-before-sync",
    rule: "a reply leaves when its frame is durable",
    file: "runtime/task-driver.js",
    find: append,
    replace: `${append}
            for (const [thread, body] of batch.replies)
                this.#outlet.post(thread, section.replies, this.task.taskId, thread, body.finish());
            batch.replies.clear();`,
  },
  {
    name: "publish-before-sync",
    rule: "a frame is visible when it is durable",
    file: "runtime/task-driver.js",
    find: `this.storage.sync();
                this.storage.publish();`,
    replace: `this.storage.publish();
                this.storage.sync();`,
  },
  {
    name: "send-before-sync",
    rule: "a message leaves when its row is durable",
    file: "runtime/task-driver.js",
    find: append,
    replace: `${append}
            this.task.outbox.committed();
            this.#pump();`,
  },
  {
    name: "ack-before-commit",
    rule: "a source is told what is committed, not what is applied",
    file: "runtime/task-driver.js",
    find: append,
    replace: `${append}
            for (const source of batch.acks.keys()) {
                const { applied, durable } = this.task.ackOf(source, false);
                if (batch.records.some(({ table, key }) => table === 1 && key.at(-1) === source))
                    this.#outlet.acknowledge(this.task.taskId, source,
                        { applied: applied + 1, durable: durable + 1, resend: false });
            }`,
  },
  {
    name: "sync-does-nothing",
    rule: "a frame is on the device when sync returns",
    file: "store/memory-storage.js",
    find: '=== "durable")\n            this.#makeDurable();',
    replace: '=== "never")\n            this.#makeDurable();',
  },
];

/** Marks and streams: each message once, in order. */
const streams: readonly BrokenRule[] = [
  {
    name: "mark-not-written",
    rule: "the mark is in the frame of the effects",
    file: "runtime/task.js",
    find: "const others = this.#marks.writes(nextVersion);",
    replace: "const others = [];",
  },
  {
    name: "mark-one-frame-late",
    rule: "the mark counts the messages of its own frame",
    file: "runtime/marks.js",
    find: "encodeMark(this.applied(source))",
    replace: "encodeMark(this.committed(source))",
  },
  {
    name: "duplicates-applied",
    rule: "a message that comes again is not applied again",
    file: "runtime/marks.js",
    find: '"duplicate" : "gap"',
    replace: '"next" : "gap"',
  },
  {
    name: "gaps-applied",
    rule: "a message is applied when its number is the mark's successor",
    file: "runtime/marks.js",
    find: '"duplicate" : "gap"',
    replace: '"duplicate" : "next"',
  },
  {
    name: "no-resend",
    rule: "what was sent and not applied is sent again",
    file: "runtime/outbox.js",
    find: "stream.sent = applied;",
    replace: "",
  },
  {
    name: "lost-sections-on-the-way",
    rule: "what a dead destination did not get is not on the way any more",
    file: "runtime/outbox.js",
    find: "again ? Number.POSITIVE_INFINITY : applied",
    replace: "applied",
  },
  {
    name: "no-greeting-after-recovery",
    rule: "a recovered stream asks what its destination knows",
    file: "runtime/outbox.js",
    find: "this.#open(numbers).greeting = true;",
    replace: "this.#open(numbers).greeting = false;",
  },
  {
    name: "no-greeting-of-the-restarted",
    rule: "streams to a task that was started again ask what it knows",
    file: "runtime/host.js",
    find: "driver.greetAgain(task);",
    replace: "void driver;",
  },
  {
    name: "trim-before-ack",
    rule: "a row is deleted when its destination has made it durable",
    file: "runtime/outbox.js",
    find: "Math.min(stream.durable, stream.trimmed + budget)",
    replace: "Math.min(stream.sent, stream.trimmed + budget)",
  },
  {
    name: "row-not-written",
    rule: "a message's row is in the frame that caused it",
    file: "runtime/outbox.js",
    find:
      "records.push(streamRecord(systemTable.outbox, this.#key(stream, sequence), bytes, " +
      "true, nextVersion()));",
    replace: "void [stream, sequence, bytes];",
  },
  {
    name: "numbers-not-written",
    rule: "the next number of a stream is in the frame of its message",
    file: "runtime/outbox.js",
    find: `if (!stream.touched)
                continue;
            records.push(`,
    replace: `if (!stream.touched || stream.next % 2 === 0)
                continue;
            records.push(`,
  },
];

/** Weak modes over a power cut: what one task has lost, others know. */
const losses: readonly BrokenRule[] = [
  {
    name: "no-handshake",
    rule: "a stream goes on behind what its destination has applied",
    file: "runtime/handshake.js",
    find: "if (acknowledged <= mark && mark < next)",
    replace: "if (acknowledged <= mark)",
  },
  {
    name: "forgotten-before-it-is-durable",
    rule: "a source may forget what is on the device of the destination",
    file: "runtime/marks.js",
    find: "this.#storage.batchDurable < this.#batch",
    replace: "this.#batch < 0",
  },
  {
    name: "first-operations-believed",
    rule: "a task that may have forgotten a run looks for records of its operations",
    file: "runtime/call-records.js",
    find: "stamp.kind === stampKind.first && !this.#mayBeForgotten",
    replace: "stamp.kind === stampKind.first",
  },
];

/** Tasks: versions, undo, recovery, own writes, ids. */
const tasks: readonly BrokenRule[] = [
  {
    name: "replay-drops-the-last-frame",
    rule: "everything durable comes back",
    file: "store/memory-storage.js",
    find: "this.#log.slice(0, this.#durableFrames + keepFrames)",
    replace: "this.#log.slice(0, Math.max(0, this.#durableFrames + keepFrames - 1))",
  },
  {
    name: "versions-used-again",
    rule: "versions go on above all that were used before",
    file: "runtime/overlay.js",
    find: "this.#version = storage.versionLast;",
    replace: "this.#version = storage.batchLast;",
  },
  {
    name: "own-writes-not-seen",
    rule: "a read waits for the client's own write that is on the way",
    file: "runtime/store-client.js",
    find: `if (lane.pendingWrites(keyHash) === 0) {
            const stored = this.#router.reader(task).get(this.#store.table, key, keyHash);`,
    replace: `if (lane.pendingWrites(keyHash) >= 0) {
            const stored = this.#router.reader(task).get(this.#store.table, key, keyHash);`,
  },
  {
    name: "ids-not-known-again",
    rule: "a call that comes again with its id is not carried out again",
    file: "runtime/requests.js",
    find: "if (known !== undefined) {",
    replace: "if (known === parts) {",
  },
  {
    name: "no-undo",
    rule: "a call that is refused has changed nothing",
    file: "runtime/overlay.js",
    find: "for (const entry of this.#undo.reverse()) {",
    replace: "for (const entry of []) {",
  },
  {
    name: "replies-to-the-dead",
    rule: "a thread started again gets no replies to the requests of the dead one",
    file: "runtime/host.js",
    find: "origin.thread = nobody;",
    replace: "",
  },
];

/** Agents: order per key, and completions as a whole. */
const agents: readonly BrokenRule[] = [
  {
    name: "gate-always-open",
    rule: "one invocation of a node runs at a time for each key",
    file: "agents/node/gates.js",
    find: "if (gate === undefined) {",
    replace: "if (gate !== null) {",
  },
  {
    name: "gate-opens-early",
    rule: "a key is released when the completion is committed",
    file: "agents/node/completion.js",
    find: "turn.afterCommit(() => this.#runner.completed(arrivalNo));",
    replace: "this.#runner.completed(arrivalNo);",
  },
  {
    name: "completion-in-two-frames",
    rule: "a completion's emits are in the frame that ends it",
    file: "agents/node/completion.js",
    find: "turn.send(task, encodeRun(run));",
    replace: `if (task === this.#port.taskId)
                turn.afterCommit(() => this.#port.submit(encodeRun(run)));
            else
                turn.send(task, encodeRun(run));`,
  },
  {
    name: "queue-row-not-written",
    rule: "a message that waits for its node is a row",
    file: "agents/execution.js",
    find: "this.#queue.start((arrivalNo, run) => this.#runner.enqueue(arrivalNo, run));",
    replace: "this.#queue.start(() => { });",
  },
  {
    name: "effects-of-a-failed-node",
    rule: "what a node has emitted before it failed is nowhere",
    file: "agents/node/node-function.js",
    find: 'if ("error" in outcome)',
    replace: 'if ("error" in outcome && active === undefined)',
  },
];

/** Scopes: their accounts, their inputs, and when a gather runs. */
const scopes: readonly BrokenRule[] = [
  {
    name: "scope-settles-early",
    rule: "a scope waits for what its node invocations have started",
    file: "agents/home/scopes.js",
    find: "outstanding: started,",
    replace: "outstanding: started.high % 2 === 0 ? started : { high: 0, low: 0 },",
  },
  {
    name: "gather-behind-the-frame",
    rule: "a gather starts in the frame that settles its scope",
    file: "agents/home/scopes.js",
    find: "turn.send(this.#port.taskId, bytes);",
    replace: "turn.afterCommit(() => this.#port.submit(bytes));",
  },
  {
    name: "state-not-made-again",
    rule: "a state that memory has lost is made again from the recorded inputs",
    file: "agents/home/folding.js",
    find: "attempt, producers: 0, bytes: 0 };",
    replace: "attempt, producers: Math.max(0, producers - 1), bytes: 0 };",
  },
  {
    name: "ended-scope-collects",
    rule: "a scope that was ended early takes no more inputs",
    file: "agents/home/scopes.js",
    find: 'if (phase !== "collecting")',
    replace: 'if (phase === "broken")',
  },
  {
    name: "gather-not-accounted",
    rule: "a scope waits for the gathers of the scopes within",
    file: "agents/home/scopes.js",
    find: "return xorOf(gatherNodeId(scope), scopeToken(scope));",
    replace: "return scopeToken(scope);",
  },
  {
    name: "scope-of-the-scatter",
    rule: "what a scatter emits is in the scope that it opens",
    file: "agents/node/completion.js",
    find: "scope: inner, key",
    replace: "scope, key",
  },
];

/** Attempts: what counts, what is run again, and what is to stop. */
const attempts: readonly BrokenRule[] = [
  {
    name: "drop-forgotten",
    rule: "what nobody waits for goes, whatever it comes to and whatever dies",
    file: "agents/node/failed-nodes.js",
    find: "dropped: true",
    replace: "dropped: false",
  },
  {
    name: "failed-in-vain",
    rule: "a row that has failed, or asks, and does not count any more is told so",
    file: "agents/home/attempts.js",
    find: 'turn.send(task, encodeAttempt({ kind: "drop", arrivalNo, nodeInvocationId }));',
    replace: "void nodeInvocationId;",
  },
  {
    name: "orphans-complete",
    rule: "what a run of an attempt that is over comes to does not count",
    file: "agents/execution.js",
    find: `if (attempt < attemptOf(run, fence))
            return;`,
    replace: "void attemptOf;",
  },
  {
    name: "old-failures-count",
    rule: "a failure of an attempt that is not the current one changes nothing",
    file: "agents/home/attempts.js",
    find: "attempt >= before.attempt && before.stop === undefined",
    replace: "before.stop === undefined",
  },
  {
    name: "retries-without-end",
    rule: "an invocation is tried again so often, and not more",
    file: "agents/home/attempts.js",
    find: "retries: record.retries + 1, isFenced: true",
    replace: "retries: record.retries, isFenced: true",
  },
  {
    name: "fence-not-written",
    rule: "a fence is kept by every task",
    file: "agents/node/fences.js",
    find: "turn.put(fenceTable, invocationId, encodeFence(fence));",
    replace: "",
  },
  {
    name: "cancelled-too-early",
    rule: "a cancel is told when nothing runs any more",
    file: "agents/home/attempts.js",
    find: `this.#records.write(turn, invocationId, before, after);
        return encodeStanding("stopping");`,
    replace: `this.#records.write(turn, invocationId, before, after);
        return encodeStanding("stopped");`,
  },
];

export const simMutants: readonly BrokenRule[] = [
  ...gate,
  ...streams,
  ...losses,
  ...tasks,
  ...agents,
  ...attempts,
  ...tales,
  ...scopes,
  ...waitingMutants,
];
