// Refusals — updates and nodes that throw on their task's thread, in every way that must reach a
// caller.

import { agent, keyValueStore, node, reply, string, topology, type } from "../../index.js";

export class OverdrawnError extends Error {
  readonly missing: number;

  constructor(missing: number) {
    super(`${missing} are missing`, { cause: new TypeError("the amount was not checked") });
    this.name = "OverdrawnError";
    this.missing = missing;
  }
}

const balances = keyValueStore({
  key: string,
  value: type<number>(),
  updates: {
    withdraw: (balance: number | undefined, amount: number) => {
      const left = (balance ?? 0) - amount;
      if (left < 0) throw new OverdrawnError(-left);
      return left;
    },
    throwText: (balance: number | undefined) => {
      AbortSignal.abort("only a text").throwIfAborted();
      return balance;
    },
    /** They hide behind a reply what no store can hold. */
    storeText: (_balance: number | undefined, json: string, times: number) => {
      return reply(JSON.parse(json).repeat(times), 1);
    },
    storeFunction: () =>
      reply(
        Object.assign(() => 1),
        1,
      ),
  },
});

const lists = keyValueStore({
  key: string,
  value: type<string[]>(),
  updates: {
    /** Changes its value in place and then throws. */
    spoil: (list: string[] | undefined): string[] => {
      list?.push("spoiled");
      throw new Error("changed my mind");
    },
    add: (list: string[] | undefined, text: string) => [...(list ?? []), text],
  },
});

const withdrawer = agent({
  stores: { balances },
  entry: "begin",
  result: type<number>(),
  nodes: {
    begin: node({ input: type<string>(), to: ["withdraw"] }),
    withdraw: node({ input: type<string>(), key: (key) => key }),
  },
}).implement({
  begin(ctx, key) {
    ctx.emit("withdraw", key);
  },
  async withdraw(ctx, key) {
    ctx.result(await ctx.stores.balances.update("withdraw", key, 50));
  },
});

export default topology("refusals", import.meta.url, {
  stores: { balances, lists },
  agents: { withdrawer },
});
