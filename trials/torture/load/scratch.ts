// Scratch — a store that is filled and cleared, round by round, by one client.

import { type LoadOrder, scratchNames, windows } from "../orders.js";
import { type Load, type Report, type Tortured, Window } from "./client.js";

/** Says what is there. */
export async function findScratch(runtime: Tortured, report: Report): Promise<void> {
  for await (const [key, round] of runtime.store("scratch").entries()) {
    report.say(`found scratch ${key} ${round}`);
  }
}

const pauseMs = 10;

/** Fills, says so, and clears; it says first that it is about to clear. */
export async function loadScratch(load: Load, { scratchRound }: LoadOrder): Promise<void> {
  const { runtime, report, random } = load;
  const store = runtime.store("scratch");
  const window = new Window(report, windows.scratch);
  for (let round = scratchRound; !window.isFrozen("all"); round += 1) {
    for (const key of scratchNames) {
      if (random() < 0.3) continue;
      await window.room();
      window.begin("all", async () => {
        await store.put(key, round);
        report.say(`ack scratch put ${key} ${round}`);
      });
    }
    await window.empty();
    if (window.isFrozen("all")) return;
    report.sayNow(`ack scratch clearing ${round}`);
    window.begin("all", async () => {
      await store.clear();
      report.say(`ack scratch cleared ${round}`);
    });
    await window.empty();
    await new Promise((resolve) => setTimeout(resolve, pauseMs * random()));
  }
}
