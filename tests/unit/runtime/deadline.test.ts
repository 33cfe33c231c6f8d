// Bugs here would look like a close that warns of a leak, or one that waits behind its time.
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { deadlineAfter, whenAborted } from "../../../runtime/deadline.js";
import { realSystem } from "../../../runtime/system.js";

describe("deadline", () => {
  it("takes as many who wait as there are threads, without a warning of Node", async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on("warning", hear);
    onTestFinished(() => void process.off("warning", hear));
    const deadline = deadlineAfter(realSystem, 60_000);
    const waiting = Array.from({ length: 300 }, () => whenAborted(deadline.signal));
    await turn();
    deadline.cancel();

    expect(waiting).toHaveLength(300);
    expect(warnings).toEqual([]);
  });

  it("rejects everybody who waits with what is over, and who comes later", async () => {
    const deadline = deadlineAfter(realSystem, 1);
    await expect(whenAborted(deadline.signal)).rejects.toThrow("1 ms are over");
    await expect(whenAborted(deadline.signal)).rejects.toThrow("1 ms are over");
  });
});
