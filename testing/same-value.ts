// What "comes back as it was" means for a value: the same types, prototypes, contents and orders.

/**
 * Whether two values cannot be told apart but by identity: what a store promises of the value that
 * comes back. Stricter than deep equality: -0 is not 0, the order of Maps, Sets and properties
 * counts, an object without a prototype is not one with it. NaN and an invalid date equal
 * themselves. Values with cycles are not expected: no store carries them.
 */
export function sameValue(left: unknown, right: unknown): boolean {
  if (typeof left !== "object" || left === null) return Object.is(left, right);
  if (typeof right !== "object" || right === null) return false;
  const prototype: unknown = Object.getPrototypeOf(left);
  if (prototype !== Object.getPrototypeOf(right)) return false;
  if (ArrayBuffer.isView(left) && ArrayBuffer.isView(right)) {
    return sameBytes(left, right);
  }
  return sameContents(left, right) && sameProperties(left, right);
}

function sameContents(left: object, right: object): boolean {
  if (left instanceof Map && right instanceof Map) return sameList([...left], [...right]);
  if (left instanceof Set && right instanceof Set) return sameList([...left], [...right]);
  if (left instanceof Date && right instanceof Date) {
    return Object.is(left.getTime(), right.getTime());
  }
  if (left instanceof RegExp && right instanceof RegExp) {
    return String(left) === String(right) && left.lastIndex === right.lastIndex;
  }
  if (left instanceof ArrayBuffer && right instanceof ArrayBuffer) {
    return sameBytes(new Uint8Array(left), new Uint8Array(right));
  }
  return Array.isArray(left) === Array.isArray(right);
}

/** Own properties that enumerate, in their order; of arrays this includes elements and holes. */
function sameProperties(left: object, right: object): boolean {
  if (Array.isArray(left) && Array.isArray(right) && left.length !== right.length) return false;
  return sameList(Object.entries(left), Object.entries(right));
}

function sameList(left: readonly unknown[], right: readonly unknown[]): boolean {
  if (left.length !== right.length) return false;
  return left.every((value, index) => {
    const other = right[index];
    if (Array.isArray(value) && Array.isArray(other)) return sameArray(value, other);
    return sameValue(value, other);
  });
}

/** Entries are arrays of their own: compared element by element, without asking for properties. */
function sameArray(left: readonly unknown[], right: readonly unknown[]): boolean {
  if (left.length !== right.length || Object.keys(left).length !== Object.keys(right).length) {
    return false;
  }
  return left.every((value, index) => sameValue(value, right[index]));
}

function sameBytes(left: ArrayBufferView, right: ArrayBufferView): boolean {
  const a = Buffer.from(left.buffer, left.byteOffset, left.byteLength);
  const b = Buffer.from(right.buffer, right.byteOffset, right.byteLength);
  return a.equals(b);
}
