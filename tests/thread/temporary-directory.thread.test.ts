// Bugs here would look like directories that pile up, or like one that is gone too early.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../../testing/index.js";
import { tempDirectory } from "../support/temp-directory.js";

describe("temporary directory — its life", () => {
  it("is new, empty and its owner's alone, and gone behind its block", async () => {
    let path = "";
    {
      await using directory = await temporaryDirectory();
      await using other = await temporaryDirectory();
      path = directory.path;
      expect(readdirSync(path)).toEqual([]);
      expect(statSync(path).mode & 0o777).toBe(0o700);
      expect(other.path).not.toBe(path);
      writeFileSync(join(path, "file"), "data");
    }
    expect(existsSync(path)).toBe(false);
  });

  it("is gone as well when the block fails, or when it was removed before", async () => {
    let path = "";
    const failing = async () => {
      await using directory = await temporaryDirectory();
      path = directory.path;
      await directory.remove();
      await directory.remove();
      throw new Error("the test failed");
    };
    await expect(failing()).rejects.toThrow("the test failed");
    expect(path).not.toBe("");
    expect(existsSync(path)).toBe(false);
  });

  it("goes with the process that did not remove it", () => {
    const below = tempDirectory();
    const script = `
      import { temporaryDirectory } from "./dist/testing/temporary-directory.js";
      const { remove } = await temporaryDirectory();
      await remove();
      const { path } = await temporaryDirectory();
      (await import("node:fs")).writeFileSync(path + "/file", "data");
      console.log(path);
      process.exit(3);
    `;
    const run = () =>
      execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
        env: { ...process.env, TMPDIR: below },
        encoding: "utf8",
      });
    expect(run).toThrow(expect.objectContaining({ status: 3 }));
    expect(readdirSync(below)).toEqual([]);
  });
});
