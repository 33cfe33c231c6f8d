// Killed programs — small programs that work on a directory, in a process of their own, until they
// have said enough; then kill -9, in the middle of everything.

import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDirectory } from "./temp-directory.js";

/** When a program has said enough: when a word of it has come more often than that. */
export interface Enough {
  readonly word: string;
  readonly times: number;
}

/** Runs the program in a directory, and resolves with the lines that it had said when it died. */
export type RunUntilKilled = (directory: string, round: number) => Promise<readonly string[]>;

/** A program from its source, which finds the directory and the round among its arguments. */
export function killedProgram(source: string, { word, times }: Enough): RunUntilKilled {
  const file = join(tempDirectory(), "program.mjs");
  writeFileSync(file, source);
  return (directory, round) => {
    const args = [file, directory, String(round)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.split(word).length > times) child.kill("SIGKILL");
    });
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status, signal) => {
        if (signal !== "SIGKILL") reject(new Error(`the program ended by itself: ${status}`));
        // The last line may be torn.
        else resolve(output.split("\n").slice(0, -1));
      });
    });
  };
}

/** Where a program imports a compiled file of this package from. */
export function compiled(file: string): string {
  return new URL(`../../dist/${file}`, import.meta.url).href;
}
