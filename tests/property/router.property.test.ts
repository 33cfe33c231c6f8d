// router(key) === owner(key): what a client sends for a key reaches the one task whose range has
// the key's hash, and its reads look there. Bugs here would look like a key that is written on one
// task and read on another.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitHashSpace } from "../../runtime/partition.js";
import { topology } from "../../runtime/topology.js";
import { keyValueStore } from "../../store/declaration.js";
import { bigint, boolean, bytes, integer, string, uuid } from "../../store/key.js";
import type { KeyCodec } from "../../store/key-form.js";
import { hashKey } from "../../store/key-hash.js";
import { type } from "../../store/schema.js";
import { tuple } from "../../store/tuple-key.js";
import { HostCluster } from "../support/host-cluster.js";
import { ManualSystem } from "../support/manual-system.js";
import { check } from "../support/property.js";

/** A codec with keys that are hostile to it. */
interface Keys {
  readonly codec: KeyCodec<never>;
  readonly key: fc.Arbitrary<unknown>;
}

const erased = <K>(codec: KeyCodec<K>, key: fc.Arbitrary<K>): Keys => {
  // cast: each codec is used with keys of its own arbitrary alone
  return { codec: codec as unknown as KeyCodec<never>, key };
};

const text = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 40 }),
  fc.constantFrom("\0", "a", "a\0", "\uffff", "\u{10ffff}", "__proto__", "x".repeat(1_900), " "),
);
const kinds: Readonly<Record<string, Keys>> = {
  string: erased(string, text),
  uuid: erased(uuid, fc.uuid()),
  integer: erased(integer, fc.oneof(fc.maxSafeInteger(), fc.constantFrom(0, -0, -1, 255, 256))),
  bigint: erased(bigint, fc.oneof(fc.bigInt(), fc.constantFrom(0n, -1n, 2n ** 64n, -(2n ** 64n)))),
  bytes: erased(bytes, fc.uint8Array({ minLength: 1, maxLength: 64 })),
  boolean: erased(boolean, fc.boolean()),
  tuple: erased(tuple(string, integer), fc.tuple(text, fc.maxSafeInteger())),
};

describe("router", () => {
  for (const [name, { codec, key }] of Object.entries(kinds)) {
    it(`sends every ${name} key to the one task that owns it, and reads it there`, async () => {
      const store = keyValueStore({ key: codec, value: type<number>() });
      const declared = topology("routed", import.meta.url, { stores: { store } });
      const property = fc.asyncProperty(
        fc.uniqueArray(key, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(2),
        async (keys, taskCount, threadCount) => {
          const system = new ManualSystem();
          const cluster = new HostCluster(declared, {
            system: () => system,
            taskCount,
            threadCount,
          });
          const client = cluster.store("store");
          const puts = client.putMany(keys.map((each) => [each, 1]));
          await system.settle();
          await puts;
          const { router } = cluster.thread(0);
          const ranges = splitHashSpace(taskCount);
          for (const each of keys) {
            const encoded = Reflect.apply(codec.encode, codec, [each]);
            const hash = hashKey(encoded);
            const owner = ranges.findIndex(({ start, end }) => hash >= start && hash < end);
            expect(router.owner(hash)).toBe(owner);
            const holders = cluster.storages.flatMap((storage, task) => {
              return storage.get(16, encoded, hash) === undefined ? [] : [task];
            });
            expect(holders).toEqual([owner]);
            expect(await client.get(each)).toBe(1);
          }
        },
      );
      await check(property, { runs: 40 });
    });
  }
});
