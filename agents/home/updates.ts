// Updates — what becomes of invocations under way whose agent has got another graph.
//
// An attempt belongs to the version of the graph in which it began. When the next one is due, or
// when the topology is launched, one change since then is what `updateMode` is about; more than
// one is too many to go on with.
// Owns: that judgement, and which invocations a launch has to judge. Leaves to others: versions
// (graph-versions.ts), what a verdict leads to (attempts.ts).

import type { TaskPort, Turn } from "../../runtime/task-program.js";
import type { AgentDefinition } from "../declare/definition.js";
import type { UpdateMode } from "../declare/shape.js";
import { encodeAttempt } from "../wire/attempt-message.js";
import type { InvocationId } from "../wire/invocation-id.js";
import type { GraphVersions } from "./graph-versions.js";
import type { InvocationRecord } from "./invocation-record.js";

/** Invocations judged with one frame: each of them is a message to every task. */
const judgedMax = 16;

export class Updates {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly versions: GraphVersions;
  /** Found at the launch; the next is the last. */
  readonly #due: InvocationId[] = [];

  constructor(
    port: TaskPort,
    agents: ReadonlyMap<string, AgentDefinition>,
    versions: GraphVersions,
  ) {
    this.#port = port;
    this.#agents = agents;
    this.versions = versions;
  }

  /** `show` shows it every record there is. */
  start(show: (found: (id: InvocationId, record: InvocationRecord) => void) => void): void {
    const hasChanged = this.versions.start();
    show((id, record) => this.#found(id, record));
    // A death may have cut off an earlier life of this launch: what it had not judged is due again.
    if (hasChanged || this.#due.length > 0) this.#port.submit(encodeAttempt({ kind: "update" }));
  }

  /** Records versions that are new, and returns invocations that are to be judged. */
  next(turn: Turn): readonly InvocationId[] {
    this.versions.recordAll(turn);
    const due = this.#due.splice(-judgedMax);
    if (this.#due.length === 0) return due;
    turn.afterCommit(() => this.#port.submit(encodeAttempt({ kind: "update" })));
    return due;
  }

  /** What the next attempt of an invocation is to be. */
  verdict({ agent, version }: InvocationRecord): UpdateMode {
    const changes = this.changes(agent, version);
    if (changes === 0) return "continue";
    return changes === 1 ? (this.#agents.get(agent)?.updateMode ?? "continue") : "drop";
  }

  /** How often the graph of an agent has changed since a version. */
  changes(agent: string, version: number): number {
    return (this.versions.current(agent) ?? version) - version;
  }

  #found(id: InvocationId, record: InvocationRecord): void {
    if (record.state.kind !== "pending" || record.stop !== undefined) return;
    if (this.verdict(record) !== "continue") this.#due.push(id);
  }
}
