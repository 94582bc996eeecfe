import { Fault } from '../../base/faults.ts';
import { freeBytes } from '../free-bytes.ts';
import { packKey } from '../layout.ts';
import type { RootKey } from '../seal/crypto.ts';
import type { KeyedHash } from '../seal/keyed-hash.ts';
import type { BlockBatch, Identified } from './chunk-source.ts';
import { PackOpener } from './format.ts';

export interface OpenKeys {
  readonly roots: ReadonlyMap<string, RootKey>;
  readonly hashes: ReadonlyMap<string, KeyedHash>;
  readonly projectId: string;
}

/** A piece of a pack that does not hold what an index says; plain data, for the way between threads. */
export interface BadPiece {
  readonly packId: string;
  readonly what: string;
  /** Positions in the list that `ChunkSource.batches` was given. */
  readonly wants: readonly number[];
}

/**
 * Opens every block of the batch, checks every chunk against its id, and shows it; uses the batch up. Runs in a worker. With `onBad` it goes on
 * over damage, otherwise the first is thrown.
 */
export function openBatch(
  batch: BlockBatch,
  keys: OpenKeys,
  visit: (plain: Uint8Array, wants: Uint32Array, firstWant: number) => void,
  onBad: (piece: BadPiece) => void = ({ packId, what }) => {
    throw packDamaged(packId, what);
  },
  identified: Identified = 'at once',
): void {
  const { packId, keyId, blocks, chunks, ids, wants } = batch;
  const root = keys.roots.get(keyId);
  const hash = keys.hashes.get(keyId);
  const opener = root && new PackOpener(root, keys.projectId, packId);
  const number = (list: Uint32Array, at: number): number => list[at] ?? 0;
  const wantsOf = (chunk: number): Uint32Array => {
    const first = number(chunks, chunk * 4 + 2);
    return wants.subarray(first, first + number(chunks, chunk * 4 + 3));
  };
  for (let block = 0; block < blocks.length; block += 6) {
    const from = number(blocks, block);
    const offset = number(blocks, block + 1);
    const first = number(blocks, block + 4);
    const end = first + number(blocks, block + 5);
    const sealed = batch.bytes.subarray(from, from + number(blocks, block + 2));
    const raw = opener?.openBlock(sealed, offset, number(blocks, block + 3));
    if (raw === undefined || hash === undefined) {
      const what = opener ? `the block at byte ${offset} does not open` : `its root key ${keyId} cannot be opened`;
      onBad({ packId, what, wants: Array.from({ length: end - first }, (_, n) => [...wantsOf(first + n)]).flat() });
      continue;
    }
    for (let chunk = first; chunk < end; chunk++) {
      const at = number(chunks, chunk * 4);
      const plain = raw.subarray(at, at + number(chunks, chunk * 4 + 1));
      if (identified === 'afterwards' || hash.digest(plain).equals(ids.subarray(chunk * 32, chunk * 32 + 32)))
        visit(plain, wantsOf(chunk), number(chunks, chunk * 4 + 2));
      else
        onBad({
          packId,
          what: `the block at byte ${offset} holds another chunk than its index says`,
          wants: [...wantsOf(chunk)],
        });
    }
  }
  freeBytes(batch.bytes);
}

export function packDamaged(packId: string, what: string, cause?: unknown): Fault {
  return new Fault('corrupt', 'repository.pack_damaged', `Pack ${packKey(packId)} is damaged: ${what}.`, {
    details: { object: packKey(packId), what },
    help: 'Put the object back from a copy of the bank, or restore a snapshot that does not need it.',
    ...(cause !== undefined && { cause }),
  });
}
