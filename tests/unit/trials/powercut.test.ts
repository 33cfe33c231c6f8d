// Power cut — the model disk, the images that it may leave, and what system calls mean.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../testing/index.js";
import { broken } from "../../../trials/mutant.js";
import {
  type Cut,
  cuts,
  type ImageFolder,
  imageOf,
  writeImage,
} from "../../../trials/powercut/image.js";
import { mutants } from "../../../trials/powercut/mutants.js";
import { Player } from "../../../trials/powercut/player.js";
import { type Step, stepsOf } from "../../../trials/powercut/steps.js";
import { tempDirectory } from "../../support/temp-directory.js";

const scene = { root: "/r", journal: "/j" };

function hex(text: string): string {
  const bytes = Array.from(Buffer.from(text), (byte) => byte.toString(16).padStart(2, "0"));
  return `"${bytes.map((byte) => `\\x${byte}`).join("")}"`;
}

function steps(...lines: readonly string[]): Step[] {
  return stepsOf(Buffer.from(`${lines.join("\n")}\n`, "latin1"), scene, 1);
}

function played(...lines: readonly string[]): Player {
  const player = new Player("/r");
  for (const step of steps(...lines)) player.play(step);
  return player;
}

/** What an image holds, as text. */
function shown(image: ImageFolder): unknown {
  return Object.fromEntries(
    Array.from(image, ([name, content]) => {
      return [name, content instanceof Map ? shown(content) : content.toString("latin1")];
    }),
  );
}

function cut(player: Player, kind: Cut): unknown {
  return shown(imageOf(player.disk, kind, seededRandom(1), []));
}

/** Every image that chance makes of a disk. */
function images(player: Player, kinds: readonly Cut[] = cuts): ReadonlySet<string> {
  const random = seededRandom(7);
  const seen = new Set<string>();
  for (let round = 0; round < 300; round += 1) {
    for (const kind of kinds) {
      seen.add(JSON.stringify(shown(imageOf(player.disk, kind, random, []))));
    }
  }
  return seen;
}

const create = `1 openat(AT_FDCWD, ${hex("/r/f")}, O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 3`;
const folder = [`1 openat(AT_FDCWD, ${hex("/r")}, O_RDONLY|O_CLOEXEC) = 4`, "1 fsync(4) = 0"];

function written(text: string, at: number): string {
  return `1 pwrite64(3, ${hex(text)}, ${text.length}, ${at}) = ${text.length}`;
}

describe("power cut — bytes of a file", () => {
  const named = [create, ...folder];

  it("are there or not until the file was synced", () => {
    const player = played(...named, written("ab", 0));
    expect(cut(player, "none")).toEqual({ f: "" });
    expect(cut(player, "all")).toEqual({ f: "ab" });
    expect(images(played(...named, written("ab", 0), "1 fdatasync(3) = 0"))).toEqual(
      new Set(['{"f":"ab"}']),
    );
  });

  it("are not covered by a sync that began before the write had ended", () => {
    const player = played(
      ...named,
      "1 fdatasync(3 <unfinished ...>",
      `2 ${written("ab", 0).slice(2)}`,
      "1 <... fdatasync resumed>) = 0",
    );
    expect(cut(player, "none")).toEqual({ f: "" });
  });

  it("are there at once behind O_DSYNC, and not before the write has returned", () => {
    const synced = create.replace("O_CLOEXEC", "O_DSYNC|O_CLOEXEC");
    const begun = written("ab", 0).replace(") = 2", " <unfinished ...>");
    expect(cut(played(synced, ...folder, begun), "none")).toEqual({ f: "" });
    expect(cut(played(synced, ...folder, written("ab", 0)), "none")).toEqual({ f: "ab" });
  });

  it("tear between sectors and nowhere else, older bytes in place of the missing", () => {
    const player = played(...named, written("a".repeat(1_024), 0), "1 fdatasync(3) = 0");
    for (const step of steps(create, written("b".repeat(1_024), 0)).slice(1)) player.play(step);
    const seen = images(player, ["torn"]);
    const [old, young] = ["a".repeat(512), "b".repeat(512)];
    const all = [old + old, old + young, young + old, young + young];
    expect(seen).toEqual(new Set(all.map((f) => JSON.stringify({ f }))));
  });

  it("may be there without those that were written before them", () => {
    const player = played(...named, written("ab", 0), written("cd", 2));
    expect(images(player, ["reordered"])).toContain(JSON.stringify({ f: "\0\0cd" }));
    expect(images(player, ["subset"])).toContain(JSON.stringify({ f: "ab" }));
  });
});

describe("power cut — names", () => {
  it("are there or not until their folder was synced, whatever the file's own sync says", () => {
    const player = played(create, written("ab", 0), "1 fsync(3) = 0");
    expect(cut(player, "none")).toEqual({});
    expect(cut(player, "all")).toEqual({ f: "ab" });
    for (const step of steps(...folder)) player.play(step);
    expect(cut(player, "none")).toEqual({ f: "ab" });
  });

  it("are renamed as a whole or not at all", () => {
    const rename = `1 rename(${hex("/r/f")}, ${hex("/r/g")}) = 0`;
    const player = played(create, written("ab", 0), "1 fsync(3) = 0", ...folder, rename);
    expect(images(player)).toEqual(new Set(['{"f":"ab"}', '{"g":"ab"}']));
  });

  it("are removed when the folder was synced", () => {
    const remove = `1 unlink(${hex("/r/f")}) = 0`;
    const player = played(create, ...folder, remove);
    expect(images(player)).toEqual(new Set(['{"f":""}', "{}"]));
    for (const step of steps("1 close(9) = 0", ...folder)) player.play(step);
    expect(images(player)).toEqual(new Set(["{}"]));
  });
});

describe("power cut — a recording", () => {
  const journal = `1 openat(AT_FDCWD, ${hex("/j")}, O_WRONLY|O_CREAT|O_APPEND, 0600) = 5`;

  it("takes an acknowledgement from the moment at which its line is begun", () => {
    const player = played(journal, `1 write(5, ${hex("ack log a 3\n")}, 12 <unfinished ...>`);
    expect(player.known.logs["a"]).toEqual({ acked: 3, tried: 0 });
  });

  it("leaves a write that its thread died in to the look at the directory", () => {
    const killed = written("ab", 0).replace("= 2", "= ?");
    const player = played(create, ...folder, killed);
    const write = steps(create, ...folder, killed).find(({ kind }) => kind === "write");
    const id = write?.kind === "write" ? write.id : 0;
    player.play({ kind: "stop", written: { [id]: 1 } });
    expect(cut(player, "all")).toEqual({ f: "a" });
  });

  it.each([
    [
      "memory that is mapped to be written",
      "1 mmap(NULL, 9, PROT_READ|PROT_WRITE, MAP_SHARED, 3, 0) = 0x7f",
    ],
    ["a call that the model does not know", "1 fallocate(3, 0, 0, 9) = 0"],
    ["a failed write", `1 pwrite64(3, ${hex("a")}, 1, 0) = -1 EIO (Input/output error)`],
  ])("refuses %s", (_what, line) => {
    expect(() => steps(create, line)).toThrow(RangeError);
  });

  it("does not look at other files", () => {
    const other = create.replace(hex("/r/f"), hex("/other/f"));
    expect(steps(other, written("ab", 0), "1 fallocate(3, 0, 0, 9) = 0")).toEqual([]);
  });
});

describe("power cut — images on disk", () => {
  it("are written as they were chosen, long stretches of zeros too", () => {
    const directory = tempDirectory();
    const bytes = Buffer.concat([Buffer.alloc(100_000), Buffer.from("x"), Buffer.alloc(50_000)]);
    writeImage(new Map([["sub", new Map([["f", bytes]])]]), directory);
    expect(readFileSync(join(directory, "sub", "f")).equals(bytes)).toBe(true);
  });
});

describe("power cut — mutants", () => {
  it("are refused when what they break is not there exactly once", () => {
    const mutant = { name: "m", file: "f", find: "a", replace: "b" };
    expect(broken(mutant, "xax")).toBe("xbx");
    expect(() => broken(mutant, "aa")).toThrow("2 times");
    expect(() => broken(mutant, "x")).toThrow("0 times");
  });

  it("have names of their own", () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  });
});

describe("power cut — names that a killed thread was changing", () => {
  /** Plays calls in a real folder that is left as `end` makes it, and says what the model has. */
  function looked(
    calls: (root: string) => readonly string[],
    end: (root: string) => void,
  ): unknown {
    const root = tempDirectory();
    const player = new Player(root);
    const trace = Buffer.from(`${calls(root).join("\n")}\n`, "latin1");
    for (const step of stepsOf(trace, { root, journal: "/j" }, 1)) player.play(step);
    end(root);
    player.look();
    return cut(player, "all");
  }

  const made = (root: string) => `1 mkdir(${hex(`${root}/new`)}, 0700) = 0`;
  const rmdir = (root: string) => [made(root), `1 rmdir(${hex(`${root}/new`)}) = ?`];
  const rename = (root: string) => [
    made(root),
    `1 rename(${hex(`${root}/new`)}, ${hex(`${root}/old`)}) = ?`,
  ];
  const mkdir = (root: string) => [`1 mkdir(${hex(`${root}/new`)}, 0700) = ?`];
  const leave = (name: string) => (root: string) => mkdirSync(join(root, name));

  it("are as the folder has them: the call took effect, or it did not", () => {
    expect(looked(rmdir, () => {})).toEqual({});
    expect(looked(rmdir, leave("new"))).toEqual({ new: {} });
    expect(looked(rename, leave("old"))).toEqual({ old: {} });
    expect(looked(rename, leave("new"))).toEqual({ new: {} });
    expect(looked(mkdir, leave("new"))).toEqual({ new: {} });
    expect(looked(mkdir, () => {})).toEqual({});
  });

  it("are wrong when nobody was changing them", () => {
    expect(() =>
      looked(
        (root) => [made(root)],
        () => {},
      ),
    ).toThrow("the model says new");
  });
});
