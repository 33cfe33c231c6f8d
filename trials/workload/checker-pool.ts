// Checker pool — processes that open images, as many as there are jobs.
//
// Invariants:
//   Q1. A checker that dies or does not answer has found something: an image that takes a process
//       down is one that cannot be opened.
//   Q2. A checker is replaced after so many images: what LMDB leaks does not add up.

import { type ChildProcess, fork } from "node:child_process";
import type { Finding } from "./judge.js";
import type { CheckReply, CheckRequest } from "./checker.js";

const imagesPerChecker = 400;
const answerMs = 120_000;

interface Checker {
  readonly child: ChildProcess;
  images: number;
  errors: string;
}

export class CheckerPool {
  readonly #file: string;
  readonly #idle: Checker[] = [];
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(file: string, jobs: number) {
    this.#file = file;
    this.#free = jobs;
  }

  /** Resolves when a checker is free; the caller then owes one `check`. */
  async turn(): Promise<void> {
    while (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#free -= 1;
  }

  async check(request: CheckRequest): Promise<readonly Finding[]> {
    const checker = this.#idle.pop() ?? this.#start();
    try {
      const findings = await answerOf(checker, request);
      checker.images += 1;
      if (checker.child.connected && checker.images < imagesPerChecker) this.#idle.push(checker);
      else checker.child.kill("SIGKILL");
      return findings;
    } finally {
      this.#free += 1;
      this.#waiting.shift()?.();
    }
  }

  close(): void {
    for (const { child } of this.#idle.splice(0)) child.kill("SIGKILL");
  }

  #start(): Checker {
    const child = fork(this.#file, {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    const checker: Checker = { child, images: 0, errors: "" };
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      checker.errors = `${checker.errors}${text}`.slice(-4_000);
    });
    return checker;
  }
}

function answerOf(checker: Checker, request: CheckRequest): Promise<readonly Finding[]> {
  const { child } = checker;
  return new Promise((resolve) => {
    const end = (findings: readonly Finding[]): void => {
      clearTimeout(timer);
      child.removeAllListeners("message").removeAllListeners("close");
      resolve(findings);
    };
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      end([{ wrong: "lost", what: `the image was not opened within ${answerMs} ms` }]);
    }, answerMs);
    child.once("close", (status, signal) => {
      const what = `the image ended the process with ${signal ?? status}: ${checker.errors.trim()}`;
      end([{ wrong: "lost", what }]);
    });
    // cast: the checker sends CheckReplies.
    child.once("message", (message) => end((message as CheckReply).findings));
    child.send(request);
  });
}
