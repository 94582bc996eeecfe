/**
 * The read side. The main thread groups wanted chunks by pack, fetches whole packs or ranges of them, and hands each
 * `BlockBatch` to a worker task, which walks it with `context.openBatch`: open, decompress, check the id, and pass the
 * plaintext on. Batches arrive in pack order, not in the order of the list.
 */

import type { Fault } from '../../base/faults.ts';

/** Wanted blocks of one pack. Flat typed arrays, so that a batch moves between threads without being copied. */
export interface BlockBatch {
  readonly packId: string;
  readonly keyId: string;
  /** Sealed blocks, one after the other; transferred to the worker. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Six numbers a block: position in `bytes`, offset in the pack, sealed length, raw length, first chunk, chunk count. */
  readonly blocks: Uint32Array<ArrayBuffer>;
  /** Four numbers a chunk: offset in the raw block, length, first want, want count. */
  readonly chunks: Uint32Array<ArrayBuffer>;
  /** 32 bytes a chunk. */
  readonly ids: Uint8Array<ArrayBuffer>;
  /** Positions in the caller's list of ids that want this chunk. */
  readonly wants: Uint32Array<ArrayBuffer>;
}

/** When the chunks of a block that was authenticated are compared with their ids: before they are shown, or by the caller, later, for whom they are. */
export type Identified = 'at once' | 'afterwards';

/** Everything in a batch that can be transferred, for `run(task, input, transfer)`. */
export function batchTransfer(batch: BlockBatch): ArrayBuffer[] {
  return [batch.bytes.buffer, batch.blocks.buffer, batch.chunks.buffer, batch.ids.buffer, batch.wants.buffer];
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told of each chunk that no index names and each piece of a pack that cannot be had, with the positions in the list that go without; reading then goes on. */
  readonly onDamage?: ((fault: Fault, wants: readonly number[]) => void) | undefined;
}

/** Main thread only. */
export interface ChunkSource {
  /**
   * The plaintext of each id (32 bytes each, concatenated), in order. For maps and small reads: everything is in memory at once.
   * @throws {Fault} `repository.chunk_absent`, `repository.pack_damaged` (corrupt)
   */
  fetch(ids: Uint8Array, options: ReadOptions): Promise<Buffer[]>;
  /**
   * Groups the wanted ids (32 bytes each, concatenated; equal ids are fetched once) by pack and gives one or more batches a pack.
   * The next batch is fetched ahead while the caller works on this one.
   * Keep the list below about 256 k ids and call again, so that memory does not grow with the volume.
   */
  batches(ids: Uint8Array, options: ReadOptions): AsyncIterable<BlockBatch>;
  /** Whether an index (or this process) knows where the chunk is. */
  has(id: Uint8Array): boolean;
}
