// Followed — what somebody who follows chunks has got, and whether that can be.
//
//   T1  chunks of a node invocation come in order, each once, from 0 on; a reset begins anew
//   T2  a list is of one run: all of its chunks are of one attempt, and none is older than before
//   T3  a list is whole when its node has completed, and nothing comes behind that
//   T4  who comes late sees no resets

import type { StreamEvent } from "../../index.js";
import type { Story, Told } from "./waiting-topology.js";

interface List {
  readonly told: Told[];
  attempt: number;
  isCompleted: boolean;
}

export class Followed {
  readonly problems: string[] = [];
  readonly #what: string;
  readonly #isLate: boolean;
  readonly #lists = new Map<string, List>();

  constructor(what: string, isLate: boolean) {
    this.#what = what;
    this.#isLate = isLate;
  }

  take(event: StreamEvent): void {
    const { nodeInvocationId } = event;
    const list = this.#lists.get(nodeInvocationId) ?? newList();
    this.#lists.set(nodeInvocationId, list);
    if (list.isCompleted) this.#bad(`T3: a ${event.kind} came behind the end`);
    if (event.kind === "completed") list.isCompleted = true;
    else if (event.kind === "reset") {
      if (this.#isLate) this.#bad("T4: who came late was told of a reset");
      list.told.length = 0;
    } else {
      // cast: what the nodes of this topology stream.
      const told = event.value as Told;
      const [first] = list.told;
      const next = list.told.length;
      if (event.index !== next || told.index !== next) {
        this.#bad(`T1: chunk ${event.index} of ${told.index} came for ${next}`);
      }
      if (first !== undefined && (first.part !== told.part || first.attempt !== told.attempt)) {
        this.#bad(`T2: ${JSON.stringify(told)} came behind ${JSON.stringify(first)}`);
      }
      if (told.attempt < list.attempt) this.#bad(`T2: ${told.attempt} after ${list.attempt}`);
      list.attempt = told.attempt;
      list.told.push(told);
    }
  }

  /** The stream has ended: of all parts, or of one of them. */
  end({ parts }: Story, of: "all" | "first"): void {
    const streaming = parts.filter(({ chunks }) => chunks > 0).length;
    const count = of === "all" ? streaming : Math.min(1, streaming);
    if (this.#lists.size !== count) this.#bad(`T3: ${this.#lists.size} of ${count} parts came`);
    const seen = new Set<number>();
    for (const { told, isCompleted } of this.#lists.values()) {
      const part = told[0]?.part ?? -1;
      const whole = parts[part]?.chunks;
      if (told.length !== whole) this.#bad(`T3: ${told.length} of ${whole} of part ${part} came`);
      if (!isCompleted) this.#bad(`T3: part ${part} did not end`);
      if (seen.has(part)) this.#bad(`T1: part ${part} came twice`);
      seen.add(part);
    }
  }

  #bad(text: string): void {
    const [rule = "", ...rest] = text.split(" ");
    this.problems.push(`${rule} ${this.#what}: ${rest.join(" ")}`);
  }
}

function newList(): List {
  return { told: [], attempt: 0, isCompleted: false };
}

/** What a relay has passed on, event by event: chunks of its own, of one run at a time. */
export class FollowedRelay {
  readonly problems: string[] = [];
  readonly #what: string;
  #passed: StreamEvent[] = [];
  #ends = 0;

  constructor(what: string) {
    this.#what = what;
  }

  take(event: StreamEvent): void {
    if (event.kind === "reset") this.#passed = [];
    else if (event.kind === "completed") this.#ends += 1;
    else {
      if (event.index !== this.#passed.length) {
        this.problems.push(`T1: ${this.#what}: ${event.index} came for ${this.#passed.length}`);
      }
      // cast: what the relay of this topology streams.
      this.#passed.push(event.value as StreamEvent);
    }
  }

  end(story: Story): void {
    const inner = new Followed(`${this.#what}, within`, false);
    for (const event of this.#passed) inner.take(event);
    inner.end(story, "all");
    this.problems.push(...inner.problems);
    const ends = this.#passed.length > 0 ? 1 : 0;
    if (this.#ends !== ends) this.problems.push(`T3: ${this.#what} ended ${this.#ends} times`);
  }
}
