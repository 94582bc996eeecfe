import type { Level } from '../packs/chunk-sink.ts';
import type { BlockBatch } from '../packs/chunk-source.ts';
import type { AnyTask, Task } from '../workers/task.ts';

const idBytes = 32;

/** Plaintext of several chunks, one after the other. */
export interface OpenedChunks {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** One a chunk, in the order of the batch. */
  readonly lengths: Uint32Array;
}

/** In a thread of the repository that is read: opens the batch, ids checked. */
export const openForCopy: Task<{ readonly batch: BlockBatch; readonly rawBytes: number }, OpenedChunks> = {
  name: 'copy.open',
  run({ batch, rawBytes }, context) {
    const bytes = new Uint8Array(rawBytes);
    const lengths = new Uint32Array(batch.chunks.length / 4);
    let filled = 0;
    let chunk = 0;
    context.openBatch(batch, (plain) => {
      bytes.set(plain, filled);
      filled += plain.length;
      lengths[chunk++] = plain.length;
    });
    context.transfer(bytes.buffer);
    return { bytes, lengths };
  },
};

export interface StoreCopiedInput extends OpenedChunks {
  readonly level: Level;
  /** Chunks of fewer bytes are sealed together with their neighbours. */
  readonly smallBelowBytes: number;
}

/** In a thread of the repository that is written to; gives 32 bytes a chunk. */
export const storeCopied: Task<StoreCopiedInput, Uint8Array> = {
  name: 'copy.store',
  run({ bytes, lengths, level, smallBelowBytes }, context) {
    const ids = new Uint8Array(lengths.length * idBytes);
    let at = 0;
    lengths.forEach((length, chunk) => {
      context.throwIfAborted();
      const plain = bytes.subarray(at, at + length);
      at += length;
      ids.set(
        length < smallBelowBytes ? context.sink.storeSmall(plain, level) : context.sink.store(plain, level),
        chunk * idBytes,
      );
    });
    context.transfer(ids.buffer);
    return ids;
  },
};

export const copyTasks: readonly AnyTask[] = [openForCopy, storeCopied];
