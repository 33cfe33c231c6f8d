// The watchdog on real threads: a process with a handler that never returns ends, says why, and the
// next launch knows. Bugs here would look like a process that hangs for ever, one that is ended
// although nothing hangs, or a stop that takes something acknowledged along.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { launch } from "../../dist/index.js";
import stuck from "../../dist/tests/topologies/stuck.js";
import { startProgram } from "../support/child-process.js";
import { tempDirectory } from "../support/temp-directory.js";

const limitMs = 1_000;

/** Runs `stuck.js` to its end and returns what it has said. */
async function lifeOf(directory: string, threads: number, what: string) {
  const child = startProgram("stuck.js", directory, String(threads), what, String(limitMs));
  const said: string[] = [];
  for await (const line of child.lines) said.push(line);
  const { signal } = await child.exit;
  return { said, signal, errors: child.errors() };
}

function acknowledged(said: readonly string[]): number {
  return said.filter((line) => line.startsWith("ack ")).length;
}

function suspectIn(directory: string): unknown {
  const paths = [0, 1].map((task) => join(directory, `t000${task}`, "suspect.json"));
  const [path] = paths.filter((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error("there is no suspect file");
  return JSON.parse(readFileSync(path, "utf8"));
}

const handlers: readonly (readonly [string, object, string])[] = [
  ["update", { kind: "update", store: "counters", update: "spin" }, 'update "spin" of store'],
  ["node", { kind: "node", agent: "looper", node: "loop" }, 'node "loop" of agent "looper" (task'],
  ["resumed", { kind: "nodes", agent: "looper", node: "loop" }, "or another that went on with it"],
];

describe.each([0, 1])("watchdog — %i task threads", (threads) => {
  it.each(handlers)("stops a process stuck in: %s", async (what, suspect, words) => {
    const directory = tempDirectory();
    const { said, signal, errors } = await lifeOf(directory, threads, what);
    expect(signal).toBe("SIGKILL");
    expect(said.at(-1)).toBe("ready");
    expect(errors).toContain("partita: stopped: ");
    expect(errors).toContain(words);
    expect(errors).toContain(`for more than ${limitMs} ms`);
    expect(suspectIn(directory)).toMatchObject({ ...suspect, thread: threads });

    // What was acknowledged is there. The node would be run again: nobody asks it to end.
    const options = { directory, threads, handlerTimeoutMs: 0, closeTimeoutMs: 100 };
    if (what !== "update") return;
    const runtime = await launch(stuck, options);
    expect(await runtime.store("counters").get("count")).toBe(acknowledged(said));
    const { lastStop } = await runtime.stats();
    expect(lastStop).toMatchObject(suspect);
    expect(lastStop?.diagnosis).toContain(words);
    await runtime.close();
    expect(() => suspectIn(directory)).toThrow("there is no suspect file");
    const again = await launch(stuck, options);
    expect(await again.stats()).not.toHaveProperty("lastStop");
    await again.close();
  });
});

describe("watchdog — a node that never returns, whenever it is run", () => {
  it.each([0, 1])(
    "is stopped within the launch that runs it first: %i threads",
    async (threads) => {
      const directory = tempDirectory();
      const left = await lifeOf(directory, threads, "left");
      expect([left.signal, left.errors, left.said.at(-1)]).toEqual([null, "", "closed"]);
      const { signal, errors } = await lifeOf(directory, threads, "first");
      expect(signal).toBe("SIGKILL");
      expect(errors).toContain('node "loop" of agent "looper"');
    },
  );

  it("is a dead letter after three further launches, each of which it stops", async () => {
    const directory = tempDirectory();
    const lives = [await lifeOf(directory, 1, "node")];
    while (lives.at(-1)?.signal === "SIGKILL" && lives.length < 9) {
      lives.push(await lifeOf(directory, 1, "letters"));
    }
    const stops = lives.filter(({ signal }) => signal === "SIGKILL");
    expect(stops).toHaveLength(4);
    for (const { errors } of stops) expect(errors).toContain('node "loop" of agent "looper"');
    const said = lives.at(-1)?.said ?? [];
    expect(said[0]).toMatch(/^last node node "loop" of agent "looper"/);
    expect(said.slice(-2)).toEqual(["letter looper loop 3", "closed"]);
    const before = lives.slice(0, -1).reduce((sum, life) => sum + acknowledged(life.said), 0);
    expect(before).toBeGreaterThanOrEqual(20);
    const found = Number(said[1]?.split(" ")[1]);
    expect(found).toBeGreaterThanOrEqual(before);
    // One update was under way at each stop.
    expect(found).toBeLessThanOrEqual(before + stops.length);
  });
});

describe("watchdog — what does not set it off", () => {
  it("a process that is stopped for longer than the limit, and goes on", async () => {
    const directory = tempDirectory();
    const child = startProgram("stuck.js", directory, "1", "updates", String(limitMs));
    let acks = 0;
    let closed = false;
    for await (const line of child.lines) {
      if (line.startsWith("ack ")) acks += 1;
      closed ||= line === "closed";
      if (acks === 100) {
        process.kill(child.pid, "SIGSTOP");
        // Time itself is what is tested: the process stands still for it.
        await pass(3 * limitMs);
        process.kill(child.pid, "SIGCONT");
        acks += 1;
        void pass(2 * limitMs).then(() => child.end());
      }
    }
    expect(await child.exit).toEqual({ code: 0, signal: null });
    expect(child.errors()).toBe("");
    expect([closed, acks > 101]).toEqual([true, true]);
  });

  it("a thread that has died, when the process goes on", async () => {
    const { said, signal, errors } = await lifeOf(tempDirectory(), 1, "exit");
    expect([signal, errors, said.at(-1)]).toEqual([null, "", "closed"]);
  });

  it("an endless loop that somebody looks at with an inspector", async () => {
    const { said, signal } = await lifeOf(tempDirectory(), 1, "inspected");
    expect([signal, said.at(-1)]).toEqual([null, "alive"]);
  });

  it("a launching thread that is busy with other things than handlers", async () => {
    const { said, signal, errors } = await lifeOf(tempDirectory(), 0, "outside");
    expect([signal, errors, said.at(-1)]).toEqual([null, "", "closed"]);
  });
});

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
