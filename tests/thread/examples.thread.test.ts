// Every small example as users run it: what its README says it prints is what it prints.

import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runExample } from "../support/run-example.js";
import { tempDirectory } from "../support/temp-directory.js";

describe("examples — as programs with task threads", { timeout: 60_000 }, () => {
  it.each([
    ["bank", [/^2000 transfers, \d+ refused$/m, /^50000 cents in all, 50000 paid in$/m]],
    ["counters", [/^page-views: 5000$/m, /^5000 views, 5000 different numbers$/m]],
    ["feature-flags", [/^\d+ pages rendered during the changes, 0 of them mixed$/m]],
    [
      "reservations",
      [
        /^stock over crashes: held in 100 runs$/m,
        /^orders at once: held in 100 runs$/m,
        /^orders at once, carelessly: caught in run \d+$/m,
        /^ {2}shrunk \d+ times, to \[\[.*\],\[\],\d+\]$/m,
      ],
    ],
    ["read-through-cache", [/^100 answers, 4 of them computed$/m, /cached: true$/m]],
    [
      "word-count",
      [/^138 chapters, 215386 words, 17346 different ones$/m, /^equal to a plain count$/m],
    ],
    [
      "triage",
      [
        /^60 of 60 mails judged$/m,
        /^by rules: 49 mails, 9 of them spam; 48 as the corpus says$/m,
        /^by human: 11 mails, 7 of them spam; 11 as the corpus says$/m,
        /^fork: 59 of 60 decisions as before$/m,
      ],
    ],
    [
      "fibonacci",
      [
        /^fib\(14\) = 377: 1219 invocations in \d+\.\d s$/m,
        /^fib\(100\) = 354224848179261915075: 101 numbers computed$/m,
      ],
    ],
    [
      "order",
      [
        /^ada {2}shipped, after 3 requests to pay$/m,
        /^fay {2}cancelled, after 3 requests to pay$/m,
        /^2 hats shipped, 18 free, 0 reserved$/m,
        /^money kept: Map\(1\) \{ 'ada' => 2000 \}$/m,
      ],
    ],
    ["sessions", [/^swept: 1000$/m, /^touched after logout: false$/m]],
  ])("runs %s to its end", async (name, lines) => {
    const temporary = tempDirectory();
    const { status, output, errors } = await runExample(name, temporary);

    expect(errors).toBe("");
    expect(status).toBe(0);
    for (const line of lines) expect(output).toMatch(line);
    expect(readdirSync(temporary)).toEqual([]);
  });
});
