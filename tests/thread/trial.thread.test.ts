// What all commands that try to break the guarantees share: options, lines and exit status. Bugs
// here would look like a violation that a script takes for a success.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";

const file = fileURLToPath(new URL("../../dist/tests/topologies/trial-child.js", import.meta.url));

interface Ended {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Runs the sample to its end; `heard` gets what it has printed so far, each time there is more. */
function sample(
  args: readonly string[],
  heard: (output: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Ended> {
  const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  let errors = "";
  child.stdout.on("data", (data) => {
    output += String(data);
    heard(output, (signal) => void child.kill(signal));
  });
  child.stderr.on("data", (data) => {
    errors += String(data);
  });
  return new Promise((resolve) => {
    child.once("close", (status) => resolve({ status, output, errors }));
  });
}

const simulator = fileURLToPath(new URL("../../dist/trials/sim/main.js", import.meta.url));

/** The last line of one seed of the simulator. */
async function lastLineOf(seed: number, ...more: readonly string[]): Promise<string | undefined> {
  const args = [simulator, "--seeds", "1", "--seed", `${seed}`, ...more];
  const child = spawn(process.execPath, ["--enable-source-maps", ...args]);
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (data) => {
    output += String(data);
  });
  await new Promise((resolve) => child.once("close", resolve));
  return output.trimEnd().split("\n").at(-1);
}

const firstLine = /^sample: seed=\d+ node=v\d+\.\d+\.\d+ linux\n/;

describe("trial — how it ends", () => {
  it("exits 0 when it held, with the seed first and the outcome last", async () => {
    const { status, output, errors } = await sample([]);
    expect(status).toBe(0);
    expect(output).toMatch(firstLine);
    expect(output).toMatch(/\nsample: rounds=3 seed=20261125\n$/);
    expect(errors).toBe("");
  });

  it("exits 1 when it was violated, with the same last line", async () => {
    const { status, output } = await sample(["--end", "1", "--seed=7"]);
    expect(status).toBe(1);
    expect(output).toMatch(/^sample: seed=7 .*\nsample: rounds=3 seed=7\n$/);
  });

  it("exits 1 with the stack when the trial itself fails, and prints no outcome", async () => {
    const { status, output, errors } = await sample(["--end", "2"]);
    expect(status).toBe(1);
    expect(errors).toMatch(/RangeError: a mistake of the trial\n\s+at .*trial-child/);
    expect(output).not.toContain("rounds=");
  });

  it("exits 3 with a sentence when the machine lacks something", async () => {
    const { status, output, errors } = await sample(["--end", "3"]);
    expect(status).toBe(3);
    expect(errors).toBe("sample: there is no strace\n");
    expect(output).not.toContain("rounds=");
  });

  it.each(["SIGINT", "SIGTERM"] as const)(
    "exits 130 at %s, after it has stopped",
    async (signal) => {
      let isSent = false;
      const { status, output } = await sample(["--end", "4"], (heard, kill) => {
        if (isSent || !heard.includes("waiting")) return;
        isSent = true;
        kill(signal);
      });
      expect(status).toBe(130);
      expect(output).not.toContain("rounds=");
    },
  );
});

describe("trial — its command line", () => {
  it("gives numbers and switches to the trial, and prints what it says", async () => {
    const { status, output } = await sample(["--rounds", "2", "--from=0", "--loud"]);
    expect(status).toBe(0);
    expect(output).toMatch(/\nround 0\nround 1\nsample: rounds=2 seed=\d+\n$/);
  });

  it.each([["--help"], ["-h"]])("explains itself at %s", async (help) => {
    const { status, output } = await sample([help, "--rounds", "5"]);
    expect(status).toBe(0);
    expect(output).toBe(
      [
        "usage: npm run sample -- [options]",
        "",
        "Tries nothing.",
        "",
        "  --rounds N           rounds (3)",
        "  --from N             first round (1)",
        "  --end N              0 held, 1 violated, 2 throws, 3 unavailable, 4 waits (0)",
        "  --loud               says each round",
        "  --seed N             where all random choices begin (20261125)",
        "",
        "exit status: 0 held, 1 violated, 2 wrong command line, 3 machine lacks something",
        "",
      ].join("\n"),
    );
  });

  it.each([
    [["--round", "5"], /Unknown option '--round'/],
    [["--rounds", "0"], /--rounds takes a whole number of at least 1, not "0"/],
    [["--from", "-1"], /sample: /],
    [["--rounds", "1.5"], /not "1\.5"/],
    [["--rounds", "many"], /not "many"/],
    [["--rounds", "1e3x"], /not "1e3x"/],
    [["--rounds="], /not ""/],
    [["--rounds"], /argument missing/],
    [["--loud", "5"], /Unexpected argument '5'/],
    [["--loud=5"], /does not take an argument/],
    [["5"], /Unexpected argument '5'/],
    [["--seed", "-5"], /sample: /],
  ])("exits 2 at %s, before anything happens", async (args, message) => {
    const { status, output, errors } = await sample(args);
    expect(status).toBe(2);
    expect(errors).toMatch(message);
    expect(errors).toMatch(/\nsample: --help lists the options\n$/);
    expect(output).toBe("");
  });
});

describe("trial — a seed of the simulator", () => {
  it("goes the same way on a thread of its own and told aloud", async () => {
    const [alone, aloud] = await Promise.all([
      lastLineOf(20_266_670),
      lastLineOf(20_266_670, "--verbose"),
    ]);
    expect(alone).toMatch(/^sim: seeds=1 steps=\d+ crashes=\d+ violations=0$/);
    expect(aloud).toBe(alone);
  });
});
