import type { BlockBatch } from '../packs/chunk-source.ts';
import type { BadPiece } from '../packs/open-batch.ts';
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

export const checkTasks: readonly AnyTask[] = [proveBatch];
