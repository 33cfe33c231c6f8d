// Scopes on real threads. A bug here would look like a basket without one of its rows, or one that
// was brought in twice, when the process is killed in between.

import { describe, expect, it } from "vitest";
import { launch } from "../../dist/index.js";
import harvest from "../../dist/tests/topologies/harvest.js";
import { compiled, killedProgram } from "../support/killed-program.js";
import { tempDirectory } from "../support/temp-directory.js";

const options = { tasks: 4, threads: 2 } as const;
const below = (count: number): number => (count * Math.max(0, count - 1)) / 2;
const byField = (yields: readonly { readonly field: number; readonly fruit: number }[]) =>
  [...yields].sort((one, other) => one.field - other.field);

/** What a plan must come to. */
function expectedOf(fields: readonly number[]) {
  return fields.map((rows, field) => ({ field, fruit: below(rows) }));
}

describe("scopes — real threads", () => {
  it("nest, and those of the same nodes that are open at once never mix", async () => {
    await using runtime = await launch(harvest, { directory: tempDirectory(), ...options });
    const agent = runtime.agent("harvests");
    const plans = Array.from({ length: 12 }, (_, n) => ({ id: `h${n}`, fields: [n, 0, 30, 7] }));
    const harvested = await Promise.all(plans.map((plan) => agent.invoke(plan)));
    for (const [index, { yields, threads }] of harvested.entries()) {
      expect(byField(yields)).toEqual(expectedOf(plans[index]?.fields ?? []));
      // Rows run on all task threads, baskets at home.
      expect(threads).toBe(2);
    }
    for await (const [, count] of runtime.store("counts").entries()) expect(count).toBe(1);
  });

  it("run the gather exactly once, at once, when a step ends the scope early", async () => {
    await using runtime = await launch(harvest, { directory: tempDirectory(), ...options });
    const numbers = Array.from({ length: 40 }, (_, n) => n * 10);
    const found = await runtime.agent("searches").invoke({ id: "s", numbers });
    expect(found).toBeGreaterThanOrEqual(100);
    await runtime.drain();
    // Running siblings are not stopped.
    expect(await runtime.store("counts").get("s looks")).toBe(40);
  });

  it("re-run nothing inside a finished scope when something behind it fails", async () => {
    await using runtime = await launch(harvest, { directory: tempDirectory(), ...options });
    expect(await runtime.agent("sums").invoke(20)).toBe(1);
    const counts = runtime.store("counts");
    expect(await counts.get("parts")).toBe(20);
    expect(await counts.get(`totals of ${below(20)}`)).toBe(1);
  });
});

/** Begins harvests without end, and says which have begun and which are in. */
const program = `
  import { launch } from ${JSON.stringify(compiled("index.js"))};
  import harvest from ${JSON.stringify(compiled("tests/topologies/harvest.js"))};
  const [directory, round] = process.argv.slice(2);
  const runtime = await launch(harvest, { directory, tasks: 4, threads: 2 });
  const agent = runtime.agent("harvests");
  const client = async (_, number) => {
    for (let i = 0; ; i++) {
      const id = [round, number, i].join("-");
      const invocation = await agent.initiate({ id, fields: [9, number, 17] });
      process.stdout.write("began " + id + " " + invocation.id + "\\n");
      await invocation.result();
      process.stdout.write("ended " + id + "\\n");
    }
  };
  await Promise.all(Array.from({ length: 10 }, client));
`;

describe("scopes — a process that is killed", () => {
  it("every harvest that has begun is brought in, each row and basket once", {
    timeout: 90_000,
  }, async () => {
    const directory = tempDirectory();
    const run = killedProgram(program, { word: "ended", times: 30 });
    for (let round = 1; round <= 2; round += 1) {
      const lines = await run(directory, round);
      await using runtime = await launch(harvest, { directory, ...options });
      const begun = lines.flatMap((line) => {
        const [what, id = "", invocationId = ""] = line.split(" ");
        return what === "began" ? [{ id, invocationId }] : [];
      });
      expect(begun.length).toBeGreaterThan(20);
      for (const { id, invocationId } of begun) {
        const { yields } = await runtime.agent("harvests").get(invocationId).result();
        const rows = Number(id.split("-")[1]);
        expect(byField(yields)).toEqual(expectedOf([9, rows, 17]));
      }
      await runtime.drain();
      const counts = new Map<string, number>();
      for await (const [name, count] of runtime.store("counts").entries()) counts.set(name, count);
      expect([...counts].filter(([, count]) => count !== 1)).toEqual([]);
      const barns = begun.filter(({ id }) => counts.get(`${id} barn`) === 1);
      expect(barns.length).toBe(begun.length);
    }
  });
});
