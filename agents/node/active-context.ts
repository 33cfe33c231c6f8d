// Active context — what a node function is given as `ctx`: names and getters over its active node.
//
// Owns: what is made when it is first asked for (stores, compute functions, random numbers). Leaves
// to others: every rule and every effect (active-node.ts).

import type { TaskPort } from "../../runtime/task-program.js";
import type { AgentDefinition } from "../declare/definition.js";
import { decodeMetadata, type Metadata } from "../declare/metadata.js";
import type { AnySchema } from "../declare/node-definition.js";
import { decodeCarried } from "../wire/carried.js";
import { formatInvocationId, formatNodeId } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import type { ActiveNode } from "./active-node.js";
import { randomOf } from "./node-random.js";
import { NeighbourAgent } from "./neighbour-agents.js";
import { NeighbourStore } from "./neighbour-store.js";
import { NodeStore } from "./node-store.js";

/**
 * The NodeContext of a run, its types erased: agent.ts has checked them against the agent's
 * shape.
 */
export class ActiveContext {
  readonly #active: ActiveNode;
  readonly #run: RunMessage;
  readonly #definition: AgentDefinition;
  readonly #port: TaskPort;
  readonly #agentIn: (own: string, agent: string) => object;
  #stores: object | undefined;
  #compute: object | undefined;
  #objects: object | undefined;
  #agents: object | undefined;
  #random: (() => number) | undefined;

  constructor(
    active: ActiveNode,
    run: RunMessage,
    definition: AgentDefinition,
    port: TaskPort,
    agentIn: (own: string, agent: string) => object,
  ) {
    this.#active = active;
    this.#agentIn = agentIn;
    this.#run = run;
    this.#definition = definition;
    this.#port = port;
  }

  get stores(): object {
    const { stores, neighbours } = this.#definition;
    if (this.#stores !== undefined) return this.#stores;
    const made: Record<string, object> = {};
    for (const [own, name] of stores) {
      made[own] = new NodeStore(this.#active, own, this.#port.store(name, this.#active.journal));
    }
    for (const [own, ref] of neighbours.stores) {
      made[own] = new NeighbourStore(this.#active, own, ref, this.#port.neighbour);
    }
    this.#stores = Object.freeze(made);
    return this.#stores;
  }

  get compute(): object {
    this.#compute ??= byName(this.#definition.compute, (own, name) => {
      return (...args: readonly unknown[]) =>
        this.#active.operation(
          `compute.${own}`,
          () => this.#port.compute(name, args, { signal: this.#active.signal }),
          { type: "compute", about: { compute: own }, arguments: args },
        );
    });
    return this.#compute;
  }

  get agents(): object {
    const { agents, neighbours } = this.#definition;
    const parts = [this.#active, this.#run, this.#port] as const;
    this.#agents ??= Object.freeze({
      ...byName(agents, (own, { agent }) => this.#agentIn(own, agent)),
      ...byName(neighbours.agents, (own, target) => new NeighbourAgent(...parts, own, target)),
    });
    return this.#agents;
  }

  get objects(): object {
    this.#objects ??= byName(this.#definition.objects, (own, name) => {
      return () =>
        this.#active.operation(`objects.${own}`, () =>
          this.#port.objects.acquire(name, this.#active, this.#active.signal),
        );
    });
    return this.#objects;
  }

  get signal(): AbortSignal {
    return this.#active.signal;
  }

  get invocationId(): string {
    return formatInvocationId(this.#run.invocationId);
  }

  get metadata(): Metadata {
    return decodeMetadata(decodeCarried(this.#run.carried).metadata);
  }

  get nodeInvocationId(): string {
    return formatNodeId(this.#run.nodeInvocationId);
  }

  get attempt(): number {
    return this.#run.attempt;
  }

  emit(target: string, message: unknown): void {
    this.#active.emit(target, message);
  }

  result(value: unknown): void {
    this.#active.result(value);
  }

  get idempotencyKey(): string {
    return `${this.invocationId}-${this.nodeInvocationId}`;
  }

  run(name: string, fn: () => unknown): Promise<unknown> {
    return this.#active.run(name, fn);
  }

  chunk(value: unknown): Promise<void> {
    return this.#active.chunk(value);
  }

  askHuman(prompt: unknown, schema?: AnySchema): Promise<unknown> {
    const traced = {
      type: "human-input",
      about: { call: "askHuman" },
      arguments: [prompt],
    } as const;
    return this.#active.waiting("askHuman", (waits) => waits.ask(prompt, schema), traced);
  }

  sleep(pauseMs: number): Promise<void> {
    const traced = { type: "other", about: { call: "sleep" }, arguments: [pauseMs] } as const;
    return this.#active.waiting("sleep", (waits) => waits.sleep(pauseMs), traced);
  }

  recordOperation(type: unknown, startedAt: unknown, finishedAt: unknown, info: unknown): void {
    this.#active.recordOperation(type, startedAt, finishedAt, info);
  }

  now(): number {
    return this.#active.now();
  }

  random(): number {
    this.#random ??= randomOf(this.#run.nodeInvocationId);
    return this.#random();
  }
}

function byName<Name, T>(
  names: ReadonlyMap<string, Name>,
  make: (own: string, name: Name) => T,
): Readonly<Record<string, T>> {
  return Object.freeze(
    Object.fromEntries(Array.from(names, ([own, name]) => [own, make(own, name)])),
  );
}
