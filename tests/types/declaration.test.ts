// What the types of declarations and stores infer, and what they refuse: each refusal is part of
// the API.

import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { instanceOf } from "../../store/class-registry.js";
import {
  type ErasedUpdates,
  keyValueStore,
  reply,
  type StoreDeclaration,
} from "../../store/declaration.js";
import { bigint, bytes, integer, string, uuid } from "../../store/key.js";
import type { KeyCodec, KeyPrefix } from "../../store/key-form.js";
import type { KeyValueStore } from "../../store/key-value-store.js";
import { type Schema, type SchemaValue, type } from "../../store/schema.js";
import { tuple } from "../../store/tuple-key.js";

type ClientOf<S> =
  S extends StoreDeclaration<infer K, infer V, infer U> ? KeyValueStore<K, V, U> : never;

const balances = keyValueStore({
  key: string,
  value: type<number>(),
  updates: {
    deposit: (cents = 0, amount: number) => cents + amount,
    withdraw: (cents = 0, amount: number) =>
      cents < amount ? reply(cents, false) : reply(cents - amount, true),
    close: (cents) => reply(undefined, cents ?? 0),
    reset: () => undefined,
  },
});
const pairs = keyValueStore({ key: tuple(string, integer), value: type<{ a: number }>() });

/** Types only: nothing here runs. */
function clients(): {
  balances: ClientOf<typeof balances>;
  pairs: ClientOf<typeof pairs>;
} {
  throw new Error("types only");
}

describe("types — declarations", () => {
  it("infer key, value and updates from one literal", () => {
    expectTypeOf(balances.key).toEqualTypeOf<KeyCodec<string>>();
    expectTypeOf<SchemaValue<typeof balances.value>>().toEqualTypeOf<number>();
    expectTypeOf<ClientOf<typeof pairs>["get"]>()
      .parameter(0)
      .toEqualTypeOf<readonly [string, number]>();
    expect(Object.keys(balances.updates)).toEqual(["deposit", "withdraw", "close", "reset"]);
  });

  it("infer an update's current value from the store's value", () => {
    keyValueStore({
      key: string,
      value: type<{ n: number }>(),
      updates: {
        grow(current, by: number) {
          expectTypeOf(current).toEqualTypeOf<{ n: number } | undefined>();
          return { n: (current?.n ?? 0) + by };
        },
      },
    });
  });

  it("take the values of a schema, with its defaults filled in", () => {
    const schema = z.object({ n: z.number().default(1) });
    const store = keyValueStore({
      key: uuid,
      value: schema,
      updates: { n: (c) => reply(c, c?.n) },
    });
    expectTypeOf<SchemaValue<typeof store.value>>().toEqualTypeOf<{ n: number }>();
    expectTypeOf<SchemaValue<Schema<string>>>().toEqualTypeOf<string>();
  });

  it("take instances of a class", () => {
    class Point {
      x = 1;
    }
    const schema = instanceOf(Point, {
      name: "typed-point",
      encode: (p) => [p.x] as const,
      decode: ([x]) => Object.assign(new Point(), { x }),
    });
    expectTypeOf(schema).toEqualTypeOf<Schema<Point>>();
  });

  it("can be held without their types", () => {
    const held: StoreDeclaration<unknown, unknown, unknown>[] = [balances, pairs];
    expect(held.length).toBe(2);
    expectTypeOf<StoreDeclaration<unknown, unknown, ErasedUpdates>>().toExtend<
      StoreDeclaration<unknown, unknown, unknown>
    >();
  });

  it("refuse what does not fit", () => {
    const refusals = (): void => {
      // @ts-expect-error a schema whose values it would not accept itself
      keyValueStore({ key: string, value: z.string().transform((text) => text.length) });
      // @ts-expect-error an update that returns another type
      keyValueStore({ key: string, value: type<number>(), updates: { bad: () => "text" } });
      // @ts-expect-error an update that takes no absent value for granted
      keyValueStore({ key: string, value: type<number>(), updates: { bad: (n: number) => n } });
      // @ts-expect-error an update that is asynchronous
      keyValueStore({ key: string, value: type<number>(), updates: { bad: async () => 1 } });
      // @ts-expect-error a store without a value
      keyValueStore({ key: string });
      // @ts-expect-error a key that is no codec
      keyValueStore({ key: "string", value: type<number>() });
      // @ts-expect-error declarations are read-only
      balances.kind = "keyValueStore";
    };
    expect(refusals).toBeTypeOf("function");
  });
});

describe("types — stores", () => {
  it("infer arguments and replies of updates", () => {
    type Store = ClientOf<typeof balances>;
    const calls = (store: Store): void => {
      expectTypeOf(store.update("deposit", "a", 1)).toEqualTypeOf<Promise<number>>();
      expectTypeOf(store.update("withdraw", "a", 1)).toEqualTypeOf<Promise<boolean>>();
      expectTypeOf(store.update("close", "a")).toEqualTypeOf<Promise<number>>();
      expectTypeOf(store.update("reset", "a")).toEqualTypeOf<Promise<undefined>>();
      expectTypeOf(store.get("a")).toEqualTypeOf<Promise<number | undefined>>();
      expectTypeOf(store.get("a", 0)).toEqualTypeOf<Promise<number>>();
      expectTypeOf(store.getMany(["a"])).toEqualTypeOf<Promise<(number | undefined)[]>>();
      expectTypeOf(store.modify("a", (n = 0) => n + 1)).toEqualTypeOf<
        Promise<number | undefined>
      >();
      expectTypeOf(store.entries()).toEqualTypeOf<AsyncIterable<readonly [string, number]>>();
    };
    expect(calls).toBeTypeOf("function");
  });

  it("refuse wrong keys, values, updates and arguments", () => {
    const calls = async (): Promise<void> => {
      const { balances: store, pairs: byPair } = clients();
      // @ts-expect-error the argument is a number
      await store.update("deposit", "alice", "10");
      // @ts-expect-error the argument is missing
      await store.update("deposit", "alice");
      // @ts-expect-error there is no such update
      await store.update("deposits", "alice", 1);
      // @ts-expect-error keys are strings
      await store.get(7);
      // @ts-expect-error values are numbers
      await store.put("alice", "10");
      // @ts-expect-error undefined is no value
      await store.put("alice", undefined);
      // @ts-expect-error a store without updates has none
      await byPair.update("deposit", ["a", 1]);
      // @ts-expect-error a key has both parts
      await byPair.get(["a"]);
      byPair.entries({ prefix: ["a"], from: ["a", 1] });
      // @ts-expect-error a prefix has the first parts
      byPair.entries({ prefix: [1] });
      store.entries({ prefix: "a", limit: 1, reverse: true });
      // @ts-expect-error a prefix of a text is a text
      store.entries({ prefix: 7 });
    };
    expect(calls).toBeTypeOf("function");
  });
});

describe("types — keys", () => {
  it("know the key of a tuple, nested, and its prefixes", () => {
    const codec = tuple(string, tuple(bigint, bytes), integer);
    expectTypeOf<ReturnType<typeof codec.decode>>().toEqualTypeOf<
      readonly [string, readonly [bigint, Uint8Array], number]
    >();
    expectTypeOf<KeyPrefix<readonly [string, number]>>().toEqualTypeOf<
      readonly [string] | readonly [string, number]
    >();
    expectTypeOf<KeyPrefix<number>>().toEqualTypeOf<never>();
    expect(codec.name).toBe("tuple(string, tuple(bigint, bytes), integer)");
  });

  it("refuse parts of other types", () => {
    const calls = (): void => {
      // @ts-expect-error the second part is a number
      tuple(string, integer).encode(["a", "b"]);
      // @ts-expect-error no part is missing
      tuple(string, integer).encode(["a"]);
      // @ts-expect-error a part must be a codec
      tuple("string");
    };
    expect(calls).toBeTypeOf("function");
  });
});
