// Two harnesses — two topologies under one simulated roof: nodes of the outer one call agents of
// the inner one, and tasks of both can be crashed anywhere.

import { createAgentClients } from "../../agents/client/client.js";
import { neighbourServer } from "../../agents/client/neighbour-server.js";
import { OutcomeWaiters } from "../../agents/client/outcome-waiters.js";
import { decodeNeighbourRequest } from "../../agents/wire/neighbour-request.js";
import type { Topology } from "../../runtime/topology.js";
import { PartitaError } from "../../base/errors.js";
import { ProgramHarness, type HarnessSettings } from "./program-harness.js";

export class TwoHarnesses {
  readonly inner: ProgramHarness;
  readonly outer: ProgramHarness;
  /** By call: what comes again waits for the same answer. */
  readonly #calls = new Map<string, Promise<Uint8Array>>();
  /** What each call was sent as first. */
  readonly #sent = new Map<string, Uint8Array>();
  #beginning = 0;

  /** `declared`: the inner topology. */
  constructor(declared: Topology, inner: HarnessSettings, outer: HarnessSettings) {
    this.inner = new ProgramHarness(inner);
    const port = this.inner.clientPort();
    const waiters = new OutcomeWaiters(port);
    const { entries } = this.inner;
    const agents = createAgentClients(entries, port, waiters);
    const store = (name: string): never => {
      throw new PartitaError("STORE_UNKNOWN", { store: name, known: [] });
    };
    const served = neighbourServer({ declared, agents, store, entries, port, waiters });
    const neighbour = (_: string, bytes: Uint8Array, signal?: AbortSignal) => {
      const request = decodeNeighbourRequest(bytes);
      if (request.op !== "initiate") return served(bytes, signal);
      const first = this.#sent.get(request.call) ?? bytes;
      this.#sent.set(request.call, first);
      if (Buffer.compare(first, bytes) !== 0)
        throw new Error("a call was sent again as another one");
      const known = this.#calls.get(request.call);
      if (known !== undefined) return known;
      this.#beginning += 1;
      const begun = served(bytes, signal).finally(() => {
        this.#beginning -= 1;
      });
      this.#calls.set(request.call, begun);
      return begun;
    };
    this.outer = new ProgramHarness({ ...outer, neighbour });
  }

  /** Lets things happen until it has an answer, crashing tasks now and then. */
  async stubborn<T>(random: () => number, crashes: number, ask: () => Promise<T>): Promise<T> {
    for (;;) {
      const asked = { isAnswered: false };
      const answer = ask().finally(() => {
        asked.isAnswered = true;
      });
      answer.catch(() => {});
      for (let idle = 0; !asked.isAnswered; ) {
        const harness = random() < 0.5 ? this.inner : this.outer;
        idle = (await harness.step()) ? 0 : idle + 1;
        const mayDie = harness === this.outer || this.#beginning === 0;
        if (mayDie && random() < crashes) harness.crash(Math.floor(random() * harness.taskCount));
        else if (idle > 50) throw new Error("somebody waits, and nothing happens");
      }
      try {
        return await answer;
      } catch (error) {
        if (!PartitaError.is(error, "TASK_EXITED")) throw error;
      }
    }
  }
}
