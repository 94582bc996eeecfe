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

/** Opens every chunk of a batch and says how many plaintext bytes were found good. */
export const proveChunks: Task<{ readonly batch: BlockBatch }, number> = {
  name: 'read.prove_chunks',
  run({ batch }, context) {
    let bytes = 0;
    context.openBatch(batch, (plain) => {
      context.throwIfAborted();
      bytes += plain.length;
    });
    return bytes;
  },
};

/** Opens a whole pack by its own directory, as if no index were there; returns how many chunks it holds. */
export const provePack: Task<{ readonly packId: string; readonly bytes: Uint8Array<ArrayBuffer> }, number> = {
  name: 'read.prove_pack',
  run: ({ packId, bytes }, context) => context.openPack(packId, bytes),
};

export const readTasks: readonly AnyTask[] = [openChunks, proveChunks, provePack];
