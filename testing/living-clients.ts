// Living clients — clients that go on over the deaths of a simulated process: each call goes to the
// life that serves then, or waits for the next.

import type { AgentClient, Invocation, WaitOptions } from "../agents/client.js";
import type { ErasedUpdates } from "../store/declaration.js";
import type { EntriesOptions, KeyValueStore } from "../store/key-value-store.js";
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

/** A store's client. */
export function livingStore(simulation: Simulation, name: string): AnyStore {
  const client = following(simulation, ({ cluster }) => cluster.local.store(name));
  const methods = storeMethods.map((method) => {
    const call = (...args: unknown[]): Promise<unknown> => {
      return client((store) => Reflect.apply(store[method], store, args));
    };
    return [method, call] as const;
  });
  return {
    // cast: one function for each name of the list, which calls the method of that name.
    ...(Object.fromEntries(methods) as unknown as Pick<AnyStore, (typeof storeMethods)[number]>),
    entries: (options) => entriesOf(client, options),
  };
}

/** An agent's client; its invocations go on as well. */
export function livingAgent(simulation: Simulation, name: string): AnyAgent {
  const client = following<AnyAgent>(simulation, ({ runtime }) => {
    // cast: without the topology's types no name is known to be one of its agents.
    const agentOf = runtime.agent as (agent: string) => AnyAgent;
    return agentOf(name);
  });
  const living = (id: string): Invocation<unknown> => ({
    id,
    result: (options?: WaitOptions) => client((agent) => agent.get(id).result(options)),
  });
  return {
    invoke: (input, options) => client((agent) => agent.invoke(input, options)),
    initiate: async (input, options) => {
      return living((await client((agent) => agent.initiate(input, options))).id);
    },
    get: (id) => {
      // Refused at once when it is no id.
      const { current } = simulation;
      if (current !== undefined) {
        // cast: as above.
        (current.runtime.agent as (agent: string) => AnyAgent)(name).get(id);
      }
      return living(id);
    },
  };
}

type Following<C> = <T>(call: (client: C) => Promise<T>) => Promise<T>;

/** Calls the client of whatever serves; at once when something does, so that order is kept. */
function following<C>(simulation: Simulation, clientOf: (serving: Serving) => C): Following<C> {
  let known: { readonly serving: Serving; readonly client: C } | undefined;
  const clientIn = (serving: Serving): C => {
    if (known?.serving !== serving) known = { serving, client: clientOf(serving) };
    return known.client;
  };
  return (call) => {
    const { current } = simulation;
    if (current !== undefined) return call(clientIn(current));
    return simulation.serving().then((serving) => call(clientIn(serving)));
  };
}

async function* entriesOf(
  client: Following<AnyStore>,
  options: EntriesOptions<unknown> | undefined,
): AsyncGenerator<readonly [unknown, unknown]> {
  // An iteration belongs to the life it began in, as its pages do.
  const iteration = await client(async (store) => ({ entries: store.entries(options) }));
  yield* iteration.entries;
}
