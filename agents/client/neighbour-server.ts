// Neighbour server — what a launched topology does for the nodes of others in its process.
//
// Owns: turning requests into calls of its own clients. Leaves to others: bytes
// (wire/neighbour-request.ts), who may ask (every node whose agent refers to it), beginning an
// invocation once (the call's id).

import { PartitaError } from "../../base/errors.js";
import type { ProgramClientPort, ProgramEntry, TaskPort } from "../../runtime/task-program.js";
import { storesOf, type Topology } from "../../runtime/topology.js";
import { decodeMetadata, type MetadataChanges } from "../declare/metadata.js";
import { definitionOf } from "../declare/definition.js";
import { decodeCarried } from "../wire/carried.js";
import { encodeWaitsForReply } from "../wire/chain-message.js";
import { parseInvocationId } from "../wire/invocation-id.js";
import {
  decodeNeighbourRequest,
  type FoundEntries,
  type FoundValues,
  type NeighbourBounds,
  type NeighbourQuestion,
} from "../wire/neighbour-request.js";
import { decodeMessage, encodeMessage, noBytes } from "../wire/wire-field.js";
import type { CalledAgentClient } from "./client.js";
import type { Invocation } from "./invocation.js";
import { answerFromAfar } from "./neighbour-streams.js";
import { answerTrace } from "./neighbour-traces.js";
import { unknownInvocation, watchInvocation } from "./neighbour-watch.js";
import type { OutcomeWaiters } from "./outcome-waiters.js";

type StoreReads = Pick<ReturnType<TaskPort["store"]>, "get" | "entries">;

/** The clients of a launched topology. */
export interface NeighbourServerParts {
  readonly declared: Topology;
  readonly agents: ReadonlyMap<string, CalledAgentClient>;
  readonly entries: ReadonlyMap<string, ProgramEntry>;
  readonly port: ProgramClientPort;
  readonly waiters: OutcomeWaiters;
  /** @throws PartitaError STORE_UNKNOWN */
  store(name: string): StoreReads;
}

/** What others of the process can ask of a topology. */
export function neighbourServer(
  parts: NeighbourServerParts,
): (request: Uint8Array, signal: AbortSignal | undefined) => Promise<Uint8Array> {
  return async (bytes, signal) => {
    const answer = await answerTo(parts, bytes, signal);
    return encodeMessage(answer, "the answer of another topology");
  };
}

async function answerTo(
  parts: NeighbourServerParts,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const request = decodeNeighbourRequest(bytes);
  switch (request.op) {
    case "initiate": {
      const { agent, call: id, input } = request;
      const options = { id, metadata: decodeMetadata(request.metadata) };
      const chain = decodeCarried(request.callers);
      const client = clientOf(parts, agent);
      return (await client.initiateCalled(decodeMessage(input), options, chain)).id;
    }
    case "waitsFor": {
      const { task, message } = request;
      // Launched again in another way since.
      if (task >= parts.port.taskCount) return encodeWaitsForReply(nobodyWaits);
      return await parts.port.request(task, message);
    }
    case "ask": {
      const invocation = clientOf(parts, request.agent).get(request.invocationId);
      return await ask(invocation, request.question, signal);
    }
    case "watch": {
      const { agent, invocationId, known } = request;
      if (!parts.entries.has(agent)) return unknownInvocation;
      return await watchInvocation(
        { agent, ...parts },
        parseInvocationId(agent, invocationId),
        known,
        signal,
      );
    }
    case "follow": {
      const { agent, message } = request;
      const entry = parts.entries.get(agent);
      if (entry === undefined) throw unknownAgent(parts, agent);
      const { nodes } = definitionOf(entry);
      const stop = signal ?? new AbortController().signal;
      return await answerFromAfar({ agent, ...parts }, nodes, message, stop);
    }
    case "trace": {
      const { agent, message } = request;
      const entry = parts.entries.get(agent);
      if (entry === undefined) throw unknownAgent(parts, agent);
      return await answerTrace(parts.port, definitionOf(entry), message);
    }
    case "metadata": {
      const { agent, invocationId, changes } = request;
      // cast: `setMetadata` checks what it is given
      const given = changes as MetadataChanges;
      return await clientOf(parts, agent).get(invocationId).setMetadata(given);
    }
    case "answer": {
      const { agent, invocationId, question, value } = request;
      const options = signal === undefined ? {} : { signal };
      const invocation = clientOf(parts, agent).get(invocationId);
      return await invocation.answer(question, decodeMessage(value), options);
    }
    case "get":
      return await valuesOf(parts, request.store, request.keys);
    case "entries":
      return await entriesOf(parts.store(request.store), request.bounds);
  }
}

const nobodyWaits = { waits: false, carried: noBytes };

function clientOf(parts: NeighbourServerParts, agent: string): CalledAgentClient {
  const client = parts.agents.get(agent);
  if (client !== undefined) return client;
  throw unknownAgent(parts, agent);
}

function unknownAgent({ agents }: NeighbourServerParts, agent: string): PartitaError {
  return new PartitaError("AGENT_UNKNOWN", { agent, known: [...agents.keys()] });
}

async function ask(
  invocation: Invocation<unknown>,
  question: NeighbourQuestion,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const options = signal === undefined ? {} : { signal };
  switch (question) {
    case "isComplete":
      return await invocation.isComplete(options);
    case "cancel":
      return await invocation.cancel(options);
    case "nextStep":
      return await invocation.nextStep(options);
    case "humanInputs":
      return await invocation.humanInputs(options);
    case "parent":
      return await invocation.parent(options);
    case "forks":
      return await invocation.forks(options);
  }
}

async function valuesOf(
  parts: NeighbourServerParts,
  store: string,
  keys: readonly Uint8Array[],
): Promise<FoundValues> {
  const client = parts.store(store);
  const codec = storesOf(parts.declared).get(store)?.key;
  return await Promise.all(
    keys.map(async (bytes) => {
      const key = codec?.decode(bytes);
      const value = await client.get(key);
      return value === undefined ? ([] as const) : ([value] as const);
    }),
  );
}

async function entriesOf(store: StoreReads, bounds: NeighbourBounds): Promise<FoundEntries> {
  const found: (readonly [unknown, unknown])[] = [];
  // cast: the keys of the bounds are those of the store
  const options = bounds as Parameters<StoreReads["entries"]>[0];
  for await (const entry of store.entries(options)) found.push(entry);
  return found;
}
