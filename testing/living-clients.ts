// Living clients — clients that go on over the deaths of a simulated process: each call goes to the
// life that serves then, or waits for the next.

import type { AgentClient } from "../agents/client/client.js";
import type { DeadLetterClient } from "../agents/client/dead-letter-client.js";
import type { Invocation } from "../agents/client/invocation.js";
import type { ChunkStream } from "../agents/client/stream.js";
import type { ErasedUpdates } from "../store/declaration.js";
import type { EntriesOptions, KeyValueStore } from "../store/key-value-store.js";
import { livingStream } from "./living-streams.js";
import type { Serving, Simulation } from "./simulation.js";

type AnyStore = KeyValueStore<unknown, unknown, ErasedUpdates>;
type AnyAgent = AgentClient<unknown, unknown>;

const storeMethods = [
  "get",
  "contains",
  "getMany",
  "put",
  "putMany",
  "delete",
  "clear",
  "update",
  "modify",
] as const satisfies readonly (keyof AnyStore)[];

/** Those that return a promise of a plain value; others are written out in `living`. */
const invocationMethods = [
  "result",
  "isComplete",
  "nextStep",
  "humanInputs",
  "answer",
  "cancel",
  "metadata",
  "setMetadata",
  "fork",
  "parent",
  "forks",
] as const satisfies readonly (keyof Invocation<unknown>)[];

const onceMethods = ["put", "delete", "update"] as const satisfies readonly (keyof AnyStore)[];

/** A store's client. */
export function livingStore(simulation: Simulation, name: string): AnyStore {
  const client = following(simulation, ({ cluster }) => cluster.local.store(name));
  return {
    ...calls(storeMethods, (call: (store: AnyStore) => Promise<unknown>) => client(call)),
    entries: (options) => entriesOf(client, options),
    once: (id) => {
      // Refused at once when it is no id.
      simulation.current?.cluster.local.store(name).once(id);
      return calls(onceMethods, (call) => client((store) => call(store.once(id))));
    },
  };
}

/** One function for each name, which calls the method of that name. */
function calls<C, N extends keyof C & string>(
  names: readonly N[],
  through: (call: (client: C) => Promise<unknown>) => Promise<unknown>,
): Pick<C, N> {
  const entries = names.map((name) => {
    const call = (...args: unknown[]): Promise<unknown> => {
      return through((client) => {
        // cast: every name of the lists is a method that returns a promise.
        const method = client[name] as (...all: unknown[]) => Promise<unknown>;
        return Reflect.apply(method, client, args);
      });
    };
    return [name, call] as const;
  });
  // cast: the entries are those of the names.
  return Object.fromEntries(entries) as unknown as Pick<C, N>;
}

/** An agent's client; its invocations go on as well. */
export function livingAgent(simulation: Simulation, name: string): AnyAgent {
  const agentIn = ({ runtime }: Serving): AnyAgent => {
    // cast: without the topology's types no name is known to be one of its agents.
    const agentOf = runtime.agent as (agent: string) => AnyAgent;
    return agentOf(name);
  };
  const client = following<AnyAgent>(simulation, agentIn);
  const streamOf = (
    id: string,
    begin: (invocation: Invocation<unknown>) => ChunkStream,
  ): ChunkStream => livingStream(simulation, (serving) => begin(agentIn(serving).get(id)));
  const living = (id: string): Invocation<unknown> => ({
    id,
    stream: (node, options) => streamOf(id, (of) => of.stream(node, options)),
    streamSpecific: (node, nodeId, options) =>
      streamOf(id, (of) => of.streamSpecific(node, nodeId, options)),
    initiateFork: async (changes, options) => {
      const fork = await client((agent) => agent.get(id).initiateFork(changes, options));
      return living(fork.id);
    },
    trace: (options) => ({
      async *[Symbol.asyncIterator]() {
        // An iteration belongs to the life it began in, as its pages do.
        const iteration = await client(async (agent) => ({ nodes: agent.get(id).trace(options) }));
        yield* iteration.nodes;
      },
    }),
    streamAll: (node, options) => streamOf(id, (of) => of.streamAll(node, options)),
    ...calls(invocationMethods, (call: (invocation: Invocation<unknown>) => Promise<unknown>) => {
      return client((agent) => call(agent.get(id)));
    }),
  });
  return {
    invoke: (input, options) => client((agent) => agent.invoke(input, options)),
    initiate: async (input, options) => {
      return living((await client((agent) => agent.initiate(input, options))).id);
    },
    get: (id) => {
      // Refused at once when it is no id.
      const { current } = simulation;
      if (current !== undefined) agentIn(current).get(id);
      return living(id);
    },
  };
}

/** The client of dead letters; a list goes to one life, and ends with it. */
export function livingDeadLetters(simulation: Simulation): DeadLetterClient {
  const client = following(simulation, ({ runtime }) => runtime.deadLetters);
  return {
    list: (options) => ({
      async *[Symbol.asyncIterator]() {
        yield* await client(async (letters) => letters.list(options));
      },
    }),
    replay: (id, options) => client((letters) => letters.replay(id, options)),
    discard: (id, options) => client((letters) => letters.discard(id, options)),
  };
}

type Following<C> = <T>(call: (client: C) => Promise<T>) => Promise<T>;

/** Calls the client of whatever serves. */
function following<C>(simulation: Simulation, clientOf: (serving: Serving) => C): Following<C> {
  let known: { readonly serving: Serving; readonly client: C } | undefined;
  const clientIn = (serving: Serving): C => {
    if (known?.serving !== serving) known = { serving, client: clientOf(serving) };
    return known.client;
  };
  return (call) => simulation.call((serving) => call(clientIn(serving)));
}

async function* entriesOf(
  client: Following<AnyStore>,
  options: EntriesOptions<unknown> | undefined,
): AsyncGenerator<readonly [unknown, unknown]> {
  // An iteration belongs to the life it began in, as its pages do.
  const iteration = await client(async (store) => ({ entries: store.entries(options) }));
  yield* iteration.entries;
}
