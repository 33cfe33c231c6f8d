// Trace hash — what a run did, in 64 bits: two runs of one seed must end with the same.

export class TraceHash {
  #high = 0x811c_9dc5;
  #low = 0x9e37_79b9;

  /** Takes one more number in; order matters. */
  add(value: number): void {
    this.#high = Math.imul(this.#high ^ value, 0x0100_0193);
    this.#low = Math.imul(this.#low ^ (value + (this.#high >>> 15)), 0x85eb_ca6b);
  }

  toString(): string {
    return [this.#high, this.#low]
      .map((half) => (half >>> 0).toString(16).padStart(8, "0"))
      .join("");
  }
}
