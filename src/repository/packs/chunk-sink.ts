/**
 * The write side as it is seen inside a worker thread. Main thread → `session.run(task, input)` → a worker runs the task,
 * which calls the sink with plaintext; the sink hashes, looks the id up in the shared table, compresses, seals and fills
 * the thread's open pack. Full packs travel to the main thread, which puts them into the store. All calls are synchronous.
 */

/** 32 bytes: keyed BLAKE3-256 of the chunk's plaintext. */
export type ChunkId = Uint8Array;

export type Level = 'fast' | 'default';

export interface ChunkSink {
  /**
   * One chunk in a block of its own: for chunks that are large enough to compress alone. Counted as logical bytes.
   * The plaintext may be reused by the caller as soon as this returns. At most `maxChunkBytes`.
   */
  store(plain: Uint8Array, level: Level): ChunkId;
  /**
   * Neighbours of `chunkBytes` each, the last one may be shorter; their ids, one after the other. Those of them that are new go into blocks of up to 1 MiB
   * together, straight from where they lie: a larger block compresses better. Counted as logical bytes.
   */
  storeRun(plain: Uint8Array, chunkBytes: number, level: Level): Uint8Array;
  /**
   * One small chunk, collected with others into a solid block of about 1 MiB that is compressed and sealed as one.
   * Neighbours in a block are those stored one after the other by one thread. Counted as logical bytes.
   */
  storeSmall(plain: Uint8Array, level: Level): ChunkId;
  /** A chunk of the repository's own making (map leaf, tree segment), in a solid block; not counted as logical bytes. */
  storeMap(plain: Uint8Array): ChunkId;
  /** Counts logical bytes that need no storing: holes, zero runs, what was taken over from the parent. */
  countReused(bytes: number): void;
  /** The id the chunk would get, without storing it. */
  identify(plain: Uint8Array): ChunkId;
  /** Whether the chunk is in the bank already, or on its way there. */
  has(id: ChunkId): boolean;
}

/** What one task did; sums itself up in the session. */
export interface SinkCounters {
  /** Plaintext bytes seen by `store`, `storeSmall` and `countReused`. */
  logicalBytes: number;
  /** The part of them that was there already. */
  reusedBytes: number;
  /** Bytes this task added to packs, sealed. */
  sealedBytes: number;
  /** Numbers of the packs in which something of this task lies; its bytes are durable when all of them are. */
  packs: number[];
}

/** The largest plaintext that one chunk may have. */
export const maxChunkBytes = 4 * 1024 * 1024;
