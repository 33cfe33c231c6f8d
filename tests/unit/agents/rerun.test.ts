// A node that a crash cut off is run again: what it had done is not done twice (S6). Bugs here
// would look like a deposit of twice the amount, a mail that is sent again, or rows that stay for
// ever.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { AgentClient } from "../../../agents/client/client.js";
import { node } from "../../../agents/declare/node.js";
import { callId } from "../../../runtime/call-id.js";
import { systemTable } from "../../../runtime/system-table.js";
import { topology } from "../../../runtime/topology.js";
import { keyValueStore } from "../../../store/declaration.js";
import { string } from "../../../store/key.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import { type } from "../../../store/schema.js";
import { type AnyStoreClient, HostCluster } from "../../support/host-cluster.js";
import { ManualSystem } from "../../support/manual-system.js";

const accounts = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { deposit: (cents = 0, amount: number) => cents + amount },
});

/** What the node under test uses of its context. */
interface Context {
  readonly stores: {
    readonly accounts: {
      get(key: string): Promise<number | undefined>;
      put(key: string, value: number): Promise<void>;
      update(name: "deposit", key: string, by: number): Promise<number>;
      modify(
        key: string,
        fn: (current: number | undefined) => number | undefined,
      ): Promise<number | undefined>;
    };
  };
  readonly idempotencyKey: string;
  run<T>(name: string, fn: () => T | Promise<T>): Promise<T>;
  now(): number;
  random(): number;
  result(value: unknown): void;
}

/** Three tasks in memory whose process dies whenever the test wants. */
class Lives {
  readonly #run: (ctx: Context, life: number) => Promise<void>;
  #storages: MemoryStorage[] = Array.from({ length: 3 }, () => MemoryStorage.create());
  #cluster: HostCluster;
  #system = new ManualSystem(1);
  life = 0;

  constructor(run: (ctx: Context, life: number) => Promise<void>) {
    this.#run = run;
    this.#cluster = this.#open();
  }

  /** Never resolves: what the function waits for when the process dies. */
  readonly death: Promise<never> = new Promise(() => {});

  get store(): AnyStoreClient {
    return this.#cluster.store("accounts");
  }

  get agent(): AgentClient<unknown, unknown> {
    return this.#cluster.agent("once");
  }

  settle(): Promise<void> {
    return this.#system.settle();
  }

  async until<T>(promise: Promise<T>): Promise<T> {
    const settled = promise.then(
      () => true,
      () => true,
    );
    while (!(await Promise.race([settled, this.#system.settle().then(() => false)])));
    return await promise;
  }

  /** kill -9, and a launch on what was durable. */
  async crash(): Promise<void> {
    await this.settle();
    this.#storages = this.#storages.map((storage) => storage.crash());
    this.life += 1;
    this.#system = new ManualSystem(this.life + 1);
    this.#system.nowMs += 1_000_000 * this.life;
    this.#cluster = this.#open();
    await this.settle();
  }

  operationRows(): number {
    const pages = this.#storages.map((storage) => storage.page(systemTable.operations, {}, 1_000));
    return pages.reduce((sum, rows) => sum + rows.length, 0);
  }

  #open(): HostCluster {
    const { life } = this;
    const once = agent({
      stores: { accounts },
      entry: "act",
      result: type<unknown>(),
      nodes: { act: node({ input: type<string>() }) },
    }).implement({ act: (ctx) => this.#run(ctx, life) });
    const system = this.#system;
    const declared = topology("lives", import.meta.url, { stores: { accounts }, agents: { once } });
    return new HostCluster(declared, {
      system: () => system,
      storage: (task) => this.#storages[task] ?? MemoryStorage.create(),
    });
  }
}

const keys = ["anna", "bert", "cora", "dora"];

describe("a node that is run again after a crash — store operations", () => {
  it("does not apply updates twice, wherever it was cut off, and gets their replies", async () => {
    for (let cutAfter = 0; cutAfter <= keys.length; cutAfter += 1) {
      const lives: Lives = new Lives(async (ctx, life) => {
        const replies: number[] = [];
        for (const [index, key] of keys.entries()) {
          if (life === 0 && index === cutAfter) await lives.death;
          replies.push(await ctx.stores.accounts.update("deposit", key, 100));
        }
        if (life === 0) await lives.death;
        ctx.result(replies);
      });
      const { id } = await lives.until(lives.agent.initiate("x"));
      await lives.crash();
      // Somebody else comes in between the runs.
      expect(await lives.until(lives.agent.get(id).result())).toEqual([100, 100, 100, 100]);
      for (const key of keys) expect(await lives.until(lives.store.get(key))).toBe(100);
    }
  });

  it("repeats get-then-put as it was, though others have written meanwhile", async () => {
    const lives: Lives = new Lives(async (ctx, life) => {
      const count = (await ctx.stores.accounts.get("views")) ?? 0;
      await ctx.stores.accounts.put("views", count + 1);
      if (life === 0) await lives.death;
      await ctx.stores.accounts.put("seen", count + 1);
      ctx.result(count + 1);
    });
    const { id } = await lives.until(lives.agent.initiate("x"));
    await lives.settle();
    await lives.until(lives.store.put("views", 50));
    await lives.crash();
    expect(await lives.until(lives.agent.get(id).result())).toBe(1);
    expect(await lives.until(lives.store.get("views"))).toBe(50);
    expect(await lives.until(lives.store.get("seen"))).toBe(1);
  });

  it("repeats modify as it was", async () => {
    const lives: Lives = new Lives(async (ctx, life) => {
      const after = await ctx.stores.accounts.modify("views", (count = 0) => count + 1);
      if (life < 2) await lives.death;
      ctx.result(after);
    });
    const { id } = await lives.until(lives.agent.initiate("x"));
    await lives.crash();
    await lives.crash();
    expect(await lives.until(lives.agent.get(id).result())).toBe(1);
    expect(await lives.until(lives.store.get("views"))).toBe(1);
  });

  it("does not apply a modify twice whose value is too large to be recorded", async () => {
    const lives: Lives = new Lives(async (ctx, life) => {
      // cast: the store of this suite holds numbers, and takes anything
      await ctx.stores.accounts.modify("views", (text) => `${text}!` as unknown as number);
      if (life === 0) await lives.death;
      ctx.result(null);
    });
    await lives.until(lives.store.put("views", "x".repeat(70_000)));
    const { id } = await lives.until(lives.agent.initiate("x"));
    await lives.crash();
    await lives.until(lives.agent.get(id).result());
    expect(await lives.until(lives.store.get("views"))).toHaveLength(70_001);
  });

  it("applies what differs from the run before as a new operation", async () => {
    const lives: Lives = new Lives(async (ctx, life) => {
      await ctx.stores.accounts.update("deposit", life === 0 ? "anna" : "bert", 100);
      if (life === 0) await lives.death;
      ctx.result(null);
    });
    const { id } = await lives.until(lives.agent.initiate("x"));
    await lives.crash();
    await lives.until(lives.agent.get(id).result());
    expect(await lives.until(lives.store.get("anna"))).toBe(100);
    expect(await lives.until(lives.store.get("bert"))).toBe(100);
  });

  it("keeps records while the node is not done, and none when it is", async () => {
    const lives: Lives = new Lives(async (ctx, life) => {
      await Promise.all(keys.map((key) => ctx.stores.accounts.update("deposit", key, 1)));
      if (life === 0) await lives.death;
      ctx.result(null);
    });
    const { id } = await lives.until(lives.agent.initiate("x"));
    await lives.settle();
    expect(lives.operationRows()).toBe(keys.length);
    await lives.crash();
    await lives.until(lives.agent.get(id).result());
    await lives.settle();
    expect(lives.operationRows()).toBe(0);
    await lives.until(lives.agent.invoke("y"));
    await lives.settle();
    expect(lives.operationRows()).toBe(0);
  });
});

describe("a node that is run again after a crash — the rest of its context", () => {
  it("does not do again what `run` has recorded, and does again what it has not", async () => {
    const done: string[] = [];
    const lives: Lives = new Lives(async (ctx, life) => {
      const mail = await ctx.run("mail", () => {
        done.push(`mail ${life}`);
        return { receipt: life };
      });
      const rest = ctx.run("charge", async () => {
        done.push(`charge ${life}`);
        if (life === 0) await lives.death;
        return "charged";
      });
      ctx.result([mail, await rest, ctx.idempotencyKey]);
    });
    const { id } = await lives.until(lives.agent.initiate("x"));
    await lives.crash();
    const [mail, rest, key] = resultList(await lives.until(lives.agent.get(id).result()));
    expect(mail).toEqual({ receipt: 0 });
    expect(rest).toBe("charged");
    expect(key).toMatch(new RegExp(`^${id}-[0-9a-f]{16}$`));
    expect(done).toEqual(["mail 0", "charge 0", "charge 1"]);
  });

  it("records no failure of `run`: a later run tries again", async () => {
    const lives: Lives = new Lives(async (ctx, life) => {
      const outcome = await ctx
        .run("call", () => {
          if (life === 0) throw new Error("no route");
          return "answered";
        })
        .catch((error: Error) => error.message);
      await ctx.stores.accounts.update("deposit", "anna", 1);
      if (life === 0) await lives.death;
      ctx.result(outcome);
    });
    const { id } = await lives.until(lives.agent.initiate("x"));
    await lives.crash();
    expect(await lives.until(lives.agent.get(id).result())).toBe("answered");
    expect(await lives.until(lives.store.get("anna"))).toBe(1);
  });

  it("draws the same numbers, and reads the clock as it stood before the last write", async () => {
    const seen: unknown[] = [];
    const lives: Lives = new Lives(async (ctx, life) => {
      const drawn = [ctx.now(), ctx.random(), ctx.random()];
      await ctx.stores.accounts.update("deposit", "anna", Math.floor(ctx.random() * 1_000));
      seen.push(drawn);
      if (life === 0) await lives.death;
      ctx.result(null);
    });
    const { id } = await lives.until(lives.agent.initiate("x"));
    await lives.crash();
    await lives.until(lives.agent.get(id).result());
    expect(seen).toHaveLength(2);
    expect(seen[1]).toEqual(seen[0]);
  });

  it.each([[""], ["x".repeat(257)], [7]])("refuses %j as the name of a run", async (name) => {
    const lives: Lives = new Lives(async (ctx) => {
      // cast: what a JavaScript caller could pass
      const error: unknown = await ctx.run(name as string, () => 1).catch((thrown) => thrown);
      ctx.result(Reflect.get(Object(error), "code"));
    });
    expect(await lives.until(lives.agent.invoke("x"))).toBe("OPTION_INVALID");
  });
});

describe("invocations with an id", () => {
  it("are one invocation, before and after a crash, and give one result", async () => {
    let runs = 0;
    const lives: Lives = new Lives(async (ctx) => {
      runs += 1;
      ctx.result(await ctx.stores.accounts.update("deposit", "anna", 100));
    });
    const id = callId("order 7", 1_700_000_000_000);
    const both = [lives.agent.invoke("x", { id }), lives.agent.invoke("x", { id })];
    expect(await lives.until(Promise.all(both))).toEqual([100, 100]);
    await lives.crash();
    expect(await lives.until(lives.agent.invoke("x", { id }))).toBe(100);
    const { id: first } = await lives.until(lives.agent.initiate("x", { id }));
    const { id: second } = await lives.until(lives.agent.initiate("x", { id }));
    expect(first).toBe(second);
    expect(runs).toBe(1);
    expect(await lives.until(lives.store.get("anna"))).toBe(100);
  });

  it("refuse another input under the same id", async () => {
    const lives: Lives = new Lives(async (ctx) => ctx.result("done"));
    const id = callId("order 7", 1_700_000_000_000);
    await lives.until(lives.agent.invoke("x", { id }));
    const other = lives.agent.invoke("y", { id });
    await expect(lives.until(other)).rejects.toMatchObject({ code: "ID_REUSED" });
  });

  it("refuse what is no id before anything is sent", async () => {
    const lives: Lives = new Lives(async (ctx) => ctx.result("done"));
    const refused = lives.agent.invoke("x", { id: "order 7" });
    await expect(lives.until(refused)).rejects.toMatchObject({ code: "ID_INVALID" });
  });
});

function resultList(result: unknown): readonly unknown[] {
  if (!Array.isArray(result)) throw new TypeError("the result is no list");
  return result;
}
