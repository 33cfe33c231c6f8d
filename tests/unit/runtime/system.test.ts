// Bugs here would look like a flush that comes after the drain it was to precede, or a timer that
// cannot be stopped.
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { realSystem } from "../../../runtime/system.js";

describe("system — the event loop", () => {
  it("runs what is soon before what is later, both after who asked (Y1)", async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      realSystem.later(() => {
        order.push("later");
        realSystem.soon(() => order.push("soon within later"));
        realSystem.later(() => {
          order.push("second later");
          resolve();
        });
      });
      realSystem.soon(() => order.push("soon"));
      order.push("now");
    });
    expect(order).toEqual(["now", "soon", "later", "soon within later", "second later"]);
  });

  it("runs a timer once, and never one that was cancelled, however often", async () => {
    const fired: string[] = [];
    const cancelled = realSystem.after(1, () => fired.push("cancelled"));
    cancelled.cancel();
    cancelled.cancel();
    await new Promise<void>((resolve) => {
      const timer = realSystem.after(5, () => {
        fired.push("fired");
        resolve();
      });
      expect(typeof timer.cancel).toBe("function");
    });
    expect(fired).toEqual(["fired"]);
  });

  it("knows the time, a clock that never goes back, and chance", () => {
    const before = realSystem.elapsed();
    expect(Math.abs(realSystem.now() - Date.now())).toBeLessThan(1_000);
    expect(realSystem.elapsed()).toBeGreaterThanOrEqual(before);
    const numbers = Array.from({ length: 100 }, () => realSystem.random());
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
    expect(new Set(numbers).size).toBeGreaterThan(90);
  });
});

describe("system — stop (Y2)", () => {
  it("kills the whole process, with a diagnosis, and does not return even if that fails", () => {
    const kill = vi.spyOn(process, "kill").mockReturnValue(true);
    onTestFinished(() => kill.mockRestore());
    // Its one line on the terminal is part of what it does.
    expect(() => realSystem.stop("a test of what stops a process")).toThrow("a test of what stops");
    expect(kill.mock.calls).toEqual([[process.pid, "SIGKILL"]]);
  });
});
