// Stage — where sentences about agents are tried: one topology, launched by an implementation that
// the suite is given, inline or on threads.
//
// Owns: launching, cutting everything off in between, and what one sentence gets to work with.
// Leaves to others: the sentences (beside this file), what nodes do (tests/topologies/agents-*.ts).
//
// Invariants:
//   S1. Sentences that nothing cuts off share a stage. Those that are cut off share another one, in
//       which threads die no more often than a launch allows.
//   S2. Each has notes of its own, in a directory of its own.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, it } from "vitest";
import type { Invocation } from "../../../agents/client/invocation.js";
import type { NodeTrace } from "../../../agents/client/trace.js";
import type { Runtime } from "../../../launch.js";
import type { LaunchOptions } from "../../../runtime/cluster-options.js";
import type { Topology } from "../../../runtime/topology.js";
import type { TopologyParts } from "../../../runtime/topology-parts.js";
import { addNote, type faults, readNotes, turn } from "../../topologies/agents-notes.js";
import { tempDirectory } from "../temp-directory.js";

/** How topologies are launched. */
export interface Implementation {
  readonly threads: 0 | 2;
  launch<const Parts extends TopologyParts>(
    declared: Topology<Parts>,
    options: LaunchOptions,
  ): Promise<Runtime<Parts>>;
}

type Faulty = Runtime<{ readonly stores: { readonly faults: typeof faults } }>;

export const stageTasks = 4;

/** Of a stage that is shared: both threads die each time, and a launch allows ten deaths. */
const crashesMax = 4;

/** A launched topology that can be cut off. */
export class Stage<Parts extends TopologyParts> {
  readonly #implementation: Implementation;
  readonly #declared: Topology<Parts>;
  readonly #directory: string;
  #runtime: Runtime<Parts>;
  #crashes = 0;

  private constructor(
    implementation: Implementation,
    declared: Topology<Parts>,
    directory: string,
    runtime: Runtime<Parts>,
  ) {
    this.#implementation = implementation;
    this.#declared = declared;
    this.#directory = directory;
    this.#runtime = runtime;
  }

  static async open<const Parts extends TopologyParts>(
    implementation: Implementation,
    declared: Topology<Parts>,
    directory: string,
  ): Promise<Stage<Parts>> {
    const runtime = await launched(implementation, declared, directory);
    return new Stage(implementation, declared, directory, runtime);
  }

  get runtime(): Runtime<Parts> {
    return this.#runtime;
  }

  /** Of this launch. */
  get crashes(): number {
    return this.#crashes;
  }

  /** Cuts off all that runs, at once; resolves when everything is served again. */
  async crash(): Promise<void> {
    this.#crashes += 1;
    if (this.#implementation.threads === 0) return await this.reopen();
    // cast: every topology of these has that store.
    const store = (this.#runtime as unknown as Faulty).store("faults");
    const keys = new Map<number, string>();
    for (let n = 0; keys.size < this.#implementation.threads; n += 1) {
      keys.set(await store.update("where", `key-${n}`), `key-${n}`);
    }
    const kills = Array.from(keys.values(), (key) => store.update("exit", key, 7));
    await Promise.allSettled(kills);
    // It counts the threads that come back, not those that were there until then.
    await this.#runtime.stats();
  }

  /** Closes it, whatever runs, and launches it again on its directory. */
  async reopen(declared: Topology<Parts> = this.#declared): Promise<void> {
    await this.#runtime.close();
    this.#crashes = 0;
    this.#runtime = await launched(this.#implementation, declared, this.#directory);
  }

  async close(): Promise<void> {
    await this.#runtime.close();
  }
}

/** A stage for several sentences, one after the other: opened when it is asked for. */
class SharedStage<Parts extends TopologyParts> {
  readonly #open: (directory: string) => Promise<Stage<Parts>>;
  readonly #directories: string[] = [];
  #stage: Stage<Parts> | undefined;

  constructor(implementation: Implementation, declared: Topology<Parts>) {
    this.#open = (directory) => Stage.open(implementation, declared, directory);
  }

  async stage(): Promise<Stage<Parts>> {
    if (this.#stage !== undefined && this.#stage.crashes < crashesMax) return this.#stage;
    await this.#stage?.close();
    const directory = mkdtempSync(join(tmpdir(), "partita-test-"));
    this.#directories.push(directory);
    this.#stage = await this.#open(directory);
    return this.#stage;
  }

  async close(): Promise<void> {
    await this.#stage?.close();
    for (const directory of this.#directories) {
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    }
  }
}

/** What one sentence has. */
export class Scene<Parts extends TopologyParts> {
  readonly #notes: string = tempDirectory();

  readonly stage: Stage<Parts>;
  /** Whether it is cut off at the places that it names. */
  readonly isCut: boolean;

  constructor(stage: Stage<Parts>, isCut: boolean) {
    this.stage = stage;
    this.isCut = isCut;
  }

  get runtime(): Runtime<Parts> {
    return this.stage.runtime;
  }

  /** What invocations are begun with, so that their nodes can note. */
  get given(): { readonly metadata: { readonly notes: string; readonly cut: boolean } } {
    return { metadata: { notes: this.#notes, cut: this.isCut } };
  }

  /** A key that no other sentence has. */
  get key(): string {
    return this.#notes;
  }

  /** What nodes have noted so far. */
  notes(): readonly string[] {
    return readNotes(this.#notes).filter((line) => !line.startsWith("at "));
  }

  /** How often a line was noted. */
  times(line: string): number {
    return this.notes().filter((other) => other === line).length;
  }

  note(line: string): void {
    addNote(this.#notes, line);
  }

  async noted(line: string): Promise<void> {
    await until(() => readNotes(this.#notes).includes(line));
  }

  /**
   * Cuts everything off when nodes have come to these places; when it is not to be cut, nothing.
   */
  async cut(...places: readonly string[]): Promise<void> {
    if (!this.isCut) return;
    for (const place of places) await this.noted(`at ${place}`);
    await this.stage.crash();
  }
}

type Body<Parts extends TopologyParts> = (scene: Scene<Parts>) => Promise<void>;

/** Registers sentences about one topology. */
export interface Sentences<Parts extends TopologyParts> {
  /** A sentence that nothing cuts off. */
  whole(name: string, body: Body<Parts>): void;
  /** One that is only cut off. */
  cut(name: string, body: Body<Parts>): void;
  /** One that holds as it is, and when it is cut off at the places that it names. */
  both(name: string, body: Body<Parts>): void;
}

/** For the `describe` that is open, or the file. */
export function sentences<const Parts extends TopologyParts>(
  implementation: Implementation,
  declared: Topology<Parts>,
): Sentences<Parts> {
  const calm = new SharedStage(implementation, declared);
  const stormy = new SharedStage(implementation, declared);
  afterAll(async () => {
    await calm.close();
    await stormy.close();
  });
  const whole = (name: string, body: Body<Parts>): void => {
    it(name, async () => await body(new Scene(await calm.stage(), false)));
  };
  const cut = (name: string, body: Body<Parts>): void => {
    it(`${name} — cut off`, async () => await body(new Scene(await stormy.stage(), true)));
  };
  const both = (name: string, body: Body<Parts>): void => {
    whole(name, body);
    cut(name, body);
  };
  return { whole, cut, both };
}

/** Looks again and again, while others have their turns. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await turn();
}

/** The node invocations of an invocation, breadth first. */
export async function tracesOf(invocation: Invocation<unknown>): Promise<readonly NodeTrace[]> {
  const traces: NodeTrace[] = [];
  for await (const trace of invocation.trace()) traces.push(trace);
  return traces;
}

/** Resolves with the traces when so many invocations of the node have finished. */
export async function finishedNodes(
  invocation: Invocation<unknown>,
  node: string,
  count = 1,
): Promise<readonly NodeTrace[]> {
  for (;;) {
    const traces = await tracesOf(invocation);
    const finished = traces.filter((one) => one.node === node && one.status === "finished");
    if (finished.length >= count) return traces;
    await turn();
  }
}

async function launched<const Parts extends TopologyParts>(
  implementation: Implementation,
  declared: Topology<Parts>,
  directory: string,
): Promise<Runtime<Parts>> {
  const options = {
    directory,
    tasks: stageTasks,
    threads: implementation.threads,
    onThreadExit: "restart",
    // What hangs is cut off.
    closeTimeoutMs: 1,
    // The watchdog's thread needs a compiled file.
    ...(implementation.threads === 0 ? { handlerTimeoutMs: 0 } : {}),
  } as const;
  return await implementation.launch(declared, options);
}
