import { Fault } from '../../base/faults.ts';
import { type RunView, searchRun } from './run-format.ts';

/** Where a chunk lies; `pack` is this process's number of the pack. */
export interface ChunkPlace {
  readonly pack: number;
  readonly blockOffset: number;
  readonly blockLength: number;
  readonly rawLength: number;
  readonly chunkOffset: number;
  readonly chunkLength: number;
}

/** What the threads share. The main thread makes a new view when something is added or taken away, and shows it to the workers between two tasks. */
export interface TableView {
  /** Oldest first. */
  readonly generations: readonly SharedArrayBuffer[];
  readonly runs: readonly RunView[];
  /** One bit a pack: what lies in it counts as absent, but can be read. */
  readonly distrusted: Int32Array;
  /** One number: how many claims were ever given up. */
  readonly releases: Int32Array;
}

/**
 * Which chunks exist and where, shared by all threads without locks. What index objects name lies in runs, sorted files that cost next to no
 * memory. What this process stores lies in memory until a run has it: open addressing over SharedArrayBuffers, a slot is claimed by
 * compare-and-swap. 44 bytes a slot: state, 16 id bytes (keyed, so 128 bits are uniform and nobody can aim at a collision), six numbers.
 *
 * Growth: the main thread adds a generation before the newest is full. Lookups walk from the newest generation to the oldest, then through
 * the runs; inserts go to the newest generation a thread knows. Two threads that know different views may both store the same chunk: a few
 * bytes lost, nothing else.
 *
 * A slot's life: empty → busy → pending (claimed, being stored) → placed; dead when the storing failed. One that lies in a distrusted pack is
 * passed over as if it were another chunk's.
 */
const empty = 0;
const busy = 1;
const pending = 2;
const placed = 3;
const dead = 4;

const slotWords = 11;
const headWords = 1; // how many slots are taken

/** One slot of one generation, for the thread that claimed it. */
export interface Claim {
  readonly words: Int32Array;
  readonly at: number;
}

export function createGeneration(slots: number): SharedArrayBuffer {
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(slots, 1024)));
  return new SharedArrayBuffer((headWords + capacity * slotWords) * 4);
}

/** Whether nothing in the generation is on its way any more, and all of it that was placed lies in packs that `isKept` knows. */
export function isSettled(generation: SharedArrayBuffer, isKept: (pack: number) => boolean): boolean {
  const words = new Int32Array(generation);
  for (let at = headWords; at < words.length; at += slotWords) {
    const state = Atomics.load(words, at);
    if (state === empty || state === dead) continue;
    if (state !== placed || !isKept((words[at + 5] ?? 0) >>> 0)) return false;
  }
  return true;
}

export class ChunkTable {
  /** Newest first. */
  #generations: Int32Array[] = [];
  #view: TableView;

  constructor(view: TableView) {
    this.#view = view;
    this.show(view);
  }

  show(view: TableView): void {
    this.#view = view;
    this.#generations = view.generations.map((generation) => new Int32Array(generation)).reverse();
  }

  /** Slots of the newest generation, and how many of them are taken. */
  get newest(): { readonly capacity: number; readonly taken: number } {
    const words = this.#newest();
    return { capacity: capacityOf(words), taken: Atomics.load(words, 0) };
  }

  /** How many claims were ever given up, by any thread. Whoever met such a chunk meanwhile took it for stored, and it is not. */
  get releases(): number {
    return Atomics.load(this.#view.releases, 0);
  }

  has(id: Uint8Array): boolean {
    const wanted = idWords(id);
    return this.#generations.some((words) => this.#isLive(words, wanted)) || this.#isInRuns(wanted);
  }

  /** Every place where the chunk is known to lie, those in trusted packs first. */
  find(id: Uint8Array): ChunkPlace[] {
    const wanted = idWords(id);
    const trusted: ChunkPlace[] = [];
    const others: ChunkPlace[] = [];
    const add = (place: ChunkPlace): void => {
      const places = this.#isTrusted(place.pack) ? trusted : others;
      if (!places.some(({ pack }) => pack === place.pack)) places.push(place);
    };
    for (const words of this.#generations) {
      for (const at of slotsOf(words, wanted)) if (Atomics.load(words, at) === placed) add(placeAt(words, at + 5));
    }
    for (const run of this.#view.runs) {
      searchRun(run, wanted, (words, at) => {
        const place = placeAt(words, at + 8);
        add({ ...place, pack: run.packNumbers[place.pack] ?? 0 });
        return false;
      });
    }
    return [...trusted, ...others];
  }

  /** Takes the chunk for the caller, who then calls `place` or `release`; undefined when it is there already. */
  claim(id: Uint8Array): Claim | undefined {
    const wanted = idWords(id);
    const words = this.#newest();
    for (const older of this.#generations) if (older !== words && this.#isLive(older, wanted)) return undefined;
    // Looked for in memory first: a read costs more than a walk.
    if (this.#isLive(words, wanted) || this.#isInRuns(wanted)) return undefined;
    for (;;) {
      const at = this.#probe(words, wanted);
      if (at === undefined) throw new Fault('internal', 'repository.table_full', 'The table of chunks is full.');
      const state = Atomics.load(words, at);
      if (state === pending || state === placed) return undefined;
      // Lost races are looked at again: the winner may have taken the slot for this chunk or for another one.
      if (state !== empty && state !== dead) continue;
      if (Atomics.compareExchange(words, at, state, busy) !== state) continue;
      if (state === empty) {
        for (let n = 0; n < 4; n++) words[at + 1 + n] = wanted[n] ?? 0;
        Atomics.add(words, 0, 1);
      }
      Atomics.store(words, at, pending);
      return { words, at };
    }
  }

  place({ words, at }: Claim, place: ChunkPlace): void {
    words[at + 5] = place.pack;
    words[at + 6] = place.blockOffset;
    words[at + 7] = place.blockLength;
    words[at + 8] = place.rawLength;
    words[at + 9] = place.chunkOffset;
    words[at + 10] = place.chunkLength;
    Atomics.store(words, at, placed);
  }

  release({ words, at }: Claim): void {
    Atomics.add(this.#view.releases, 0, 1);
    Atomics.store(words, at, dead);
  }

  #newest(): Int32Array {
    const newest = this.#generations[0];
    if (newest === undefined) throw new Fault('internal', 'repository.table_absent', 'The table of chunks has no generation.');
    return newest;
  }

  #isTrusted(pack: number): boolean {
    return ((this.#view.distrusted[pack >> 5] ?? 0) & (1 << (pack & 31))) === 0;
  }

  #isInRuns(wanted: Int32Array): boolean {
    return this.#view.runs.some((run) =>
      searchRun(run, wanted, (words, at) => this.#isTrusted(run.packNumbers[words[at + 8] ?? 0] ?? 0)),
    );
  }

  #isLive(words: Int32Array, wanted: Int32Array): boolean {
    const at = this.#probe(words, wanted);
    if (at === undefined) return false;
    const state = Atomics.load(words, at);
    return state === pending || state === placed;
  }

  /** The chunk's slot, or the first empty one on its way; undefined when there is neither. */
  #probe(words: Int32Array, wanted: Int32Array): number | undefined {
    const mask = capacityOf(words) - 1;
    const first = (wanted[0] ?? 0) & mask;
    let slot = first;
    do {
      const at = headWords + slot * slotWords;
      const state = settledState(words, at);
      if (state === empty) return at;
      if (isSame(words, at, wanted) && (state !== placed || this.#isTrusted((words[at + 5] ?? 0) >>> 0))) return at;
      slot = (slot + 1) & mask;
    } while (slot !== first);
    return undefined;
  }
}

/** Every slot that the chunk has in a generation: more than one only when it lay in a pack that was distrusted. */
function* slotsOf(words: Int32Array, wanted: Int32Array): Generator<number> {
  const mask = capacityOf(words) - 1;
  const first = (wanted[0] ?? 0) & mask;
  let slot = first;
  do {
    const at = headWords + slot * slotWords;
    if (settledState(words, at) === empty) return;
    if (isSame(words, at, wanted)) yield at;
    slot = (slot + 1) & mask;
  } while (slot !== first);
}

/** Waits out slots that another thread is just filling (nanoseconds). */
function settledState(words: Int32Array, at: number): number {
  let state = Atomics.load(words, at);
  while (state === busy) state = Atomics.load(words, at);
  return state;
}

function isSame(words: Int32Array, at: number, wanted: Int32Array): boolean {
  return words[at + 1] === wanted[0] && words[at + 2] === wanted[1] && words[at + 3] === wanted[2] && words[at + 4] === wanted[3];
}

function placeAt(words: Int32Array, at: number): ChunkPlace {
  const word = (n: number): number => (words[at + n] ?? 0) >>> 0;
  return {
    pack: word(0),
    blockOffset: word(1),
    blockLength: word(2),
    rawLength: word(3),
    chunkOffset: word(4),
    chunkLength: word(5),
  };
}

function capacityOf(words: Int32Array): number {
  return (words.length - headWords) / slotWords;
}

function idWords(id: Uint8Array): Int32Array {
  const words = new Int32Array(8);
  new Uint8Array(words.buffer).set(id.subarray(0, 32));
  return words;
}
