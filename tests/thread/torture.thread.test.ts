// Torture and histories — small runs of both commands, and none of their processes outlives them.

import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";

interface Ended {
  readonly status: number | null;
  readonly output: string;
}

function command(name: string, args: readonly string[]) {
  const file = fileURLToPath(new URL(`../../dist/trials/${name}/main.js`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (data) => {
    output += String(data);
  });
  const ended = new Promise<Ended>((resolve) => {
    child.once("close", (status) => resolve({ status, output }));
  });
  return { pid: child.pid ?? 0, kill: () => void child.kill("SIGINT"), ended };
}

/** Processes whose parent is `pid`. */
function childrenOf(pid: number): string[] {
  return readdirSync("/proc").filter((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] === String(pid);
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe("torture and histories — small runs", () => {
  it("keeps every promise over two deaths", async () => {
    const { status, output } = await command("torture", ["--cycles", "2"]).ended;
    const counts = "lost=0 duplicated=0 reordered=0 torn=0";
    expect(output).toMatch(new RegExp(`\ntorture: cycles=2 acked=\\d+ ${counts}\n$`));
    expect(status).toBe(0);
  });

  it("finds two histories linearizable", async () => {
    const { status, output } = await command("histories", ["--count", "2"]).ended;
    expect(output).toMatch(/\nhistories: count=2 ops=\d{3,} violations=0\n$/);
    expect(status).toBe(0);
  });

  it.runIf(process.platform === "linux").each(["torture", "histories"])(
    "leaves no process of %s behind when it is interrupted",
    async (name) => {
      const { pid, kill, ended } = command(name, []);
      let child: string | undefined;
      await until(() => {
        [child] = childrenOf(pid);
        return child !== undefined;
      });
      kill();
      expect((await ended).status).toBe(130);
      expect(readdirSync("/proc")).not.toContain(child);
    },
  );
});
