// A bug here would look like this: an instance that two node invocations use at a time, one that is
// lost to its pool, a caller that waits for ever, a connection that is left open.

import { setImmediate as flushed } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { object } from "../../../agents/declare/object.js";
import type { ObjectEntry } from "../../../runtime/task-program.js";
import { ThreadObjects } from "../../../runtime/thread-objects.js";
import { ManualSystem } from "../../support/manual-system.js";

type Entries = Readonly<Record<string, ObjectEntry>>;

function threadWith(entries: Entries): { objects: ThreadObjects; system: ManualSystem } {
  const system = new ManualSystem();
  return { objects: new ThreadObjects(new Map(Object.entries(entries)), system), system };
}

/** A builder of numbered instances that knows what was made and closed. */
function numbered() {
  const made: { readonly id: number; close(): void }[] = [];
  const closed: number[] = [];
  const build = () => {
    const id = made.length + 1;
    const instance = { id, close: () => void closed.push(id) };
    made.push(instance);
    return instance;
  };
  return { build, made, closed };
}

describe("thread objects — values and shared ones", () => {
  it("object(value) is shared as is", async () => {
    const settings = { currency: "EUR" };
    const { objects } = threadWith({ settings: object(settings) });
    expect(await objects.acquire("settings", {})).toBe(settings);
    expect(await objects.acquire("settings", {})).toBe(settings);
  });

  it("a shared object is built once per thread, also for those that ask at once", async () => {
    const { build, made } = numbered();
    const entries = { mailer: object({ build: async () => build(), shared: true }) };
    const { objects } = threadWith(entries);
    const [one, other] = await Promise.all([
      objects.acquire("mailer", {}),
      objects.acquire("mailer", {}),
    ]);
    expect(one).toBe(other);
    expect(made).toHaveLength(1);
    await threadWith(entries).objects.acquire("mailer", {});
    expect(made).toHaveLength(2);
  });

  it("what could not be built is built anew for the next that asks", async () => {
    let calls = 0;
    const build = () => {
      calls += 1;
      if (calls === 1) throw new Error("no network");
      return calls;
    };
    const { objects } = threadWith({ shared: object({ build, shared: true }) });
    await expect(objects.acquire("shared", {})).rejects.toThrow("no network");
    expect(await objects.acquire("shared", {})).toBe(2);
  });
});

describe("thread objects — pools", () => {
  it("a pool is built lazily, up to its limit", async () => {
    const { build, made } = numbered();
    const { objects } = threadWith({ browser: object({ build, limit: 2 }) });
    expect(made).toHaveLength(0);
    const [one, other] = [{}, {}];
    const first = await objects.acquire("browser", one);
    expect(made).toHaveLength(1);
    expect(await objects.acquire("browser", other)).not.toBe(first);
    const third = objects.acquire("browser", {});
    await flushed();
    expect(made).toHaveLength(2);
    objects.release(one);
    expect(await third).toBe(first);
  });

  it("an instance belongs to its holder until it is released, however often it asks", async () => {
    const { build, made } = numbered();
    const { objects } = threadWith({ browser: object({ build, limit: 2 }) });
    const holder = {};
    const first = await objects.acquire("browser", holder);
    expect(await objects.acquire("browser", holder)).toBe(first);
    objects.release(holder);
    objects.release(holder);
    expect(await objects.acquire("browser", {})).toBe(first);
    expect(await objects.acquire("browser", {})).not.toBe(first);
    expect(made).toHaveLength(2);
  });

  it("waiting longer than acquireTimeoutMs throws `Could not acquire object.`", async () => {
    const { build } = numbered();
    const browser = object({ build, limit: 1, acquireTimeoutMs: 500 });
    const { objects, system } = threadWith({ browser });
    const holder = {};
    await objects.acquire("browser", holder);
    const refused = expect(objects.acquire("browser", {})).rejects.toMatchObject({
      code: "OBJECT_UNAVAILABLE",
      message: expect.stringMatching(/^Could not acquire object\./),
      details: { object: "browser", limit: 1, acquireTimeoutMs: 500 },
    });
    await flushed();
    system.advance(500);
    await refused;
    objects.release(holder);
    expect(await objects.acquire("browser", {})).toMatchObject({ id: 1 });
  });

  it("acquireTimeoutMs is 30,000 when it is not given", () => {
    const { plan } = object({ build: () => 1, limit: 1 });
    expect(plan()).toMatchObject({ kind: "pool", acquireTimeoutMs: 30_000 });
  });

  it("serves those that wait in the order of asking, and passes over who gave up", async () => {
    const { build } = numbered();
    const { objects } = threadWith({ browser: object({ build, limit: 1 }) });
    const holder = {};
    await objects.acquire("browser", holder);
    const given: string[] = [];
    const asked = ["a", "b", "c"].map((name) => {
      const [own, gone] = [{}, new AbortController()];
      objects.acquire("browser", own, gone.signal).then(
        () => given.push(name),
        () => given.push(`${name} gone`),
      );
      return { holder: own, gone };
    });
    await flushed();
    asked[1]?.gone.abort(new Error("gone"));
    objects.release(holder);
    await flushed();
    objects.release(asked[0]?.holder ?? {});
    await flushed();
    expect(given).toEqual(["b gone", "a", "c"]);
  });

  it("a place whose building failed is built anew for the next that waits", async () => {
    const outcomes: ((error?: Error) => void)[] = [];
    const build = () =>
      new Promise<number>((resolve, reject) => {
        outcomes.push((error) => (error === undefined ? resolve(outcomes.length) : reject(error)));
      });
    const { objects } = threadWith({ browser: object({ build, limit: 1 }) });
    const first = objects.acquire("browser", {});
    const second = objects.acquire("browser", {});
    const third = objects.acquire("browser", {});
    await flushed();
    outcomes[0]?.(new Error("first"));
    await expect(first).rejects.toThrow("first");
    outcomes[1]?.(new Error("second"));
    await expect(second).rejects.toThrow("second");
    outcomes[2]?.();
    expect(await third).toBe(3);
  });

  it("gives an instance that comes too late to the next", async () => {
    const builds: (() => void)[] = [];
    const build = () => new Promise<number>((resolve) => builds.push(() => resolve(builds.length)));
    const { objects } = threadWith({ browser: object({ build, limit: 1 }) });
    const gone = { holder: {} };
    void objects.acquire("browser", gone.holder);
    await flushed();
    objects.release(gone.holder);
    builds[0]?.();
    expect(await objects.acquire("browser", {})).toBe(1);
    expect(builds).toHaveLength(1);
  });
});

describe("thread objects — builders that get other objects", () => {
  it("a builder gets other objects of the topology", async () => {
    const settings = object({ currency: "EUR" });
    const mailer = object({
      build: async ({ get }) => ({ currency: (await get(settings)).currency }),
      shared: true,
    });
    const { objects } = threadWith({ settings, mailer });
    expect(await objects.acquire("mailer", {})).toEqual({ currency: "EUR" });
  });

  it("a pooled one belongs to what is built; it comes back when building fails", async () => {
    const { build } = numbered();
    const browser = object({ build, limit: 1 });
    let fails = true;
    const crawler = object({
      build: async ({ get }) => {
        const own = await get(browser);
        if (fails) throw new Error("no luck");
        return { own };
      },
      shared: true,
    });
    const { objects } = threadWith({ browser, crawler });
    await expect(objects.acquire("crawler", {})).rejects.toThrow("no luck");
    const holder = {};
    expect(await objects.acquire("browser", holder)).toMatchObject({ id: 1 });
    objects.release(holder);
    fails = false;
    expect(await objects.acquire("crawler", {})).toMatchObject({ own: { id: 1 } });
    const waiting = objects.acquire("browser", {});
    const winner = Promise.race([waiting, flushed().then(() => "waits")]);
    expect(await winner).toBe("waits");
    void waiting.catch(() => {});
  });

  it("refuses builders that need each other, whoever asks first", async () => {
    const parts: Record<string, ObjectEntry> = {};
    const needs = (other: string) =>
      object({
        // cast: declared below, as a user's module would
        build: async ({ get }) => ({ other: await get(parts[other] as ReturnType<typeof object>) }),
        shared: true,
      });
    Object.assign(parts, { a: needs("b"), b: needs("c"), c: needs("a"), self: needs("self") });
    const { objects } = threadWith(parts);
    const [one, other] = await Promise.allSettled([
      objects.acquire("a", {}),
      objects.acquire("c", {}),
    ]);
    for (const outcome of [one, other]) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "OBJECT_CYCLE" } });
    }
    await expect(objects.acquire("self", {})).rejects.toMatchObject({
      details: { path: ["self", "self"] },
      message: "objects are built with each other: self -> self",
    });
  });

  it("refuses to give a builder what the topology does not declare", async () => {
    const lost = object(1);
    const one = object({ build: ({ get }) => get(lost), shared: true });
    const { objects } = threadWith({ one });
    await expect(objects.acquire("one", {})).rejects.toMatchObject({
      code: "OBJECT_UNKNOWN",
      details: { object: "one", known: ["one"] },
    });
  });
});

describe("thread objects — closed on shutdown", () => {
  it("closes with asyncDispose, dispose or close, what was built last first", async () => {
    const closed: string[] = [];
    const inner = object({
      build: () => ({
        [Symbol.asyncDispose]: async () => void closed.push("inner"),
        close: closed,
      }),
      shared: true,
    });
    const outer = object({
      build: async ({ get }) => {
        await get(inner);
        return { [Symbol.dispose]: () => void closed.push("outer") };
      },
      shared: true,
    });
    const pool = object({ build: () => ({ close: () => void closed.push("pool") }), limit: 2 });
    const value = object({ close: () => void closed.push("value"), other: 1 });
    const plain = object({ build: () => "text", shared: true });
    const { objects } = threadWith({ outer, inner, pool, value, plain });
    for (const name of ["outer", "pool", "value", "plain"]) await objects.acquire(name, {});
    await objects.acquire("pool", {});
    await objects.close();
    expect(closed).toEqual(["pool", "pool", "outer", "inner"]);
    await objects.close();
    expect(closed).toHaveLength(4);
  });

  it("refuses who asks or waits then, and closes what is built too late", async () => {
    let build = (): void => {};
    const closed: string[] = [];
    const late = object({
      build: () =>
        new Promise<object>((resolve) => {
          build = () => resolve({ close: () => void closed.push("late") });
        }),
      shared: true,
    });
    const browser = object({ build: () => 1, limit: 1 });
    const { objects } = threadWith({ late, browser });
    await objects.acquire("browser", {});
    const refused = [objects.acquire("browser", {}), objects.acquire("late", {})].map((asked) =>
      expect(asked).rejects.toMatchObject({ code: "CLOSED" }),
    );
    await flushed();
    await objects.close();
    build();
    await Promise.all(refused);
    expect(closed).toEqual(["late"]);
    await expect(objects.acquire("browser", {})).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("an object that cannot be closed is a warning, and takes nothing down with it", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    onTestFinished(() => warn.mockRestore());
    const { build, closed } = numbered();
    const one = object({ build, shared: true });
    const fail = (): never => {
      throw new Error("it is stuck");
    };
    const other = object({ build: () => ({ close: fail }), shared: true });
    const { objects } = threadWith({ one, other });
    await objects.acquire("one", {});
    await objects.acquire("other", {});
    await objects.close();
    expect(closed).toEqual([1]);
    expect(warn).toHaveBeenCalledWith(
      'object "other" could not be closed: it is stuck',
      "PartitaWarning",
    );
  });

  it("does not wait for one that never closes", async () => {
    const never = object({ build: () => ({ close: () => new Promise(() => {}) }), shared: true });
    const { objects, system } = threadWith({ never });
    await objects.acquire("never", {});
    const closed = objects.close();
    await flushed();
    system.advance(2_000);
    await closed;
    expect(system).toBeDefined();
  });
});
