// Attempts on real threads. A bug here would look like a piece that counts twice after a retry and
// a kill, an orphan whose write is there, a cancelled walk that goes on.

import { describe, expect, it } from "vitest";
import { launch } from "../../dist/index.js";
import errands from "../../dist/tests/topologies/errands.js";
import versionOne from "../../dist/tests/topologies/version-one.js";
import versionTwo from "../../dist/tests/topologies/version-two.js";
import { compiled, killedProgram } from "../support/killed-program.js";
import { refusal } from "../support/outcomes.js";
import { tempDirectory } from "../support/temp-directory.js";

const options = { tasks: 4, threads: 2 } as const;

function launchErrands(directory = tempDirectory()) {
  return launch(errands, { directory, ...options });
}

type Errands = Awaited<ReturnType<typeof launchErrands>>;

async function countsOf(runtime: Errands): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for await (const [name, count] of runtime.store("counts").entries()) counts.set(name, count);
  return counts;
}

/** Resolves when others had their turn: reads alone do not wait. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe("attempts — real threads", () => {
  it("runs again what has not finished, and nothing counts twice", async () => {
    await using runtime = await launchErrands();
    const agent = runtime.agent("errands");
    const all = Array.from({ length: 12 }, (_, n) => {
      return { id: `e${n}`, pieces: 2 + (n % 5), throwsBelow: n % 4, hangs: false };
    });
    const done = await Promise.all(all.map((errand) => agent.invoke(errand)));
    for (const [n, pieces] of done.entries()) {
      const count = all[n]?.pieces ?? 0;
      expect([...pieces].sort()).toEqual(Array.from({ length: count }, (_, piece) => piece));
    }
    expect([...(await countsOf(runtime))].filter(([, count]) => count !== 1)).toEqual([]);
  });

  it("orphans the node that still runs: its signal aborts, its write is refused", async () => {
    await using runtime = await launchErrands();
    const errand = { id: "o", pieces: 3, throwsBelow: 1, hangs: true };
    const done = await runtime.agent("errands").invoke(errand);
    expect([...done].sort()).toEqual([0, 1, 2]);
    await runtime.drain();
    expect((await countsOf(runtime)).has("o orphan")).toBe(false);
  });

  it("cancel() reaches nodes through ctx.signal, and resolves when they have stopped", async () => {
    await using runtime = await launchErrands();
    const counts = runtime.store("counts");
    const invocation = await runtime.agent("waits").initiate("w");
    while ((await counts.get("w waits")) === undefined) await turn();
    await invocation.cancel();
    expect(await counts.get("w ends with INVOCATION_CANCELLED")).toBe(1);
    await refusal(invocation.result(), "INVOCATION_CANCELLED");
  });

  it("what is cancelled stands still from then on, over restarts too", async () => {
    const directory = tempDirectory();
    const ids: string[] = [];
    const steps = new Map<string, number>();
    {
      await using runtime = await launchErrands(directory);
      const counts = runtime.store("counts");
      const agent = runtime.agent("walks");
      for (let n = 0; n < 8; n += 1) {
        const invocation = await agent.initiate({ id: `w${n}`, n: 0 });
        ids.push(invocation.id);
        while (((await counts.get(`w${n} steps`)) ?? 0) < 5 * n) await turn();
        await invocation.cancel();
        steps.set(`w${n} steps`, (await counts.get(`w${n} steps`)) ?? 0);
      }
      await runtime.drain();
    }
    await using runtime = await launchErrands(directory);
    await runtime.drain();
    expect(await countsOf(runtime)).toEqual(new Map([...steps].filter(([, count]) => count > 0)));
    for (const id of ids) {
      const invocation = runtime.agent("walks").get(id);
      expect(await invocation.isComplete()).toBe(true);
      await refusal(invocation.result(), "INVOCATION_CANCELLED");
    }
  });
});

/** Begins errands and walks without end, and cancels the walks; says what has come of them. */
const program = `
  import { launch } from ${JSON.stringify(compiled("index.js"))};
  import errands from ${JSON.stringify(compiled("tests/topologies/errands.js"))};
  const [directory, round] = process.argv.slice(2);
  const runtime = await launch(errands, { directory, tasks: 4, threads: 2 });
  const say = (...words) => process.stdout.write(words.join(" ") + "\\n");
  const client = async (_, number) => {
    for (let i = 0; ; i++) {
      const id = [round, number, i].join("-");
      const errand = { id, pieces: 1 + (i % 4), throwsBelow: number % 3, hangs: false };
      const invocation = await runtime.agent("errands").initiate(errand);
      say("began", invocation.id, errand.pieces);
      const walk = await runtime.agent("walks").initiate({ id: "walk" + id, n: 0 });
      say("walks", walk.id, "walk" + id);
      await invocation.result();
      const cancelled = walk.cancel();
      if (i % 3 !== 0) await cancelled;
      say("ended", id);
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
`;

describe("attempts — a process that is killed", () => {
  it("every errand is done in the end, each piece once; what is cancelled stops", {
    timeout: 90_000,
  }, async () => {
    const directory = tempDirectory();
    const run = killedProgram(program, { word: "ended", times: 12 });
    for (let round = 1; round <= 2; round += 1) {
      const lines = await run(directory, round);
      const said = lines.map((line) => line.split(" "));
      await using runtime = await launchErrands(directory);
      const begun = said.filter(([what]) => what === "began");
      expect(begun.length).toBeGreaterThan(8);
      for (const [, id = "", pieces] of begun) {
        const done = await runtime.agent("errands").get(id).result();
        expect([...done].sort()).toEqual(Array.from({ length: Number(pieces) }, (_, n) => n));
      }
      const walks = said.filter(([what]) => what === "walks");
      for (const [, id = ""] of walks) await runtime.agent("walks").get(id).cancel();
      const before = await countsOf(runtime);
      await runtime.drain();
      // Those of which the program could not say any more that they had begun go on.
      const known = new Set(walks.map(([, , name]) => `${name} steps`));
      const after = await countsOf(runtime);
      for (const [name, count] of before) if (known.has(name)) expect(after.get(name)).toBe(count);
      const pieces = [...after].filter(([name]) => !name.endsWith("steps"));
      expect(pieces.filter(([, count]) => count !== 1)).toEqual([]);
    }
  });
});

describe("update modes — two versions of a topology in one directory", () => {
  it("continue, restart and drop what the one has left behind", async () => {
    const directory = tempDirectory();
    const ids: Record<string, string> = {};
    {
      const runtime = await launch(versionOne, { directory, ...options, closeTimeoutMs: 1 });
      for (const name of ["goes", "restarts", "drops"] as const) {
        ids[name] = (await runtime.agent(name).initiate(name)).id;
        const counts = runtime.store("counts");
        while ((await counts.get(`${name} hangs`)) === undefined) await turn();
      }
      await runtime.close();
    }
    await using runtime = await launch(versionTwo, { directory, ...options });
    const resultOf = (name: "goes" | "restarts" | "drops") =>
      runtime
        .agent(name)
        .get(ids[name] ?? "")
        .result();
    expect(await resultOf("goes")).toBe("goes by the third");
    // Its second node may have been quicker than the news, and is a node of this version too.
    expect(await resultOf("restarts")).toMatch(/^restarts( again)? by the third$/);
    const { details } = await refusal(resultOf("drops"), "INVOCATION_FAILED");
    expect(details.reason).toBe(
      'Retry dropped (the graph of agent "drops" has changed once since the attempt began)',
    );
    expect(await runtime.store("counts").get("goes first again")).toBe(undefined);
    expect(await runtime.agent("goes").invoke("new")).toBe("new again by the third");
  });
});
