import { KiB, MiB } from '../../base/bytes.ts';
import { type Fault, isFault } from '../../base/faults.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { ChunkPlace } from '../index/chunk-table.ts';
import type { PackEntry } from '../index/format.ts';
import type { FoundChunk } from '../index/state.ts';
import { packKey } from '../layout.ts';
import type { TaskPool } from '../workers/pool.ts';
import { type BlockBatch, batchTransfer, type ChunkSource, type ReadOptions } from './chunk-source.ts';
import { maxPackBytes } from './format.ts';
import { packDamaged } from './open-batch.ts';
import { type OpenedChunk, openChunks } from './read-tasks.ts';

/** Unwanted bytes between two wanted blocks that are read along rather than asked for in a request of their own. */
const joinGapBytes = 256 * KiB;
/** Half a pack with the block that fills it: requests are few, and what lies in memory while it is fetched, waits and is opened stays small. */
const maxRangeBytes = 9 * MiB;
/** What is fetched while the caller works on a batch: three halves of packs, or as many small ranges as hide the way to the bank. */
const aheadBytes = 3 * maxRangeBytes;
const requestsAhead = 8;

interface PlannedChunk {
  readonly place: ChunkPlace;
  readonly pack: PackEntry;
  /** Position in the caller's list. */
  readonly want: number;
}

/** One contiguous piece of a pack. */
interface PlannedRange {
  readonly pack: PackEntry;
  readonly chunks: readonly PlannedChunk[];
  readonly offset: number;
  readonly length: number;
}

/** A range that could not be had. */
interface LostRange {
  readonly range: PlannedRange;
  readonly fault: Fault;
}

export interface PackReaderOptions {
  readonly store: ObjectStore;
  readonly index: ChunkIndex;
  readonly pool: Pick<TaskPool, 'run'>;
  /** Told of every pack that is found damaged. */
  readonly onBad: (fault: Fault) => void;
  /** Read only where no other pack has the chunk. */
  readonly isBad: (packId: string) => boolean;
}

/** See `ChunkSource`. */
export class PackReader implements ChunkSource {
  readonly #store: ObjectStore;
  readonly #index: ChunkIndex;
  readonly #pool: Pick<TaskPool, 'run'>;
  readonly #onBad: (fault: Fault) => void;
  readonly #isBad: (packId: string) => boolean;

  constructor({ store, index, pool, onBad, isBad }: PackReaderOptions) {
    this.#store = store;
    this.#index = index;
    this.#pool = pool;
    this.#onBad = onBad;
    this.#isBad = isBad;
  }

  has(id: Uint8Array): boolean {
    return this.#index.has(id);
  }

  async fetch(ids: Uint8Array, { signal }: ReadOptions): Promise<Buffer[]> {
    const found: Buffer[] = [];
    for await (const batch of this.batches(ids, { signal })) {
      for (const { plain, wants } of await this.#open(batch, signal)) {
        for (const want of wants) found[want] = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength);
      }
    }
    return found;
  }

  async #open(batch: BlockBatch, signal: AbortSignal | undefined): Promise<OpenedChunk[]> {
    try {
      return (await this.#pool.run(openChunks, { batch }, { signal, transfer: batchTransfer(batch) })).output;
    } catch (error) {
      if (isFault(error)) this.#onBad(error);
      throw error;
    }
  }

  async *batches(ids: Uint8Array, { signal, onDamage }: ReadOptions): AsyncGenerator<BlockBatch> {
    const ranges = planRanges(await this.#locate(ids, signal, onDamage));
    const ahead: { readonly fetched: Promise<BlockBatch | LostRange>; readonly bytes: number }[] = [];
    let bytesAhead = 0;
    const failed = new Set<string>();
    try {
      for (let next = 0; next < ranges.length || ahead.length > 0; ) {
        const range = ranges[next];
        const hasRoom = ahead.length < requestsAhead && bytesAhead + (range?.length ?? 0) <= aheadBytes;
        if (range !== undefined && (hasRoom || ahead.length === 0)) {
          next++;
          const fetched = this.#fetchRange(range, ids, signal).catch((fault: unknown) => {
            if (!isFault(fault) || fault.kind !== 'corrupt') throw fault;
            return { range, fault };
          });
          fetched.catch(() => undefined); // awaited in its turn; not before the ones ahead of it
          ahead.push({ fetched, bytes: range.length });
          bytesAhead += range.length;
          continue;
        }
        const first = ahead.shift();
        if (first === undefined) continue;
        bytesAhead -= first.bytes;
        const batch = await first.fetched;
        if ('packId' in batch) yield batch;
        else {
          failed.add(batch.range.pack.id);
          ranges.push(...planRanges(await this.#relocate(batch, failed, ids, signal, onDamage)));
        }
      }
    } finally {
      // The caller may stop early: nothing stays on its way behind his back.
      await Promise.allSettled(ahead.map(({ fetched }) => fetched));
    }
  }

  /** Other places for what a lost range held: a second copy, or where it lies since its pack was collected. */
  async #relocate(
    { range, fault }: LostRange,
    failed: ReadonlySet<string>,
    ids: Uint8Array,
    signal: AbortSignal | undefined,
    onDamage: ReadOptions['onDamage'],
  ): Promise<PlannedChunk[]> {
    await this.#index.refresh(signal);
    if (this.#index.isNamed(range.chunks[0]?.place.pack ?? -1)) this.#onBad(fault);
    const lost: number[] = [];
    const found = range.chunks.flatMap(({ want }) => {
      const others = this.#index.findAll(ids.subarray(want * 32, want * 32 + 32)).filter(({ pack }) => !failed.has(pack.id));
      if (others[0] === undefined) lost.push(want);
      return others.slice(0, 1).map((other) => ({ ...other, want }));
    });
    if (lost.length > 0) {
      if (onDamage === undefined) throw fault;
      onDamage(fault, lost);
    }
    return found;
  }

  async #locate(ids: Uint8Array, signal: AbortSignal | undefined, onDamage: ReadOptions['onDamage']): Promise<PlannedChunk[]> {
    await this.#index.ready(signal);
    const planned: PlannedChunk[] = [];
    let refreshed = false;
    for (let want = 0; want * 32 < ids.length; want++) {
      const id = ids.subarray(want * 32, want * 32 + 32);
      let found = this.#find(id);
      if (found === undefined && !refreshed) {
        await this.#index.refresh(signal);
        refreshed = true;
        found = this.#find(id);
      }
      if (found !== undefined) planned.push({ ...found, want });
      else if (onDamage) onDamage(this.#index.absentFault(id), [want]);
      else throw this.#index.absentFault(id);
    }
    return planned;
  }

  #find(id: Uint8Array): FoundChunk | undefined {
    const places = this.#index.findAll(id);
    return places.find(({ pack }) => !this.#isBad(pack.id)) ?? places[0];
  }

  async #fetchRange(
    { pack, chunks, offset, length }: PlannedRange,
    ids: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<BlockBatch> {
    const bytes = await this.#store.get(packKey(pack.id), { range: { offset, length }, signal }).catch((error: unknown) => {
      if (isFault(error, 'storage.missing')) throw packDamaged(pack.id, 'it is not there', error);
      if (isFault(error) && error.kind === 'corrupt') throw packDamaged(pack.id, error.message, error);
      throw error;
    });
    return encodeBatch(pack, chunks, ids, offset, ownBytes(bytes));
  }
}

/** Chunks in the order they lie in, cut where the gap is large. */
function planRanges(chunks: PlannedChunk[]): PlannedRange[] {
  chunks.sort(
    (a, b) =>
      a.place.pack - b.place.pack || a.place.blockOffset - b.place.blockOffset || a.place.chunkOffset - b.place.chunkOffset,
  );
  const ranges: PlannedRange[] = [];
  let from = 0;
  let end = 0;
  chunks.forEach((chunk, at) => {
    const before = chunks[at - 1];
    const { blockOffset, blockLength } = chunk.place;
    const start = chunks[from]?.place.blockOffset ?? 0;
    const fits = blockOffset <= end + joinGapBytes && (blockOffset + blockLength <= start + maxRangeBytes || blockOffset < end);
    if (before !== undefined && (before.place.pack !== chunk.place.pack || !fits)) {
      ranges.push(asRange(chunks.slice(from, at)));
      from = at;
    }
    end = blockOffset + blockLength;
  });
  if (chunks.length > 0) ranges.push(asRange(chunks.slice(from)));
  return ranges;
}

function asRange(chunks: readonly PlannedChunk[]): PlannedRange {
  const first = chunks[0];
  const last = chunks.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('A range holds at least one chunk.');
  const offset = first.place.blockOffset;
  return {
    pack: first.pack,
    chunks,
    offset,
    length: Math.min(last.place.blockOffset + last.place.blockLength, maxPackBytes) - offset,
  };
}

/** `chunks` in the order they lie in; equal neighbours are the same chunk wanted in several places. */
function encodeBatch(
  pack: PackEntry,
  chunks: readonly PlannedChunk[],
  ids: Uint8Array,
  start: number,
  bytes: Uint8Array<ArrayBuffer>,
): BlockBatch {
  const blockWords: number[] = [];
  const chunkWords: number[] = [];
  const wants = new Uint32Array(chunks.length);
  const chunkIds: Uint8Array[] = [];
  chunks.forEach(({ place, want }, at) => {
    const before = chunks[at - 1]?.place;
    if (before?.blockOffset !== place.blockOffset) {
      blockWords.push(place.blockOffset - start, place.blockOffset, place.blockLength, place.rawLength, chunkIds.length, 0);
    }
    if (
      before?.blockOffset !== place.blockOffset ||
      before.chunkOffset !== place.chunkOffset ||
      before.chunkLength !== place.chunkLength
    ) {
      chunkWords.push(place.chunkOffset, place.chunkLength, at, 0);
      chunkIds.push(ids.subarray(want * 32, want * 32 + 32));
      increment(blockWords, blockWords.length - 1);
    }
    increment(chunkWords, chunkWords.length - 1);
    wants[at] = want;
  });
  const flatIds = new Uint8Array(chunkIds.length * 32);
  for (const [at, id] of chunkIds.entries()) flatIds.set(id, at * 32);
  return {
    packId: pack.id,
    keyId: pack.keyId,
    bytes,
    blocks: Uint32Array.from(blockWords),
    chunks: Uint32Array.from(chunkWords),
    ids: flatIds,
    wants,
  };
}

function increment(words: number[], at: number): void {
  words[at] = (words[at] ?? 0) + 1;
}

/** The bytes alone in a buffer that may be transferred; small ones come out of Node's shared pool and are copied. */
export function ownBytes(bytes: Buffer): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && buffer.byteLength === byteLength && byteLength > 64 * KiB)
    return new Uint8Array(buffer);
  return new Uint8Array(bytes);
}
