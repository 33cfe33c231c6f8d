// Values one by one: what is carried exactly, what is refused and where, bounds, and whose memory
// it is.

import { runInThisContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import { decodeValue, encodeValue } from "../../../store/value.js";
import { sameValue } from "../../../testing/same-value.js";
import { refusalOf } from "../../support/refusal.js";

function roundTrip(value: unknown): unknown {
  return decodeValue(encodeValue(value));
}

/** Path and reason of a refusal. */
function refusedAt(value: unknown): string {
  const { path, reason } = refusalOf("VALUE_UNSUPPORTED", () => encodeValue(value)).details;
  return `${path}: ${reason}`;
}

function nestedBy(levels: number, innermost: unknown = 1): unknown {
  let value: unknown = innermost;
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { v: value };
  return value;
}

describe("value — carried exactly", () => {
  it("keeps numbers that CBOR integers do not have", () => {
    for (const value of [-0, 0, Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 53, -(2 ** 32), 0.1]) {
      expect(roundTrip(value)).toBe(value);
      expect(roundTrip([value])).toEqual([value]);
    }
    expect(Object.is(roundTrip({ a: [-0] }), roundTrip({ a: [-0] }))).toBe(false);
    expect(roundTrip({ a: [-0] })).toEqual({ a: [-0] });
  });

  it("keeps bigints apart from numbers, at any size up to the bound", () => {
    const values = [0n, 5n, -5n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n), 3n ** 10_000n];
    for (const value of values) expect(roundTrip(value)).toBe(value);
    const largest = 256n ** BigInt(limits.bigintBytesMax) - 1n;
    expect(roundTrip(-largest)).toBe(-largest);
    expect(refusedAt([largest + 1n])).toBe("$[0]: it takes more than 65536 bytes");
  });

  it("keeps the first character of a text, also when it looks like a byte order mark", () => {
    for (const length of [0, 10, 64, 65, 1_000]) {
      const text = `\ufeff${"x".repeat(length)}`;
      expect(roundTrip(text)).toBe(text);
      expect(roundTrip({ [text]: text })).toEqual({ [text]: text });
      expect(roundTrip(new Map([[text, new Set([text])]]))).toEqual(
        new Map([[text, new Set([text])]]),
      );
    }
  });

  it("keeps every millisecond of a date", () => {
    for (const time of [0, 1, -1, 1_763_856_000_123, 8.64e15, -8.64e15, 8_639_999_999_999_999]) {
      expect((roundTrip(new Date(time)) as Date).getTime()).toBe(time); // cast: it is a date
    }
    expect((roundTrip(new Date(Number.NaN)) as Date).getTime()).toBeNaN(); // cast: it is a date
  });

  it("keeps the type of every byte array, and of the memory itself", () => {
    const source = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16).buffer;
    const values = [
      ...[Uint8Array, Uint8ClampedArray, Int8Array, Uint16Array, Int16Array, Uint32Array].map(
        (TypedArray) => new TypedArray(source, 4, 2),
      ),
      new Int32Array(source, 4, 2),
      new Float32Array(source, 4, 2),
      new Float64Array(source, 8, 1),
      new BigInt64Array(source, 8, 1),
      new BigUint64Array(source, 8, 1),
      new DataView(source, 3, 5),
      Buffer.from(source, 3, 5),
      source,
    ];
    for (const value of values) {
      expect(sameValue(roundTrip(value), value)).toBe(true);
      expect(sameValue(roundTrip({ nested: [value] }), { nested: [value] })).toBe(true);
    }
    expect(Buffer.isBuffer(roundTrip(Buffer.from("a")))).toBe(true);
    expect(Buffer.isBuffer(roundTrip(Uint8Array.of(1)))).toBe(false);
  });

  it("keeps prototypes, undefined, and the order of properties and entries", () => {
    const bare: unknown = Object.assign(Object.create(null), { b: undefined, a: -0 });
    expect(sameValue(roundTrip(bare), bare)).toBe(true);
    const map = new Map<unknown, unknown>([
      [{ k: 1 }, undefined],
      ["1", 1],
      [1, "1"],
      [-0, bare],
    ]);
    expect(sameValue(roundTrip(map), map)).toBe(true);
    expect(Object.entries(roundTrip({ z: 1, a: undefined }) ?? {})).toEqual([
      ["z", 1],
      ["a", undefined],
    ]);
  });

  it("takes nobody's object for a box, a tag or a class of its own", () => {
    const lookalikes: unknown[] = [
      { kind: 0, payload: null },
      [0, null],
      { value: [11, ["x", 1]], tag: 1_210 },
      { constructor: "Map", size: 1, entries: [] },
      { hasOwnProperty: 1, toJSON: 1, "~reply": true },
    ];
    for (const value of lookalikes) expect(sameValue(roundTrip(value), value)).toBe(true);
  });

  it("carries what occurs twice as two equal values", () => {
    const shared = { n: -0 };
    const decoded = roundTrip([shared, shared]) as unknown[]; // cast: an array went in
    expect(decoded).toEqual([shared, shared]);
    expect(decoded[0]).not.toBe(decoded[1]);
  });
});

describe("value — refused with its path", () => {
  it("refuses undefined as a whole, and says what to do instead", () => {
    const error = refusalOf("VALUE_UNDEFINED", () => encodeValue(undefined, 'store "s", put'));
    expect(error.message).toBe(
      'store "s", put: undefined is not a value; use null, or delete the key to have none',
    );
  });

  it("names the path through objects, arrays, maps, sets and keys", () => {
    const bad = Symbol("s");
    expect(refusedAt({ a: [1, 2, 3, { b: bad }] })).toBe("$.a[3].b: only data can be carried");
    expect(refusedAt({ "a b": { 0: bad } })).toMatch(/^\$\["a b"\]\["0"\]: /);
    expect(refusedAt(new Map([["k", [bad]]]))).toMatch(/^\$\.get\("k"\)\[0\]: /);
    const map = new Map<unknown, unknown>().set("x", 1).set(bad, 2);
    expect(refusedAt([map])).toMatch(/^\$\[0\]\.keys\(\)\[1\]: /);
    expect(refusedAt(new Set([1, [bad]]))).toMatch(/^\$\.values\(\)\[1\]\[0\]: /);
    expect(refusedAt(bad)).toMatch(/^\$: /);
  });

  it("shows the offender in the message, and the operation", () => {
    const put = (): unknown => encodeValue({ when: new URL("http://a") }, 'store "s", put');
    expect(refusalOf("VALUE_UNSUPPORTED", put).message).toBe(
      'store "s", put: cannot carry an instance of URL at $.when: its class is not registered; ' +
        "use instanceOf to register it",
    );
  });

  it("refuses functions, symbols and texts that UTF-8 cannot express", () => {
    expect(refusedAt({ f: () => 1 })).toContain("$.f: only data");
    expect(refusedAt({ [Symbol("s")]: 1 })).toBe("$: its symbol property would be lost");
    expect(refusedAt(["\ud800"])).toContain("$[0]: it holds a lone surrogate");
    expect(refusedAt({ "\udc00": 1 })).toContain(
      "the name of this property holds a lone surrogate",
    );
  });

  it("refuses __proto__ as an own property, with and without a prototype", () => {
    expect(refusedAt({ a: JSON.parse('{"__proto__":1}') })).toContain("$.a.__proto__: ");
    const bare: unknown = Object.assign(Object.create(null), JSON.parse('{"__proto__":1}'));
    expect(refusedAt(bare)).toContain("$.__proto__: ");
  });

  it("refuses holes and extra properties, also together", () => {
    const sparse = [1, 2, 3];
    delete sparse[1];
    expect(refusedAt(sparse)).toBe("$[1]: a hole in an array would become undefined");
    const both = Object.assign([1, 2, 3], { extra: 1 });
    delete both[0];
    expect(refusedAt(both)).toContain("$[0]: a hole");
    const large: unknown[] = new Array(5_000).fill(0);
    expect(sameValue(roundTrip(large), large)).toBe(true);
    const list = [
      Object.assign([1], { extra: 1 }),
      Object.assign([1], { [Symbol("s")]: 1 }),
      Object.assign(large, { extra: 1 }),
      Object.assign(new Map(), { extra: 1 }),
      Object.assign(new Set(), { extra: 1 }),
      Object.assign(new Date(), { extra: 1 }),
      Object.assign(/a/, { extra: 1 }),
      Object.assign(new Uint8Array(2), { extra: 1 }),
      Object.assign(Buffer.alloc(2), { extra: 1 }),
      Object.assign(new ArrayBuffer(2), { extra: 1 }),
    ];
    for (const value of list)
      expect(refusedAt([value])).toBe("$[0]: its own extra property would be lost");
  });

  it("refuses instances of classes, built-in ones too, and objects that only pose as them", () => {
    const list = [
      new Error("e"),
      new WeakMap(),
      new (class extends Map {})(),
      new (class extends Array {})(),
      new (class extends Uint8Array {})(),
      Object.create({}),
      new Number(1),
      new String("a"),
      Object(1n),
      new SharedArrayBuffer(1),
      new Uint8Array(new SharedArrayBuffer(1)),
      new DataView(new SharedArrayBuffer(1)),
      Object.create(Map.prototype),
      Object.create(Set.prototype),
      Object.create(Date.prototype),
      Object.create(RegExp.prototype),
      Object.create(Array.prototype),
      Object.create(Uint8Array.prototype),
      Object.create(Buffer.prototype),
      Object.create(ArrayBuffer.prototype),
      Object.create(DataView.prototype),
      // An arguments object poses as a plain one.
      runInThisContext("(function () { return arguments; })(1, 2)"),
    ];
    for (const value of list) expect(refusedAt([value])).toMatch(/^\$\[0\]: /);
    expect(refusedAt(Promise.resolve(1))).toBe("$: it is a promise; await it first");
    expect(refusedAt(Object.assign(/a/g, { lastIndex: 2 }))).toContain("lastIndex is 2");
  });

  it("refuses memory that was transferred away or can be resized", () => {
    const gone = new Uint8Array(4);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    expect(refusedAt([gone])).toMatch(/^\$\[0\]: /);
    expect(refusedAt([gone.buffer])).toMatch(/^\$\[0\]: /);
    const resizable: unknown = Reflect.construct(ArrayBuffer, [4, { maxByteLength: 8 }]);
    expect(refusedAt(resizable)).toContain("resized");
  });

  it("gives what a getter or a proxy throws as the cause", () => {
    const boom = new Error("boom");
    const getter = {
      list: [
        {
          get bad(): number {
            throw boom;
          },
        },
      ],
    };
    const error = refusalOf("VALUE_UNSUPPORTED", () => encodeValue(getter));
    expect(error.details.path).toBe("$.list[0].bad");
    expect(error.cause).toBe(boom);
    const proxy = new Proxy(
      {},
      {
        ownKeys() {
          throw boom;
        },
      },
    );
    expect(refusalOf("VALUE_UNSUPPORTED", () => encodeValue({ proxy })).cause).toBe(boom);
  });

  it("is still in order after a getter that changes its mind or encodes values itself", () => {
    let reads = 0;
    const moody = {
      when: new Date(0),
      get answer(): unknown {
        reads += 1;
        return reads === 1 ? 1 : () => 1;
      },
    };
    refusalOf("VALUE_UNSUPPORTED", () => encodeValue(moody));
    const within = {
      when: new Date(0),
      get answer(): unknown {
        return encodeValue([new Date(0)]);
      },
    };
    expect(refusedAt(within)).toContain("while another value was being encoded");
    const nested = {
      get inner(): number {
        return encodeValue({ deep: [1, 2, 3] }).length;
      },
    };
    expect(roundTrip(nested)).toEqual({ inner: encodeValue({ deep: [1, 2, 3] }).length });
    expect(roundTrip({ a: new Date(5) })).toEqual({ a: new Date(5) });
  });
});

describe("value — bounds", () => {
  it("refuses a value that contains itself, and shows where", () => {
    const circle: Record<string, unknown> = { a: [{}] };
    circle["a"] = [1, { b: circle }];
    const error = refusalOf("VALUE_CYCLIC", () => encodeValue(circle, "put"));
    expect(error.details).toEqual({ where: "put", path: "$.a[1].b" });
    const list: unknown[] = [];
    list.push(list);
    expect(refusalOf("VALUE_CYCLIC", () => encodeValue(list)).details.path).toBe("$[0]");
    const map = new Map<unknown, unknown>();
    map.set("self", new Set([map]));
    expect(refusalOf("VALUE_CYCLIC", () => encodeValue(map)).details.path).toBe(
      '$.get("self").values()[0]',
    );
  });

  it("carries nesting up to the limit, and tells a deeper value from a cycle", () => {
    const deepest = nestedBy(limits.valueDepthMax);
    expect(sameValue(roundTrip(deepest), deepest)).toBe(true);
    const error = refusalOf("VALUE_TOO_DEEP", () =>
      encodeValue(nestedBy(limits.valueDepthMax + 1)),
    );
    expect(error.details.valueDepthMax).toBe(limits.valueDepthMax);
    expect(error.details.path.length).toBeLessThan(300);
    refusalOf("VALUE_TOO_DEEP", () => encodeValue(nestedBy(200_000)));
  });

  it("names the line that gave a value, however deep in it the offender is", () => {
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    for (const value of [cyclic, nestedBy(200), nestedBy(60, () => 1)]) {
      let stack = "";
      try {
        encodeValue(value);
      } catch (error) {
        stack = error instanceof Error ? (error.stack ?? "") : "";
      }
      expect(stack.split("\n")[1]).toContain("value.test.ts");
    }
  });

  it("ends soon on an object that is shared exponentially often", () => {
    let shared: unknown = "x";
    for (let level = 0; level < 100; level += 1) shared = [shared, shared];
    refusalOf("VALUE_TOO_LARGE", () => encodeValue(shared));
  });

  it("refuses what takes more bytes than fit, and carries what just fits", () => {
    const { valueBytesMax } = limits;
    const error = refusalOf("VALUE_TOO_LARGE", () => encodeValue("x".repeat(valueBytesMax)));
    expect(error.details).toMatchObject({ where: "value", valueBytesMax });
    expect(error.details.valueBytes).toBeGreaterThan(valueBytesMax);
    expect(encodeValue("x".repeat(valueBytesMax - 5)).length).toBe(valueBytesMax);
    refusalOf("VALUE_TOO_LARGE", () => encodeValue(new Uint8Array(valueBytesMax)));
    refusalOf("VALUE_TOO_LARGE", () => encodeValue("€".repeat(valueBytesMax / 2)));
    expect(roundTrip({ ok: 1 })).toEqual({ ok: 1 });
  });
});

describe("value — bytes", () => {
  it("never change once they are returned", () => {
    const kept: { bytes: Uint8Array; copy: Buffer }[] = [];
    for (let index = 0; index < 3_000; index += 1) {
      const bytes = encodeValue({ index, text: "x".repeat(index % 90), when: new Date(index) });
      kept.push({ bytes, copy: Buffer.from(bytes) });
    }
    for (const { bytes, copy } of kept) expect(copy.equals(bytes)).toBe(true);
  });

  it("are plain arrays, never Buffers, whose slice would be no copy", () => {
    for (const value of [1, "x", { a: "y".repeat(100) }, new Date(0), "é".repeat(50_000)]) {
      expect(Object.getPrototypeOf(encodeValue(value))).toBe(Uint8Array.prototype);
    }
  });

  it("are left as they are when they are read, also when they are many", () => {
    for (const value of [[new Date(1)], "é".repeat(100_000)]) {
      const bytes = encodeValue(value);
      decodeValue(bytes);
      expect(Object.keys(bytes.subarray(0, 0))).toEqual([]);
      expect(Reflect.ownKeys(bytes).length).toBe(bytes.length);
    }
  });

  it("are VALUE_CORRUPT when they are no value", () => {
    for (const bytes of [
      [],
      [0xff],
      [0x61],
      [0x82, 1],
      [0xfb, 1],
      [0xd9, 0x04, 0xba, 0x01],
      [0, 0],
    ]) {
      const error = refusalOf("VALUE_CORRUPT", () => decodeValue(Uint8Array.from(bytes)));
      expect(error.details.valueBytes).toBe(bytes.length);
    }
  });
});
