// Refused — how a type says no: with a sentence.

declare const refused: unique symbol;

/** A type that no value has: the sentence says why. */
export interface Refused<Sentence extends string> {
  readonly [refused]: Sentence;
}
