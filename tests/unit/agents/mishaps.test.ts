// Everything that can befall an invocation, mixed by chance: nodes that throw, tasks that die,
// cancels, forks, replays and discards of dead letters. In the end each invocation has come to an
// end, and nothing of it is left behind. A bug here would look like one that waits for ever, a node
// invocation that is lost, or rows that nobody takes away.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { Invocation } from "../../../agents/client/invocation.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { list } from "../../../agents/declare/aggregators.js";
import { node } from "../../../agents/declare/node.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import { agentProgram } from "../../../agents/execution.js";
import { fenceTable } from "../../../agents/node/fences.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { waitTable } from "../../../agents/node/wait-rows.js";
import { systemTable } from "../../../runtime/system-table.js";
import { type } from "../../../store/schema.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";

const number = { input: type<number>() };

/** Throws now and then. */
type MayThrow = (where: string) => void;

function childThat(mayThrow: MayThrow) {
  return agent({
    entry: "a",
    result: type<number>(),
    maxRetries: 1,
    nodes: { a: node({ ...number, to: ["b"] }), b: node({ ...number, key: (n) => n }) },
  }).implement({
    async a(ctx, n) {
      await ctx.sleep(n % 3);
      mayThrow("child a");
      ctx.emit("b", n);
    },
    b(ctx, n) {
      mayThrow("child b");
      ctx.result(n);
    },
  });
}

function parentThat(mayThrow: MayThrow, retryBackoffMs: number) {
  return agent({
    agents: { child: agentRef<number, number>("child") },
    entry: "start",
    result: type<number>(),
    maxRetries: 1,
    retryBackoffMs,
    nodes: {
      start: node({ ...number, to: ["keyed", "split"] }),
      keyed: node({ ...number, key: (n) => n % 5, to: ["aside"] }),
      aside: node({ ...number, key: (n) => n }),
      split: scatter({ ...number, to: ["part"], carry: type<number>() }),
      part: node({ ...number, key: (n) => n, to: ["all"] }),
      all: gather({ collect: list(type<number>()), carry: type<number>(), to: ["end"] }),
      end: node(number),
    },
  }).implement({
    start(ctx, n) {
      mayThrow("start");
      ctx.emit("keyed", n);
      ctx.emit("split", n);
    },
    async keyed(ctx, n) {
      await ctx.run("note", () => n);
      if (n % 2 === 0) await ctx.agents.child.initiate(n);
      mayThrow("keyed");
      for (const add of [0, 1, 2]) ctx.emit("aside", n + add);
    },
    async aside(ctx, n) {
      if (n % 3 === 0) await ctx.agents.child.invoke(n).catch(() => 0);
      mayThrow("aside");
    },
    split(ctx, n) {
      mayThrow("split");
      for (const add of [3, 4, 5]) ctx.emit("part", n + add);
      return n;
    },
    async part(ctx, n) {
      await ctx.sleep(n % 4);
      mayThrow("part");
      ctx.emit("all", n);
    },
    all(ctx, parts, n) {
      mayThrow("all");
      expect([...parts].sort()).toEqual([n + 3, n + 4, n + 5].sort());
      ctx.emit("end", n);
    },
    end(ctx, n) {
      mayThrow("end");
      ctx.result(n);
    },
  });
}

/** Agents whose nodes throw by chance, as long as they are poisoned. */
function mishaps(seed: number) {
  const random = seededRandom(seed);
  const state = { poison: 0.35 };
  const mayThrow: MayThrow = (where) => {
    if (random() < state.poison) throw new Error(`no ${where}`);
  };
  const child = childThat(mayThrow);
  const parent = parentThat(mayThrow, seed % 2 === 0 ? 0 : 20);
  const program = agentProgram({ awakeWaitingMax: seed % 3 === 0 ? 0 : 100 });
  const harness = new ProgramHarness({ agents: { parent, child }, seed, program });
  return { harness, parent, child, state, random };
}

type Mishaps = ReturnType<typeof mishaps>;

/** Does what may be refused, and what a death may cut off. */
async function tried(harness: ProgramHarness, doing: Promise<unknown>): Promise<void> {
  const isOver = { yes: false };
  const noted = doing.then(
    () => {
      isOver.yes = true;
    },
    () => {
      isOver.yes = true;
    },
  );
  for (let steps = 0; steps < 200 && !isOver.yes; steps += 1) await harness.step();
  void noted;
}

async function act(made: Mishaps, begun: Map<string, Invocation<number>>): Promise<void> {
  const { harness, parent, random } = made;
  const clients = clientsOf(harness);
  const client = clients.agent(parent);
  const some = [...begun.keys()];
  const one = some[Math.floor(random() * some.length)];
  const kind = random();
  if (one === undefined || kind < 0.25) {
    const invocation = await harness.until(client.initiate(Math.floor(random() * 6)));
    begun.set(invocation.id, invocation);
  } else if (kind < 0.4) harness.crash(Math.floor(random() * harness.taskCount));
  else if (kind < 0.5)
    client
      .get(one)
      .cancel()
      .catch(() => {});
  else if (kind < 0.7) {
    const nodes: string[] = [];
    const walk = async (): Promise<void> => {
      for await (const { nodeInvocationId, node: name } of client.get(one).trace()) {
        if (name !== "all" && name !== "part") nodes.push(nodeInvocationId);
      }
      const changed = nodes[Math.floor(random() * nodes.length)];
      if (changed === undefined) return;
      const fork = await client.get(one).initiateFork({ [changed]: Math.floor(random() * 6) });
      begun.set(fork.id, fork);
    };
    await tried(harness, walk());
  } else if (kind < 0.9) {
    const letters = await lettersOf(harness);
    const letter = letters[Math.floor(random() * letters.length)];
    if (letter === undefined) return;
    const { deadLetters } = clients;
    const doing = random() < 0.2 ? deadLetters.discard(letter.id) : deadLetters.replay(letter.id);
    doing.catch(() => {});
    if (random() < 0.5) await tried(harness, doing);
  }
  for (let steps = Math.floor(random() * 30); steps > 0; steps -= 1) await harness.stepNow();
}

describe("invocations — whatever befalls them", () => {
  it("come to an end, and leave nothing behind", async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const made = mishaps(seed);
      const { harness, state, parent } = made;
      const begun = new Map<string, Invocation<number>>();
      for (let actions = 0; actions < 40; actions += 1) await act(made, begun);
      await harness.run();
      state.poison = 0;
      for (let rounds = 0; rounds < 20; rounds += 1) {
        const letters = await lettersOf(harness);
        if (letters.length === 0) break;
        for (const { id } of letters) {
          await harness.until(clientsOf(harness).deadLetters.replay(id)).catch(() => {});
        }
        await harness.run();
      }
      expect(await lettersOf(harness), `seed ${seed}`).toEqual([]);
      const client = clientsOf(harness).agent(parent);
      for (const id of begun.keys()) {
        expect(await harness.until(client.get(id).isComplete()), `seed ${seed}`).toBe(true);
        const failed: unknown = await harness.until(client.get(id).result()).catch((e) => e);
        expect(JSON.stringify(failed), `seed ${seed}`).not.toContain("NODE_LOST");
      }
      // One row of each task is the mark of the numbers used.
      expect(harness.rowCount(queueTable), `seed ${seed}`).toBeLessThanOrEqual(3);
      for (const table of [waitTable, fenceTable, systemTable.operations]) {
        expect(harness.rowCount(table), `seed ${seed}, table ${table}`).toBe(0);
      }
    }
  });
});
