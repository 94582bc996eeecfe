import { Fault } from '../base/faults.ts';
import type { BlockBatch } from './chunk-source.ts';
import type { RootKey } from './crypto.ts';
import { freeBytes } from './free-bytes.ts';
import type { KeyedHash } from './keyed-hash.ts';
import { packKey } from './layout.ts';
import { PackOpener, packFooterBytes, parseFooter } from './pack-format.ts';

export interface OpenKeys {
  readonly roots: ReadonlyMap<string, RootKey>;
  readonly hashes: ReadonlyMap<string, KeyedHash>;
  readonly projectId: string;
}

/** Opens every block of the batch, checks every chunk against its id, and shows it; uses the batch up. Runs in a worker. */
export function openBatch(
  batch: BlockBatch,
  keys: OpenKeys,
  visit: (plain: Uint8Array, wants: Uint32Array, firstWant: number) => void,
): void {
  const root = keys.roots.get(batch.keyId);
  const hash = keys.hashes.get(batch.keyId);
  if (root === undefined || hash === undefined) throw packDamaged(batch.packId, `its root key ${batch.keyId} cannot be opened`);
  const opener = new PackOpener(root, keys.projectId, batch.packId);
  const { blocks, chunks, ids, wants } = batch;
  const number = (list: Uint32Array, at: number): number => list[at] ?? 0;
  for (let block = 0; block < blocks.length; block += 6) {
    const from = number(blocks, block);
    const offset = number(blocks, block + 1);
    const sealed = batch.bytes.subarray(from, from + number(blocks, block + 2));
    const raw = opener.openBlock(sealed, offset, number(blocks, block + 3));
    if (raw === undefined) throw packDamaged(batch.packId, `the block at byte ${offset} does not open`);
    const first = number(blocks, block + 4);
    for (let chunk = first; chunk < first + number(blocks, block + 5); chunk++) {
      const at = number(chunks, chunk * 4);
      const plain = raw.subarray(at, at + number(chunks, chunk * 4 + 1));
      if (!hash.digest(plain).equals(ids.subarray(chunk * 32, chunk * 32 + 32))) {
        throw packDamaged(batch.packId, `the block at byte ${offset} holds another chunk than its index says`);
      }
      const firstWant = number(chunks, chunk * 4 + 2);
      visit(plain, wants.subarray(firstWant, firstWant + number(chunks, chunk * 4 + 3)), firstWant);
    }
    freeBytes(raw);
  }
  freeBytes(batch.bytes);
}

/** Opens a pack by its footer and directory alone and checks every chunk in it; returns how many there are. Runs in a worker. */
export function openPack(packId: string, bytes: Uint8Array, keys: OpenKeys): number {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const footer = parseFooter(whole.subarray(Math.max(0, whole.length - packFooterBytes)), whole.length);
  if (footer === undefined) throw packDamaged(packId, 'its footer is no footer');
  const root = keys.roots.get(footer.keyId);
  const hash = keys.hashes.get(footer.keyId);
  if (root === undefined || hash === undefined) throw packDamaged(packId, `its root key ${footer.keyId} cannot be opened`);
  const opener = new PackOpener(root, keys.projectId, packId);
  const { directoryOffset, directoryLength } = footer;
  const blocks = opener.openDirectory(whole.subarray(directoryOffset, directoryOffset + directoryLength), directoryOffset);
  if (blocks === undefined) throw packDamaged(packId, 'its directory does not open');
  let count = 0;
  for (const { offset, length, rawLength, chunks } of blocks) {
    const raw = opener.openBlock(whole.subarray(offset, offset + length), offset, rawLength);
    if (raw === undefined) throw packDamaged(packId, `the block at byte ${offset} does not open`);
    for (const chunk of chunks) {
      if (!hash.digest(raw.subarray(chunk.offset, chunk.offset + chunk.length)).equals(chunk.id)) {
        throw packDamaged(packId, `the block at byte ${offset} holds another chunk than its directory says`);
      }
      count++;
    }
    freeBytes(raw);
  }
  return count;
}

export function packDamaged(packId: string, what: string, cause?: unknown): Fault {
  return new Fault('corrupt', 'repository.pack_damaged', `Pack ${packKey(packId)} is damaged: ${what}.`, {
    details: { object: packKey(packId) },
    help: 'Put the object back from a copy of the bank, or restore a snapshot that does not need it.',
    ...(cause !== undefined && { cause }),
  });
}
