// Graph versions — how often the graph of each agent has changed, as this task has seen it.
//
//   [length u8][agent][version u32, big-endian] → [first seen, u64 ms][the graph: JSON]
//
// A graph is the nodes of an agent, their kinds, targets and keys, its entry, and the `version` of
// its declaration. What its functions do is not in it: nobody can tell whether they differ.
// Owns: these rows, and which version is the one of this launch. Leaves to others: what follows
// from a change (updates.ts).
//
// Invariants:
//   H1. Versions of an agent are 1, 2, 3…: a launch with a graph other than the newest begins one.
//   H2. It is recorded before anything that belongs to it: with the first record of the agent, or
//       in the first frame of the launch when there was one before.

import { ByteReader } from "../../base/byte-reader.js";
import { ByteWriter } from "../../base/byte-writer.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { hashKey } from "../../store/key-hash.js";
import type { AgentDefinition } from "../declare/definition.js";
import { writeName, written } from "../wire/wire-field.js";

/** Table of these rows. Part of the on-disk format. */
export const graphTable = 14;

/** A larger graph is kept as a digest: rows are small beside values. */
const graphBytesMax = 64 * 1024;

interface Version {
  readonly no: number;
  readonly graph: string;
  isRecorded: boolean;
}

export class GraphVersions {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #versions = new Map<string, Version>();

  constructor(port: TaskPort, agents: ReadonlyMap<string, AgentDefinition>) {
    this.#port = port;
    this.#agents = agents;
  }

  /** Whether a graph has changed since the last launch: then `record` is due at once (H2). */
  start(): boolean {
    let hasChanged = false;
    for (const [agent, definition] of this.#agents) {
      const graph = graphOf(definition);
      const range = { from: versionKey(agent, 0), to: versionKey(agent, 2 ** 32 - 1) };
      const [newest] = this.#port.page(graphTable, { ...range, reverse: true }, 1);
      const known = newest === undefined ? undefined : readVersion(newest.key, newest.value);
      if (known?.graph === graph) this.#versions.set(agent, known);
      else this.#versions.set(agent, { no: (known?.no ?? 0) + 1, graph, isRecorded: false });
      if (known !== undefined && known.graph !== graph) hasChanged = true;
    }
    return hasChanged;
  }

  /** The version of this launch; `undefined` when the topology has no such agent. */
  current(agent: string): number | undefined {
    return this.#versions.get(agent)?.no;
  }

  /** Makes sure that the version of an agent is recorded, with the frame in hand. */
  record(turn: Turn, agent: string): void {
    const version = this.#versions.get(agent);
    if (version === undefined || version.isRecorded) return;
    turn.put(graphTable, versionKey(agent, version.no), versionBytes(version, this.#port.now()));
    turn.afterCommit(() => {
      version.isRecorded = true;
    });
  }

  recordAll(turn: Turn): void {
    for (const agent of this.#versions.keys()) this.record(turn, agent);
  }
}

/** The same text for the same graph, whatever the order of its parts. */
function graphOf({ nodes, entry, version }: AgentDefinition): string {
  const parts = [...nodes.values()].map(({ name, kind, targets, key, gather }) => {
    return { name, kind, targets: [...targets].sort(), keyed: key !== undefined, gather };
  });
  parts.sort((a, b) => (a.name < b.name ? -1 : 1));
  const text = JSON.stringify({ nodes: parts, entry: entry.name, version });
  return text.length <= graphBytesMax ? text : digestOf(text);
}

/** A hundred and twenty-eight bits in place of a text that is too long for a row. */
function digestOf(text: string): string {
  const hashes = [0, 1, 2, 3].map((n) => hashKey(Buffer.from(`${n} ${text}`, "utf8")));
  return JSON.stringify({ hashes });
}

function versionKey(agent: string, no: number): Uint8Array {
  const key = new Uint8Array(1 + agent.length + 4);
  key.set(written((writer) => writeName(writer, agent)));
  new DataView(key.buffer).setUint32(1 + agent.length, no);
  return key;
}

function versionBytes({ graph }: Version, nowMs: number): Uint8Array {
  const writer = new ByteWriter(16 + graph.length);
  writer.uint64(nowMs);
  writer.bytes(Buffer.from(graph, "utf8"));
  return writer.finish();
}

function readVersion(key: Uint8Array, value: Uint8Array): Version {
  const no = new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(key.length - 4);
  const reader = new ByteReader(value);
  reader.uint64();
  return { no, graph: Buffer.from(reader.rest()).toString("utf8"), isRecorded: true };
}
