// Turns — in which order node invocations of one key had their turns.
//
// One of a key begins when the one before it has ended, and what has ended does not begin again,
// not even in a later life: its end is durable before anybody sees it.
//
// Owns: who has begun at each place. Leaves to others: who was given up, and may come late.

/** A node invocation as its context names it. */
export interface TurnTaker {
  readonly nodeInvocationId: string;
}

export class Turns {
  /** By place, an agent's node and key: those that have begun, the newest last. */
  readonly #begun = new Map<string, Set<string>>();

  /**
   * One begins, or begins again. Returns who has begun behind it at that place, if anybody has, and
   * takes it for the newest.
   */
  begin(place: string, { nodeInvocationId }: TurnTaker): string | undefined {
    const begun = this.#begun.get(place) ?? new Set();
    this.#begun.set(place, begun);
    const newest = [...begun].at(-1);
    const isBehind = begun.delete(nodeInvocationId) && newest !== nodeInvocationId;
    begun.add(nodeInvocationId);
    return isBehind ? newest : undefined;
  }
}
