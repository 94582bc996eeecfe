import type { BlockBatch } from '../packs/chunk-source.ts';
import type { BadPiece } from '../packs/open-batch.ts';
import { chunkMinBytes } from '../tree/chunker.ts';
import type { AnyTask, Task } from '../workers/task.ts';

export interface Proof {
  /** Plaintext that was found good. */
  readonly bytes: number;
  readonly bad: readonly BadPiece[];
}

/** Opens every chunk of a batch and compares it with its id; goes on over damage. */
export const proveBatch: Task<{ readonly batch: BlockBatch }, Proof> = {
  name: 'check.prove_batch',
  run({ batch }, context) {
    const bad: BadPiece[] = [];
    let bytes = 0;
    context.openBatch(
      batch,
      (plain) => {
        context.throwIfAborted();
        bytes += plain.length;
      },
      (piece) => void bad.push(piece),
    );
    return { bytes, bad };
  },
};

/** Stores every chunk of the batch that can be read and is nowhere else; gives the bytes of those. */
export const storeReadable: Task<{ readonly batch: BlockBatch }, number> = {
  name: 'check.store_readable',
  run({ batch }, context) {
    let bytes = 0;
    context.openBatch(
      batch,
      (plain) => {
        context.throwIfAborted();
        if (context.sink.has(context.sink.identify(plain))) return;
        bytes += plain.length;
        if (plain.length < chunkMinBytes) context.sink.storeSmall(plain, 'fast');
        else context.sink.store(plain, 'default');
      },
      () => undefined,
    );
    return bytes;
  },
};

export const checkTasks: readonly AnyTask[] = [proveBatch, storeReadable];
