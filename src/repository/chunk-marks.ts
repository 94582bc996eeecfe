import type { ChunkPlaces } from './chunk-places.ts';
import { type Claim, slotCountOf, slotNumberOf } from './chunk-table.ts';

/** A set of known chunks: one bit a slot of the tables, so some megabytes for ten million chunks. */
export class ChunkMarks {
  readonly #places: ChunkPlaces;
  readonly #bits = new Map<Int32Array, Uint8Array>();

  constructor(places: ChunkPlaces) {
    this.#places = places;
  }

  /** A chunk that no table ever knew is not taken in. */
  add(id: Uint8Array): void {
    for (const slot of this.#places.slotsOf(id)) {
      const bits = this.#bits.get(slot.words) ?? new Uint8Array(Math.ceil(slotCountOf(slot) / 8));
      this.#bits.set(slot.words, bits);
      const number = slotNumberOf(slot);
      bits[number >> 3] = (bits[number >> 3] ?? 0) | (1 << (number & 7));
    }
  }

  has(id: Uint8Array): boolean {
    return this.#places.slotsOf(id).some((slot) => this.#isSet(slot));
  }

  #isSet(slot: Claim): boolean {
    const number = slotNumberOf(slot);
    return ((this.#bits.get(slot.words)?.[number >> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }
}
