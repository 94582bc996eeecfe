import { MiB } from '../../base/bytes.ts';
import { Fault } from '../../base/faults.ts';
import type { RepositoryCore, WriteSession } from '../core.ts';
import { eachLimited } from '../each-limited.ts';
import { IdMemo } from '../id-memo.ts';
import type { Level } from '../packs/chunk-sink.ts';
import type { BlockBatch } from '../packs/chunk-source.ts';
import { openForCopy, storeCopied } from './tasks.ts';

const idBytes = 32;
/** Plaintext that travels between two threads at once, but for a block that alone has more. */
const pieceBytes = 4 * MiB;
/** What a task may store at most. */
const pieceChunks = 4096;

export interface ChunkCopyOptions {
  readonly from: RepositoryCore;
  readonly to: RepositoryCore;
  /** Of the repository that is written to. */
  readonly session: WriteSession;
  readonly level: Level;
  readonly smallBelowBytes: number;
}

/** Chunks on their way from one repository into another, where they have other ids. */
export class ChunkCopy {
  readonly #options: ChunkCopyOptions;
  readonly #memo = new IdMemo();

  constructor(options: ChunkCopyOptions) {
    this.#options = options;
  }

  /** The chunk is known under this id in the other repository; only used while it is stored there. */
  learn(id: Uint8Array, otherId: Uint8Array): void {
    this.#memo.set(id, otherId);
  }

  /**
   * The ids that these chunks have in the other repository (32 bytes each, as in the list). What is not known there is read, opened and
   * stored; each chunk once a call. Counts all bytes as progress.
   * @throws {Fault} `repository.chunk_absent`, `repository.pack_damaged`, `repository.snapshot_damaged` (corrupt)
   */
  async resolve(ids: Uint8Array, lengths: readonly number[]): Promise<Uint8Array> {
    const { from, to, session } = this.#options;
    const found = new Uint8Array(ids.length);
    const missing: number[] = [];
    let knownBytes = 0;
    lengths.forEach((length, at) => {
      const known = this.#memo.get(ids.subarray(at * idBytes, (at + 1) * idBytes));
      if (known && to.source.has(known)) {
        found.set(known, at * idBytes);
        knownBytes += length;
      } else missing.push(at);
    });
    if (knownBytes > 0) session.countReused(knownBytes);
    const wanted = new Uint8Array(missing.length * idBytes);
    missing.forEach((at, want) => void wanted.set(ids.subarray(at * idBytes, (at + 1) * idBytes), want * idBytes));
    const batches = from.source.batches(wanted, { signal: session.signal });
    await eachLimited(pieces(batches), from.threads + 1, async (batch) => {
      const stored = await this.#move(batch, (want) => lengths[missing[want] ?? -1]);
      for (let chunk = 0; chunk * 4 < batch.chunks.length; chunk++) {
        const id = stored.subarray(chunk * idBytes, (chunk + 1) * idBytes);
        this.#memo.set(batch.ids.subarray(chunk * idBytes, (chunk + 1) * idBytes), id);
        for (const want of wantsOf(batch, chunk)) found.set(id, (missing[want] ?? 0) * idBytes);
      }
    });
    return found;
  }

  async #move(batch: BlockBatch, lengthOf: (want: number) => number | undefined): Promise<Uint8Array> {
    const { from, session, level, smallBelowBytes } = this.#options;
    const input = { batch, rawBytes: rawBytesOf(batch) };
    const opened = await from.run(openForCopy, input, { signal: session.signal, transfer: [batch.bytes.buffer] });
    let repeatedBytes = 0;
    opened.lengths.forEach((length, chunk) => {
      const wants = wantsOf(batch, chunk);
      for (const want of wants) if (lengthOf(want) !== length) throw lengthDiffers(batch, chunk);
      repeatedBytes += length * (wants.length - 1);
    });
    const stored = await session.run(storeCopied, { ...opened, level, smallBelowBytes }, [opened.bytes.buffer]);
    if (repeatedBytes > 0) session.countReused(repeatedBytes);
    return stored;
  }
}

function wantsOf({ chunks, wants }: BlockBatch, chunk: number): Uint32Array {
  const first = chunks[chunk * 4 + 2] ?? 0;
  return wants.subarray(first, first + (chunks[chunk * 4 + 3] ?? 0));
}

function rawBytesOf({ chunks }: BlockBatch): number {
  let sum = 0;
  for (let at = 1; at < chunks.length; at += 4) sum += chunks[at] ?? 0;
  return sum;
}

/** Cut between blocks, so that what compressed well does not fill the memory once it is open. */
async function* pieces(batches: AsyncIterable<BlockBatch>): AsyncGenerator<BlockBatch> {
  for await (const batch of batches) {
    let first = 0;
    let raw = 0;
    for (let block = 0; block < batch.blocks.length; block += 6) {
      const count = batch.blocks[block + 5] ?? 0;
      const chunks = (batch.blocks[block + 4] ?? 0) + count - (batch.blocks[first + 4] ?? 0);
      raw += batch.blocks[block + 3] ?? 0;
      if (block > first && (raw > pieceBytes || chunks > pieceChunks)) {
        yield cut(batch, first, block);
        first = block;
        raw = batch.blocks[block + 3] ?? 0;
      }
    }
    yield first === 0 ? batch : cut(batch, first, batch.blocks.length);
  }
}

/** Blocks `from` to `end` (places in `blocks`) with bytes of their own; `wants` stay whole, as chunks point into them. */
function cut(batch: BlockBatch, from: number, end: number): BlockBatch {
  const blocks = batch.blocks.slice(from, end);
  const at = (place: number): number => blocks[place] ?? 0;
  const start = at(0);
  const stop = at(blocks.length - 6) + at(blocks.length - 4);
  const firstChunk = at(4);
  const endChunk = at(blocks.length - 2) + at(blocks.length - 1);
  for (let block = 0; block < blocks.length; block += 6) {
    blocks[block] = at(block) - start;
    blocks[block + 4] = at(block + 4) - firstChunk;
  }
  return {
    ...batch,
    bytes: batch.bytes.slice(start, stop),
    blocks,
    chunks: batch.chunks.slice(firstChunk * 4, endChunk * 4),
    ids: batch.ids.slice(firstChunk * idBytes, endChunk * idBytes),
  };
}

function lengthDiffers({ ids }: BlockBatch, chunk: number): Fault {
  const id = Buffer.from(ids.subarray(chunk * idBytes, (chunk + 1) * idBytes)).toString('hex');
  return new Fault('corrupt', 'repository.snapshot_damaged', `Chunk ${id.slice(0, 16)} is not as long as its snapshot says.`, {
    help: 'Copy another snapshot; a new protect of the same source makes a sound one.',
  });
}
