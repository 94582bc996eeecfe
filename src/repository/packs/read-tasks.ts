import type { AnyTask, Task } from '../workers/task.ts';
import type { BlockBatch } from './chunk-source.ts';

export interface OpenedChunk {
  readonly plain: Uint8Array;
  readonly wants: Uint32Array;
}

/** Opens every chunk of a batch and hands the plaintext back: for maps and small reads. */
export const openChunks: Task<{ readonly batch: BlockBatch }, OpenedChunk[]> = {
  name: 'read.open_chunks',
  run({ batch }, context) {
    const chunks: OpenedChunk[] = [];
    context.openBatch(batch, (plain, wants) => {
      const copy = new Uint8Array(plain);
      context.transfer(copy.buffer);
      chunks.push({ plain: copy, wants: new Uint32Array(wants) });
    });
    return chunks;
  },
};

export const readTasks: readonly AnyTask[] = [openChunks];
