// Registered classes: their instances anywhere in values, and names that mean one class only.

import { describe, expect, it } from "vitest";
import { classOf, instanceOf } from "../../../store/class-registry.js";
import { validate } from "../../../store/schema.js";
import { decodeValue, encodeValue } from "../../../store/value.js";
import { sameValue } from "../../../testing/same-value.js";
import { refusalOf } from "../../support/refusal.js";

class Point {
  readonly x: number;
  readonly y: number;

  constructor(x: number, y: number) {
    this.x = x;
    this.y = y;
  }
}

class Segment {
  readonly #ends: readonly [Point, Point];

  constructor(from: Point, to: Point) {
    this.#ends = [from, to];
  }

  get ends(): readonly [Point, Point] {
    return this.#ends;
  }
}

class Tall extends Point {}

const point = instanceOf(Point, {
  name: "point",
  encode: (p) => [p.x, p.y] as const,
  decode: ([x, y]) => new Point(x, y),
});

instanceOf(Segment, {
  name: "segment",
  encode: (s) => ({ ends: s.ends }),
  decode: ({ ends }) => new Segment(ends[0], ends[1]),
});

function roundTrip(value: unknown): unknown {
  return decodeValue(encodeValue(value));
}

describe("registered class — in values", () => {
  it("comes back as an instance wherever it stands, with what its payload could lose", () => {
    const value = {
      list: [new Point(1, -0)],
      map: new Map([[new Point(2, Number.NaN), new Set([new Point(3, 4)])]]),
    };
    expect(sameValue(roundTrip(value), value)).toBe(true);
    expect(roundTrip(new Point(1, 2))).toEqual(new Point(1, 2));
  });

  it("may hold instances itself, and keep its fields private", () => {
    const decoded = roundTrip([new Segment(new Point(0, 0), new Point(1, 1))]);
    expect(decoded).toEqual([expect.any(Segment)]);
    const [segment] = decoded as Segment[]; // cast: it was just looked at
    expect(segment?.ends).toEqual([new Point(0, 0), new Point(1, 1)]);
  });

  it("is not the class of its subclasses", () => {
    const error = refusalOf("VALUE_UNSUPPORTED", () => encodeValue({ tall: new Tall(1, 2) }));
    expect(error.details).toMatchObject({ path: "$.tall", value: "an instance of Tall" });
  });

  it("may encode values in its own encode and decode", () => {
    class Sealed {
      readonly inner: unknown;
      constructor(inner: unknown) {
        this.inner = inner;
      }
    }
    instanceOf(Sealed, {
      name: "sealed",
      encode: (sealed) => encodeValue(sealed.inner),
      decode: (bytes) => new Sealed(decodeValue(bytes)),
    });
    const value = {
      a: new Sealed({ b: [new Date(1), new Sealed([-0])] }),
      c: "after",
      d: new Date(2),
    };
    expect(sameValue(roundTrip(value), value)).toBe(true);
  });

  it("leaves the path of the value around it alone when its encode encodes values", () => {
    class Wrapped {}
    instanceOf(Wrapped, {
      name: "wrapped",
      encode: () => encodeValue({ deep: [[new Date(0)]] }),
      decode: () => new Wrapped(),
    });
    const value = { a: [new Wrapped(), Symbol("s")] };
    const error = refusalOf("VALUE_UNSUPPORTED", () => encodeValue(value));
    expect(error.details.path).toBe("$.a[1]");
  });

  it("names the class in the path when its payload cannot be carried", () => {
    class Holder {
      readonly held = Symbol("s");
    }
    instanceOf(Holder, {
      name: "holder",
      encode: (h) => ({ held: h.held }),
      decode: () => new Holder(),
    });
    const error = refusalOf("VALUE_UNSUPPORTED", () => encodeValue([new Holder()]));
    expect(error.details.path).toBe("$[0].(holder encoded).held");
  });
});

describe("registered class — its own errors", () => {
  it("gives what encode and decode throw as the cause", () => {
    class Moody {}
    const boom = new Error("boom");
    let encodes = true;
    instanceOf(Moody, {
      name: "moody",
      encode: () => {
        if (!encodes) throw boom;
        return 1;
      },
      decode: (): Moody => {
        throw boom;
      },
    });
    const bytes = encodeValue([new Moody()]);
    expect(refusalOf("VALUE_CORRUPT", () => decodeValue(bytes)).cause).toBe(boom);
    encodes = false;
    const error = refusalOf("VALUE_UNSUPPORTED", () => encodeValue([new Moody()]));
    expect(error.cause).toBe(boom);
    expect(roundTrip([new Date(1)])).toEqual([new Date(1)]);
  });

  it("refuses what decode returns when it is no instance", () => {
    class Lost {}
    instanceOf(Lost, { name: "lost", encode: () => 1, decode: () => new Point(1, 2) });
    const error = refusalOf("VALUE_CORRUPT", () => decodeValue(encodeValue(new Lost())));
    expect(error.details.reason).toContain('decode of class "lost" did not return an instance');
  });

  it("names a class that this thread does not know, and those it knows", () => {
    class Gone {}
    instanceOf(Gone, { name: "gone12", encode: () => 1, decode: () => new Gone() });
    const bytes = encodeValue(new Gone());
    const other = Buffer.from(bytes).toString("latin1").replace("gone12", "gone99");
    const error = refusalOf("CLASS_UNKNOWN", () =>
      decodeValue(Uint8Array.from(Buffer.from(other, "latin1"))),
    );
    expect(error.details.name).toBe("gone99");
    expect(error.details.known).toContain("point");
  });
});

describe("registered class — registration", () => {
  it("is a schema of its instances", () => {
    const p = new Point(1, 2);
    expect(validate(point, p, "put")).toBe(p);
    const error = refusalOf("SCHEMA_INVALID", () => validate(point, { x: 1, y: 2 }, "put"));
    expect(error.message).toBe("put: $: expected an instance of Point, not an object");
  });

  it("may happen again for the same class and name", () => {
    const again = {
      name: "point",
      encode: (p: Point) => [p.x, p.y],
      decode: () => new Point(0, 0),
    };
    expect(() => instanceOf(Point, again)).not.toThrow();
    instanceOf(Point, {
      name: "point",
      encode: (p) => [p.x, p.y],
      decode: ([x = 0, y = 0]) => new Point(x, y),
    });
    expect(roundTrip(new Point(5, 6))).toEqual(new Point(5, 6));
  });

  it("refuses a name that another class has, and a second name", () => {
    class Other {}
    const options = { name: "point", encode: () => 1, decode: () => new Other() };
    const error = refusalOf("CLASS_NAME_TAKEN", () => instanceOf(Other, options));
    expect(error.details).toEqual({ name: "point" });
    expect(classOf(Other.prototype)).toBeUndefined();
    const renamed = { name: "spot", encode: () => 1, decode: () => new Point(1, 1) };
    expect(refusalOf("OPTION_INVALID", () => instanceOf(Point, renamed)).message).toContain(
      '"point"',
    );
  });

  it("refuses options that are missing, wrong or unknown", () => {
    class Fresh {}
    const good = { name: "fresh", encode: () => 1, decode: () => new Fresh() };
    const bad: unknown[] = [
      undefined,
      { ...good, name: "a b" },
      { ...good, encode: 1 },
      { ...good, decode: undefined },
    ];
    for (const options of bad) {
      // cast: on purpose
      refusalOf("OPTION_INVALID", () => instanceOf(Fresh, options as typeof good));
    }
    const extra: typeof good = Object.assign({ extra: 1 }, good);
    refusalOf("OPTION_UNKNOWN", () => instanceOf(Fresh, extra));
    const noClass = (() => 1) as unknown as typeof Fresh; // cast: on purpose
    refusalOf("OPTION_INVALID", () => instanceOf(noClass, good));
    expect(classOf(Fresh.prototype)).toBeUndefined();
  });
});
