// One buffer serves every call. A bug here would look like an update of one key with another call's
// arguments: a codec or a class of the user's may call while his own call is being encoded.
import { describe, expect, it } from "vitest";
import { instanceOf, type KeyCodec, keyValueStore, topology, type } from "../../../index.js";
import { inlineCluster } from "../../support/inline-cluster.js";

/** What the user's code does while a call is being encoded. */
let meanwhile: () => void = () => {};

const named: KeyCodec<string> = {
  name: "named",
  encode: (key) => {
    meanwhile();
    return new TextEncoder().encode(key);
  },
  decode: (bytes) => new TextDecoder().decode(bytes),
};

class Amount {
  readonly cents: number;
  constructor(cents: number) {
    this.cents = cents;
  }
}
instanceOf(Amount, {
  name: "drafted-amount",
  encode: ({ cents }) => {
    meanwhile();
    return cents;
  },
  decode: (cents: number) => new Amount(cents),
});

const list = (before: string | undefined, ...args: readonly unknown[]): string => {
  const shown = args.map((argument) => (argument instanceof Amount ? argument.cents : argument));
  return `${before ?? ""}[${shown.map(String).join(" ")}]`;
};
const lists = keyValueStore({ key: named, value: type<string>(), updates: { list } });
const declared = topology("drafts", import.meta.url, { stores: { lists } });

async function opened() {
  return (await inlineCluster(declared)).store("lists");
}

async function rowsOf(store: Awaited<ReturnType<typeof opened>>): Promise<unknown> {
  const rows: Record<string, string> = {};
  for await (const [key, value] of store.entries()) rows[key] = value;
  return rows;
}

describe("request draft — calls within calls (F1)", () => {
  it("keeps apart a call that a key's codec makes while a call is being encoded", async () => {
    const store = await opened();
    const inner: Promise<unknown>[] = [];
    meanwhile = () => {
      meanwhile = () => {};
      inner.push(store.update("list", "inner", 1, 2, 3, 4));
    };
    const outer = store.update("list", "outer", 5, undefined, "six");
    expect([await outer, ...(await Promise.all(inner))]).toEqual([
      "[5 undefined six]",
      "[1 2 3 4]",
    ]);
    expect(await rowsOf(store)).toEqual({ inner: "[1 2 3 4]", outer: "[5 undefined six]" });
  });

  it("keeps apart a call that an argument's class makes", async () => {
    const store = await opened();
    const inner: Promise<unknown>[] = [];
    const amount = new Amount(7);
    let isAmount = false;
    meanwhile = () => {
      // The first to ask is the key's codec, the second the class of the argument.
      if (isAmount) {
        meanwhile = () => {};
        inner.push(store.update("list", "inner", 1, 2, 3, 4));
      }
      isAmount = true;
    };
    const outer = store.update("list", "outer", "first", amount, "last");
    expect([await outer, ...(await Promise.all(inner))]).toEqual(["[first 7 last]", "[1 2 3 4]"]);
    expect(await rowsOf(store)).toEqual({ inner: "[1 2 3 4]", outer: "[first 7 last]" });
  });
});
