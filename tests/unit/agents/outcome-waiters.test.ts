// Who waits on a thread for what. Bugs here would look like a caller who is told of something that
// happened to somebody else.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { OutcomeWaiters } from "../../../agents/client/outcome-waiters.js";
import { node } from "../../../agents/declare/node.js";
import { encodeNotice } from "../../../agents/wire/outcome.js";
import { noBytes } from "../../../agents/wire/wire-field.js";
import { type } from "../../../store/schema.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { ProgramHarness } from "../../support/program-harness.js";

const idle = agent({
  entry: "idle",
  result: type<number>(),
  nodes: { idle: node({ input: type<number>() }) },
}).implement({ idle: (ctx, n) => ctx.result(n) });

/** The waiters of one life of a thread, and telling them of answers. */
function life(random: () => number) {
  const told: ((task: number, notice: Uint8Array) => void)[] = [];
  const port = new ProgramHarness({ agents: { idle } }).clientPort();
  const waiters = new OutcomeWaiters({
    ...port,
    random,
    ownerOf: (hash) => port.ownerOf(hash),
    onNotice: (listener) => told.push(listener),
    onLost: () => {},
  });
  return {
    waiters,
    tell(token: number, error = noBytes): void {
      for (const listener of told) listener(0, encodeNotice({ kind: "answered", token, error }));
    },
  };
}

describe("outcome waiters — answers to questions", () => {
  it("tells the one who gave an answer what became of it", async () => {
    const { waiters, tell } = life(seededRandom(1));
    const [one, other] = [waiters.openAnswer(0, undefined), waiters.openAnswer(0, undefined)];
    tell(other.token, new Uint8Array([1]));
    tell(one.token);
    expect(await one.waiter.answer).toMatchObject({ kind: "answered", error: noBytes });
    expect(await other.waiter.answer).toMatchObject({ error: new Uint8Array([1]) });
  });

  it("takes nothing for its own that was an answer of a life before", async () => {
    const random = seededRandom(1);
    const before = life(random).waiters.openAnswer(0, undefined);
    const { waiters, tell } = life(random);
    const now = waiters.openAnswer(0, undefined);
    tell(before.token);
    tell(now.token, new Uint8Array([2]));
    expect(await now.waiter.answer).toMatchObject({ error: new Uint8Array([2]) });
  });
});
