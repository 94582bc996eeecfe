import type { ChunkId, ChunkSink } from '../packs/chunk-sink.ts';
import type { BlockBatch, Identified } from '../packs/chunk-source.ts';
import type { BadPiece } from '../packs/open-batch.ts';

/**
 * A named piece of synchronous work for a worker thread. The main thread passes the task object to `run`, only its name,
 * the input and the output travel (structured clone). A task is announced by adding it to the list in `tasks.ts`.
 *
 * Rules for a task: some milliseconds of work (a volume segment of 4 MiB, a batch of files), at most 4096 new chunks, no state kept
 * between calls, `context.throwIfAborted()` between units of work, errors thrown as faults. File descriptors opened by the main
 * thread are valid in a task, as all threads share one process.
 */
export interface Task<Input, Output> {
  readonly name: string;
  run(input: Input, context: WorkerContext): Output;
}

/** What a task may use; lives as long as the thread. */
export interface WorkerContext {
  readonly sink: ChunkSink;
  /** The keyed hash under the given root key (`SnapshotRecord.keyId`), as ids and digests of that snapshot are made. */
  identify(plain: Uint8Array, keyId: string): ChunkId;
  /**
   * Opens the batch block by block and calls `visit` once a chunk, ids checked. `plain` is valid during the call only;
   * `wants` are the positions in the list that `ChunkSource.batches` was given, and stand in `batch.wants` from `firstWant` on.
   * With `onBad` it goes on over damage. Ids are checked `at once` unless the caller does so himself.
   * @throws {Fault} `repository.pack_damaged` (corrupt) that names the pack
   */
  openBatch(
    batch: BlockBatch,
    visit: (plain: Uint8Array, wants: Uint32Array, firstWant: number) => void,
    onBad?: (piece: BadPiece) => void,
    identified?: Identified,
  ): void;
  /** What a sealed index object says; undefined when it does not open. */
  openIndex(id: string, bytes: Uint8Array): Buffer | undefined;
  /** Throws the fault `base.cancelled` when the signal given to `run` has fired. */
  throwIfAborted(): void;
  /** The buffer is moved to the main thread with the output instead of being copied. */
  transfer(buffer: ArrayBuffer): void;
}

/** A task whose types only its own file knows; the worker hands it what came over the wire under its name. */
export type AnyTask = Task<never, unknown>;
