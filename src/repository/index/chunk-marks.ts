const wordsPerId = 2;

/**
 * A set of chunks, by the first 8 bytes of their ids: 11 to 22 bytes a chunk. Ids are keyed hashes, so nobody can aim at a collision, and one
 * among 10 million chunks is a matter of one in 100 000; it would let something stay that nothing needs. Each can be ticked off once.
 */
export class ChunkMarks {
  #words: Int32Array;
  #seen: Uint8Array;
  #count = 0;
  #seenCount = 0;

  /** For that many chunks it need not grow, which takes half as much again while it is done. */
  constructor(expected: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(2 ** 16, (expected * 4) / 3)));
    this.#words = new Int32Array(wordsPerId * slots);
    this.#seen = new Uint8Array(slots / 8);
  }

  /** Before any is ticked off. */
  add(id: Uint8Array): void {
    const [low, high] = firstWords(id);
    if (!put(this.#words, low, high)) return;
    if (++this.#count * 4 > (this.#words.length / wordsPerId) * 3) this.#grow();
  }

  /** Whether the chunk is in the set; ticks it off. */
  see(id: Uint8Array): boolean {
    const [low, high] = firstWords(id);
    const at = slotOf(this.#words, low, high);
    if (this.#words[at] === 0 && this.#words[at + 1] === 0) return false;
    const slot = at / wordsPerId;
    const byte = this.#seen[slot >> 3] ?? 0;
    const bit = 1 << (slot & 7);
    if ((byte & bit) === 0) this.#seenCount++;
    this.#seen[slot >> 3] = byte | bit;
    return true;
  }

  /** Whether every chunk of the set was ticked off. */
  get areAllSeen(): boolean {
    return this.#seenCount === this.#count;
  }

  #grow(): void {
    const larger = new Int32Array(this.#words.length * 2);
    for (let at = 0; at < this.#words.length; at += wordsPerId) {
      const low = this.#words[at] ?? 0;
      const high = this.#words[at + 1] ?? 0;
      if (low !== 0 || high !== 0) put(larger, low, high);
    }
    this.#words = larger;
    this.#seen = new Uint8Array(this.#seen.length * 2);
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
