// The storage contract as a suite: every sentence of store/storage.ts that can be false.
//
// What a suite cannot see is left to others: that a crash loses nothing durable (the model and the
// tests of log and replay), and readers on other threads (reader.thread.test.ts).

import { describe, it, onTestFinished } from "vitest";
import type { Cases, Start, StorageFixture } from "../support/storage-fixture.js";
import { clearCases, reopeningCases, roomCases, stepCases } from "./storage-commits.js";
import { keyCases, pageCases } from "./storage-rows.js";

const groups: Readonly<Record<string, Cases>> = {
  keys: keyCases,
  pages: pageCases,
  clears: clearCases,
  "steps of a commit": stepCases,
  "opened again": reopeningCases,
  room: roomCases,
};

/** Runs the suite over what `create` makes; it is called within each test. */
export function describeTaskStorage(name: string, create: () => StorageFixture): void {
  const start: Start = async () => {
    const fixture = create();
    onTestFinished(() => fixture.close());
    return { fixture, storage: await fixture.open() };
  };
  for (const [group, cases] of Object.entries(groups)) {
    describe(`${name} — ${group}`, () => {
      for (const [sentence, run] of Object.entries(cases)) it(sentence, () => run(start));
    });
  }
}
