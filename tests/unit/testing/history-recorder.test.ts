// Bugs here would look like a call whose times are not those at which it happened, or like a lost
// call that a checker takes for one that never was.
import { describe, expect, it } from "vitest";
import {
  assertLinearizable,
  type ModelOperation,
  recordHistory,
  type VersionedOperation,
} from "../../../testing/index.js";
import { latch } from "../../support/latch.js";

describe("history recorder — calls and their times", () => {
  it("numbers calls and returns in the order in which they happen", async () => {
    const history = recordHistory<VersionedOperation>();
    const open = latch();
    const slow = history.record(
      { kind: "write", key: "k", client: "ada", value: "ada/1" },
      async () => {
        await open.opened;
        return 1;
      },
      (version) => ({ version }),
    );
    const quick = history.record(
      { kind: "read", key: "k", client: "ada" },
      () => 0,
      (version) => ({ version }),
    );
    expect(await quick).toBe(0);
    open.open();
    expect(await slow).toBe(1);

    const [write, read] = history.operations;
    expect(write).toEqual({
      kind: "write",
      key: "k",
      client: "ada",
      call: 1,
      value: "ada/1",
      version: 1,
      invoked: 1,
      returned: 4,
    });
    expect(read).toMatchObject({ client: "ada", call: 2, version: 0, invoked: 2, returned: 3 });
  });

  it("takes the times of a clock when there is one", async () => {
    const times = [100, 250];
    const history = recordHistory<ModelOperation<string, number>>({
      clock: () => times.shift() ?? 0,
    });
    await history.record(
      { input: "read" },
      () => 7,
      (output) => ({ output }),
    );
    expect(history.operations).toEqual([{ input: "read", output: 7, invoked: 100, returned: 250 }]);
  });

  it("has an unknown outcome for what was rejected or has not returned", async () => {
    const history = recordHistory<VersionedOperation>();
    const refuse = async (): Promise<number> => {
      throw new Error("the thread died");
    };
    await expect(history.record({ kind: "write", key: "k" }, refuse)).rejects.toThrow("died");
    const open = latch();
    const pending = history.record({ kind: "write", key: "k" }, () => open.opened);

    expect(history.operations.map(({ returned }) => returned)).toEqual([
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
    open.open();
    await pending;
    expect(history.operations[1]?.returned).toBe(3);
  });

  it("leaves out what certainly had no effect", async () => {
    const hadNoEffect = (error: unknown) => error instanceof RangeError;
    const history = recordHistory<VersionedOperation>({ hadNoEffect });
    const refuse = (error: Error) => () => Promise.reject(error);
    await expect(
      history.record({ kind: "write", key: "k" }, refuse(new RangeError())),
    ).rejects.toThrow(RangeError);
    await expect(
      history.record({ kind: "write", key: "k" }, refuse(new TypeError())),
    ).rejects.toThrow(TypeError);

    expect(history.operations).toHaveLength(1);
  });

  it("records what the checkers take", async () => {
    const history = recordHistory<VersionedOperation>();
    let version = 0;
    for (let call = 1; call <= 5; call += 1) {
      await history.record(
        { kind: "write", key: "k" },
        () => ++version,
        (written) => ({ version: written }),
      );
      await history.record(
        { kind: "read", key: "k" },
        () => version,
        (seen) => ({ version: seen }),
      );
    }
    assertLinearizable(history.operations);
    const stale = { kind: "read", key: "k", version: 1, invoked: 100, returned: 101 } as const;
    expect(() => assertLinearizable([...history.operations, stale])).toThrow(
      /^not linearizable: 1 violation in 11\n {2}stale: /,
    );
  });

  it("refuses options that it does not know", () => {
    // @ts-expect-error: no such option
    expect(() => recordHistory({ now: () => 1 })).toThrow(
      expect.objectContaining({ code: "OPTION_UNKNOWN" }),
    );
    // @ts-expect-error: not a function
    expect(() => recordHistory({ clock: 7 })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  });
});
