import { Fault } from '../base/faults.ts';

/** Where a chunk lies; `pack` is this process's number of the pack. */
export interface ChunkPlace {
  readonly pack: number;
  readonly blockOffset: number;
  readonly blockLength: number;
  readonly rawLength: number;
  readonly chunkOffset: number;
  readonly chunkLength: number;
}

/**
 * Which chunks exist and where, shared by all threads without locks: open addressing over SharedArrayBuffers, a slot is
 * claimed by compare-and-swap. 44 bytes a slot: state, 16 id bytes (keyed, so 128 bits are uniform and nobody can aim at a
 * collision; the whole id is compared when the chunk is read), six numbers. At half load that is 88 bytes a chunk.
 *
 * Growth: the main thread adds a generation of twice the size when the newest is half full, and tells the workers between two
 * tasks. Lookups walk from the newest generation to the oldest; inserts go to the newest a thread knows. Two threads that know different
 * generations may both store the same chunk: a few bytes lost, nothing else.
 *
 * A slot's life: empty → busy → pending (claimed, being stored) → placed; dead when the storing failed.
 */
const empty = 0;
const busy = 1;
const pending = 2;
const placed = 3;
const dead = 4;

const slotWords = 11;
/** How many slots are taken; how many claims were released. */
const headWords = 2;

/** One slot of one generation, for the thread that claimed it. */
export interface Claim {
  readonly words: Int32Array;
  readonly at: number;
}

export function slotNumberOf({ at }: Claim): number {
  return (at - headWords) / slotWords;
}

/** How many slots the claim's generation has. */
export function slotCountOf({ words }: Claim): number {
  return capacityOf(words);
}

export function createGeneration(slots: number): SharedArrayBuffer {
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(slots, 1024)));
  return new SharedArrayBuffer((headWords + capacity * slotWords) * 4);
}

export class ChunkTable {
  readonly #generations: Int32Array[] = [];

  constructor(generations: readonly SharedArrayBuffer[]) {
    for (const generation of generations) this.addGeneration(generation);
  }

  addGeneration(generation: SharedArrayBuffer): void {
    this.#generations.unshift(new Int32Array(generation));
  }

  /** Slots of the newest generation, and how many of them are taken. */
  get newest(): { readonly capacity: number; readonly taken: number } {
    const words = this.#newest();
    return { capacity: capacityOf(words), taken: Atomics.load(words, 0) };
  }

  /** How many claims were ever given up, by any thread. Whoever met such a chunk meanwhile took it for stored, and it is not. */
  get releases(): number {
    return this.#generations.reduce((sum, words) => sum + Atomics.load(words, 1), 0);
  }

  has(id: Uint8Array): boolean {
    return this.#findLive(id) !== undefined;
  }

  /** Where the chunk lies; undefined when it is unknown, or not yet written to a pack. */
  find(id: Uint8Array): ChunkPlace | undefined {
    const slot = this.#findLive(id);
    if (slot === undefined || Atomics.load(slot.words, slot.at) !== placed) return undefined;
    return placeAt(slot);
  }

  /** Takes the chunk for the caller, who then calls `place` or `release`; undefined when it is there already. */
  claim(id: Uint8Array): Claim | undefined {
    const wanted = idWords(id);
    for (const words of this.#generations.slice(1)) {
      const slot = probe(words, wanted, false);
      if (slot !== undefined && isLive(slot)) return undefined;
    }
    const words = this.#newest();
    for (;;) {
      const slot = probe(words, wanted, true);
      if (slot === undefined) throw new Fault('internal', 'repository.table_full', 'The table of chunks is full.');
      const state = Atomics.load(slot.words, slot.at);
      if (state === pending || state === placed) return undefined;
      // Lost races are looked at again: the winner may have taken the slot for this chunk or for another one.
      if (state !== empty && state !== dead) continue;
      if (Atomics.compareExchange(slot.words, slot.at, state, busy) !== state) continue;
      if (state === empty) {
        for (let n = 0; n < 4; n++) words[slot.at + 1 + n] = wanted[n] ?? 0;
        Atomics.add(words, 0, 1);
      }
      Atomics.store(words, slot.at, pending);
      return slot;
    }
  }

  place(claim: Claim, place: ChunkPlace): void {
    const { words, at } = claim;
    words[at + 5] = place.pack;
    words[at + 6] = place.blockOffset;
    words[at + 7] = place.blockLength;
    words[at + 8] = place.rawLength;
    words[at + 9] = place.chunkOffset;
    words[at + 10] = place.chunkLength;
    Atomics.store(words, at, placed);
  }

  release(claim: Claim): void {
    Atomics.add(claim.words, 1, 1);
    Atomics.store(claim.words, claim.at, dead);
  }

  /** Forgets the chunk where it is said to lie in this pack: the pack never became durable. */
  drop(id: Uint8Array, pack: number): void {
    const wanted = idWords(id);
    for (const words of this.#generations) {
      const slot = probe(words, wanted, false);
      if (slot === undefined || Atomics.load(slot.words, slot.at) !== placed) continue;
      if ((words[slot.at + 5] ?? 0) >>> 0 === pack) Atomics.store(words, slot.at, dead);
    }
  }

  /** Forgets every chunk that lies in one of these packs, and shows where it was; the id has its first 16 bytes only. Looks at every slot: seconds for 10 million. */
  dropPacks(packs: ReadonlySet<number>, visit: (id: Uint8Array, place: ChunkPlace) => void): void {
    for (const words of this.#generations) {
      for (let at = headWords; at < words.length; at += slotWords) {
        if (Atomics.load(words, at) !== placed || !packs.has((words[at + 5] ?? 0) >>> 0)) continue;
        const place = placeAt({ words, at });
        if (Atomics.compareExchange(words, at, placed, dead) !== placed) continue;
        visit(new Uint8Array(words.slice(at + 1, at + 5).buffer), place);
      }
    }
  }

  /** The slots that the id ever had, one a generation at most, whatever became of them. A slot never changes its id. */
  slotsOf(id: Uint8Array): Claim[] {
    const wanted = idWords(id);
    return this.#generations.flatMap((words) => probe(words, wanted, false) ?? []);
  }

  #newest(): Int32Array {
    const newest = this.#generations[0];
    if (newest === undefined) throw new Fault('internal', 'repository.table_absent', 'The table of chunks has no generation.');
    return newest;
  }

  #findLive(id: Uint8Array): Claim | undefined {
    const wanted = idWords(id);
    for (const words of this.#generations) {
      const slot = probe(words, wanted, false);
      if (slot !== undefined && isLive(slot)) return slot;
    }
    return undefined;
  }
}

function capacityOf(words: Int32Array): number {
  return (words.length - headWords) / slotWords;
}

function isLive({ words, at }: Claim): boolean {
  const state = Atomics.load(words, at);
  return state === pending || state === placed;
}

function placeAt({ words, at }: Claim): ChunkPlace {
  const word = (n: number): number => (words[at + n] ?? 0) >>> 0;
  return {
    pack: word(5),
    blockOffset: word(6),
    blockLength: word(7),
    rawLength: word(8),
    chunkOffset: word(9),
    chunkLength: word(10),
  };
}

function idWords(id: Uint8Array): Int32Array {
  const words = new Int32Array(4);
  new Uint8Array(words.buffer).set(id.subarray(0, 16));
  return words;
}

/** The chunk's slot, or with `orEmpty` the first empty one on its way. Waits out slots that another thread is just filling (nanoseconds). */
function probe(words: Int32Array, wanted: Int32Array, orEmpty: boolean): Claim | undefined {
  const capacity = capacityOf(words);
  const mask = capacity - 1;
  let slot = (wanted[0] ?? 0) & mask;
  for (let tried = 0; tried < capacity; tried++, slot = (slot + 1) & mask) {
    const at = headWords + slot * slotWords;
    let state = Atomics.load(words, at);
    while (state === busy) state = Atomics.load(words, at);
    if (state === empty) return orEmpty ? { words, at } : undefined;
    if (words[at + 1] === wanted[0] && words[at + 2] === wanted[1] && words[at + 3] === wanted[2] && words[at + 4] === wanted[3])
      return { words, at };
  }
  return undefined;
}
