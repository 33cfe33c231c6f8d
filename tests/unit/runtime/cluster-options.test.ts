// Bugs here would look like a misspelt option that is silently ignored, or a number that makes no
// sense and fails much later.
import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import { clusterOptions } from "../../../runtime/cluster-options.js";

/** Options as a program without types could give them. */
function given(options: unknown) {
  return () => Reflect.apply(clusterOptions, undefined, [options]);
}

describe("launch options — defaults", () => {
  it("are filled in", () => {
    const cores = availableParallelism();
    expect(clusterOptions({ directory: "d" })).toEqual({
      directory: "d",
      taskCount: undefined,
      threadCount: cores,
      durability: "durable",
      syncIntervalMs: limits.syncIntervalMs,
      arenaBytes: limits.arenaBytesDefault,
      callRetention: { retentionMs: 86_400_000, recordsMax: 100_000 },
      bounds: {
        messagesMax: limits.laneMessagesMax,
        bytesMax: limits.laneBytesMax,
        whenFull: "wait",
      },
      onThreadExit: "stop",
      closeTimeoutMs: limits.closeTimeoutMs,
      computeThreads: cores,
      checkpointThreads: limits.checkpointThreads,
      diskMarks: {
        diskLowBytes: limits.diskLowBytes,
        diskReserveBytes: limits.diskReserveBytes,
      },
      handlerTimeoutMs: limits.handlerTimeoutMs,
      threadHeapBytes: undefined,
    });
  });

  it("give way to what is asked", () => {
    const asked = clusterOptions({
      directory: "d",
      tasks: 9,
      threads: 0,
      durability: "interval",
      mailbox: { whenFull: "reject", messagesMax: 3 },
    });
    expect(asked).toMatchObject({ taskCount: 9, threadCount: 0, durability: "interval" });
    expect(asked.bounds).toMatchObject({ whenFull: "reject", messagesMax: 3 });
  });
});

describe("launch options — refusals", () => {
  const numbers: readonly (readonly [string, number, number])[] = [
    ["tasks", 1, limits.tasksMax],
    ["threads", 0, limits.threadsMax],
    ["syncIntervalMs", 1, 60_000],
    ["arenaBytes", limits.arenaBytesMin, limits.arenaBytesMax],
    ["closeTimeoutMs", 0, 3_600_000],
    ["computeThreads", 1, limits.threadsMax],
    ["checkpointThreads", 1, limits.threadsMax],
    ["threadHeapBytes", limits.threadHeapBytesMin, limits.threadHeapBytesMax],
    ["diskLowBytes", 0, Number.MAX_SAFE_INTEGER],
    ["diskReserveBytes", 0, limits.diskLowBytes],
  ];

  for (const [option, min, max] of numbers) {
    it(`takes ${option} from ${min} to ${max}, ends included, and no other number`, () => {
      for (const value of [min, max]) given({ directory: "d", [option]: value })();
      const hostile = [min - 1, max + 1, min + 0.5, Number.NaN, -0.1, Infinity, "4", null, {}, 4n];
      for (const value of hostile) {
        expect(given({ directory: "d", [option]: value })).toThrow(
          expect.objectContaining({
            code: "OPTION_INVALID",
            details: expect.objectContaining({
              where: "launch",
              option,
              valid: `a whole number from ${min} to ${max}`,
            }),
          }),
        );
      }
    });
  }

  it("takes no limit of handlers that is too short to mean anything, but none", () => {
    expect(clusterOptions({ directory: "d", handlerTimeoutMs: 0 }).handlerTimeoutMs).toBe(0);
    for (const value of [-1, 1, 99, 3_600_001, "30000", null]) {
      expect(given({ directory: "d", handlerTimeoutMs: value })).toThrow(
        "a whole number from 100 to 3600000",
      );
    }
  });

  it("keeps the disk's reserve within its first mark", () => {
    expect(clusterOptions({ directory: "d", diskLowBytes: 1_000 }).diskMarks).toEqual({
      diskLowBytes: 1_000,
      diskReserveBytes: 1_000,
    });
    const asked = { directory: "d", diskLowBytes: 1_000, diskReserveBytes: 1_001 };
    expect(given(asked)).toThrow("a whole number from 0 to 1000");
  });

  it("names an option that it does not know, and those it does", () => {
    const unknown = expect.objectContaining({
      code: "OPTION_UNKNOWN",
      details: expect.objectContaining({
        option: "task",
        known: expect.arrayContaining(["directory", "tasks", "threads", "mailbox"]),
      }),
    });
    expect(given({ directory: "d", task: 4 })).toThrow(unknown);
    const inMailbox = { code: "OPTION_UNKNOWN", details: { where: "launch mailbox" } };
    let error: unknown;
    try {
      given({ directory: "d", mailbox: { size: 1 } })();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject(inMailbox);
  });

  it("refuses directories that are no paths, and words that are none of the choices", () => {
    const invalid = expect.objectContaining({ code: "OPTION_INVALID" });
    for (const directory of [undefined, null, "", 5, "a\0b", {}]) {
      expect(given({ directory })).toThrow(invalid);
    }
    expect(given({ directory: "d", durability: "eventually" })).toThrow(
      "durable, interval, relaxed",
    );
    expect(given({ directory: "d", onThreadExit: "ignore" })).toThrow(invalid);
    expect(given({ directory: "d", mailbox: { whenFull: "drop" } })).toThrow(invalid);
    expect(given({ directory: "d", mailbox: { messagesMax: 0 } })).toThrow(invalid);
    expect(given({ directory: "d", mailbox: null })).toThrow();
    for (const options of [undefined, null, 5, "d", []]) expect(given(options)).toThrow(invalid);
  });
});
