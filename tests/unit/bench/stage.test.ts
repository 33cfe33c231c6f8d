// The benchmark's stage and its child processes — bugs here would look like a server that goes on
// running after Ctrl-C, like a directory that nobody removes, like a run that waits for ever.

import { existsSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ask, freePort, killAfter, startServer } from "../../../bench/child.js";
import { Stage } from "../../../bench/stage.js";

let abort: AbortController;
let stage: Stage;

beforeEach(async () => {
  abort = new AbortController();
  stage = await Stage.open({ quick: true, seed: 1, signal: abort.signal });
});

afterEach(async () => {
  await stage.end();
});

/** A program of its own, as a file. */
async function program(source: string): Promise<URL> {
  const file = join(await stage.newDirectory("program"), "program.mjs");
  writeFileSync(file, source);
  return pathToFileURL(file);
}

const listening = (then = "") => `
  import { createServer } from "node:net";
  ${then}
  const port = Number(process.argv[2]);
  createServer((socket) => socket.end()).listen(port, "127.0.0.1");
`;

async function serve(source: string) {
  const port = await freePort();
  const { pathname } = await program(source);
  const options = { command: process.execPath, args: [pathname, String(port)], port };
  return { port, server: await startServer(stage, options) };
}

async function isServed(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return await new Promise((resolve) => {
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

describe("stage — at the end of a run", () => {
  it("ends the newest first and each once, then removes the directories", async () => {
    const directory = await stage.newDirectory("data");
    const ended: string[] = [];
    const end = (name: string) =>
      stage.atEnd(async () => {
        ended.push(`${name} ${existsSync(directory)}`);
      });
    end("first");
    const second = end("second");
    end("third");
    await second();
    await stage.end();
    expect(ended).toEqual(["second true", "third true", "first true"]);
    expect(existsSync(directory)).toBe(false);
  });

  it("removes the directories even when something cannot be ended", async () => {
    const directory = await stage.newDirectory("data");
    stage.atEnd(async () => {
      throw new Error("stuck");
    });
    await expect(stage.end()).rejects.toThrow("stuck");
    expect(existsSync(directory)).toBe(false);
  });

  it("makes what is shared once", async () => {
    let made = 0;
    const make = async () => {
      made += 1;
      return made;
    };
    const both = [stage.shared("a", make), stage.shared("a", make), stage.shared("b", make)];
    expect(await Promise.all(both)).toEqual([1, 1, 2]);
  });
});

describe("child processes — servers", () => {
  it("are up when they are returned, and gone when they were stopped", async () => {
    const { port, server } = await serve(listening());
    expect(await isServed(port)).toBe(true);
    await server.stop();
    expect(await isServed(port)).toBe(false);
  });

  it("are stopped by the end of the run", async () => {
    const { port } = await serve(listening());
    await stage.end();
    expect(await isServed(port)).toBe(false);
  });

  it("are asked to end before they are killed", async () => {
    const marker = join(await stage.newDirectory("marker"), "ended");
    const { server } = await serve(
      listening(`
        import { writeFileSync } from "node:fs";
        process.on("SIGTERM", () => {
          writeFileSync(${JSON.stringify(marker)}, "");
          process.exit();
        });
      `),
    );
    await server.stop();
    expect(existsSync(marker)).toBe(true);
  });

  it("say what they printed when they end while they start", async () => {
    const starting = serve(`console.error("no such setting"); process.exit(1);`);
    await expect(starting).rejects.toThrow(/ended while it started:\s+no such setting/);
  });

  it("are waited for no longer when the run is interrupted", async () => {
    const starting = serve(`setInterval(() => {}, 1000);`);
    abort.abort(new Error("interrupted"));
    await expect(starting).rejects.toThrow();
    await stage.end();
  });
});

describe("child processes — programs of ours", () => {
  it("answer with their last line, as JSON", async () => {
    const url = await program(`
      console.log("working");
      console.log(JSON.stringify({ got: JSON.parse(process.argv[2]) }));
    `);
    expect(await ask(stage, url, { a: 1 })).toEqual({ got: { a: 1 } });
  });

  it("fail with what they printed", async () => {
    const url = await program(`console.error("sum: found 1"); process.exit(1);`);
    await expect(ask(stage, url, {})).rejects.toThrow(/ended with 1:\s+sum: found 1/);
  });

  it("are killed when they have said the word, and not before", async () => {
    const url = await program(`
      console.log("not yet outstanding");
      console.log("outstanding");
      setInterval(() => {}, 1000);
    `);
    await killAfter(stage, url, {}, "outstanding");
    const early = await program(`console.log("not yet outstanding");`);
    await expect(killAfter(stage, early, {}, "outstanding")).rejects.toThrow("ended by itself");
  });

  it("are killed when the run is interrupted", async () => {
    const url = await program(`setInterval(() => {}, 1000);`);
    const asked = ask(stage, url, {});
    abort.abort(new Error("interrupted"));
    await expect(asked).rejects.toThrow("ended with null");
  });
});
