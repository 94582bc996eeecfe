const wordsPerId = 2;

/**
 * A set of chunks, by the first 8 bytes of their ids: some 20 bytes a chunk. Ids are keyed hashes, so nobody can aim at a collision, and one
 * among 10 million chunks is a matter of one in 100 000; it would let something stay that nothing needs.
 */
export class ChunkMarks {
  #words = new Int32Array(wordsPerId * 2 ** 16);
  #count = 0;

  add(id: Uint8Array): void {
    const [low, high] = firstWords(id);
    if (!put(this.#words, low, high)) return;
    if (++this.#count * 4 > (this.#words.length / wordsPerId) * 3) this.#grow();
  }

  has(id: Uint8Array): boolean {
    const [low, high] = firstWords(id);
    const at = slotOf(this.#words, low, high);
    return this.#words[at] !== 0 || this.#words[at + 1] !== 0;
  }

  #grow(): void {
    const larger = new Int32Array(this.#words.length * 2);
    for (let at = 0; at < this.#words.length; at += wordsPerId) {
      const low = this.#words[at] ?? 0;
      const high = this.#words[at + 1] ?? 0;
      if (low !== 0 || high !== 0) put(larger, low, high);
    }
    this.#words = larger;
  }
}

/** False when it is there already. */
function put(words: Int32Array, low: number, high: number): boolean {
  const at = slotOf(words, low, high);
  if (words[at] === low && words[at + 1] === high) return false;
  words[at] = low;
  words[at + 1] = high;
  return true;
}

/** Where the pair stands, or the empty slot where it would. */
function slotOf(words: Int32Array, low: number, high: number): number {
  const mask = words.length / wordsPerId - 1;
  for (let slot = low & mask; ; slot = (slot + 1) & mask) {
    const at = slot * wordsPerId;
    const isEmpty = words[at] === 0 && words[at + 1] === 0;
    if (isEmpty || (words[at] === low && words[at + 1] === high)) return at;
  }
}

function firstWords(id: Uint8Array): [low: number, high: number] {
  const byte = (at: number): number => id[at] ?? 0;
  const word = (at: number): number => byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24);
  // Eight zero bytes stand for an empty slot.
  return word(0) === 0 && word(4) === 0 ? [1, 0] : [word(0), word(4)];
}
