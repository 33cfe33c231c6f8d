// Value number — the bytes of a number, written where they are to stand.
//
// A counter's next value goes into the frame without an array of its own: who has a number that is
// to be stored keeps the number. Owns: these bytes, which are those of the codec (N3 of value.ts).
// Leaves to others: -0, which is boxed (value-walk.ts), and reading (value-plain.ts).

const two32 = 0x1_0000_0000;

/** First bytes: a small number stands in the byte itself, others in 1, 2, 4 or 8 bytes behind. */
const head = { negative: 0x20, one: 0x18, two: 0x19, four: 0x1a, float64: 0xfb } as const;

const float = new DataView(new ArrayBuffer(8));

/** Whether its bytes are written here: all but -0. */
export function isPlainNumber(value: unknown): value is number {
  return typeof value === "number" && !Object.is(value, -0);
}

/** How many bytes a plain number takes. */
export function numberBytes(value: number): number {
  const magnitude = magnitudeOf(value);
  if (magnitude < 0) return 9;
  if (magnitude < head.one) return 1;
  if (magnitude < 0x100) return 2;
  return magnitude < 0x1_0000 ? 3 : 5;
}

/** Writes a plain number at `at`, where there is room for it, and returns where it ends. */
export function writeNumber(bytes: Uint8Array, at: number, value: number): number {
  const magnitude = magnitudeOf(value);
  if (magnitude < 0) return writeDouble(bytes, at, value);
  const major = value < 0 ? head.negative : 0;
  if (magnitude < head.one) {
    bytes[at] = major + magnitude;
    return at + 1;
  }
  if (magnitude < 0x100) {
    bytes[at] = major + head.one;
    bytes[at + 1] = magnitude;
    return at + 2;
  }
  if (magnitude < 0x1_0000) {
    bytes[at] = major + head.two;
    bytes[at + 1] = magnitude >>> 8;
    bytes[at + 2] = magnitude;
    return at + 3;
  }
  bytes[at] = major + head.four;
  bytes[at + 1] = magnitude >>> 24;
  bytes[at + 2] = magnitude >>> 16;
  bytes[at + 3] = magnitude >>> 8;
  bytes[at + 4] = magnitude;
  return at + 5;
}

function writeDouble(bytes: Uint8Array, at: number, value: number): number {
  float.setFloat64(0, value);
  bytes[at] = head.float64;
  for (let index = 0; index < 8; index += 1) bytes[at + 1 + index] = float.getUint8(index);
  return at + 9;
}

/** What stands for an integer of up to 32 bits and a sign; -1 for other numbers. */
function magnitudeOf(value: number): number {
  if (value >>> 0 === value) return value;
  return value < 0 && value >= -two32 && Number.isInteger(value) ? -1 - value : -1;
}
