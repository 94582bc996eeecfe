import { isFault } from '../../base/faults.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { RepositoryCore } from '../core.ts';
import type { IndexRecord, PackEntry } from '../index/format.ts';
import { listRecords } from '../index/unsaved-packs.ts';
import { packKey } from '../layout.ts';
import { type BlockBatch, batchTransfer } from '../packs/chunk-source.ts';
import { headMagic, maxPackBytes, type PackedBlock, PackOpener, packFooterBytes, parseFooter } from '../packs/format.ts';
import { ownBytes } from '../packs/reader.ts';
import type { KeyRing } from '../seal/keys.ts';
import { proveBatch } from './tasks.ts';

/** What is wrong with a pack. */
export interface BrokenPack {
  readonly what: string;
  /** Offsets of the blocks that cannot be read; none when the directory alone is damaged. */
  readonly blocks: ReadonlySet<number> | 'all';
}

export interface PackProofParts {
  readonly core: Pick<RepositoryCore, 'run'>;
  readonly store: Pick<ObjectStore, 'get'>;
  readonly projectId: string;
  readonly keys: KeyRing;
}

/** A chunk in a block, as an index record says. */
type PlacedChunk = Omit<IndexRecord, 'pack'>;

/**
 * Reads a pack to its last byte: footer, directory, and every chunk that the index names in it, or its directory where no index does. Undefined
 * when all is well, or the pack has gone meanwhile.
 */
export async function provePack(
  { core, store, projectId, keys }: PackProofParts,
  packId: string,
  indexed: { readonly pack: PackEntry; readonly chunks: readonly PlacedChunk[] } | undefined,
  signal: AbortSignal | undefined,
): Promise<BrokenPack | undefined> {
  const bytes = await readAll(store, packId, signal);
  if (bytes === undefined || 'what' in bytes) return bytes;
  const directory = readDirectory(bytes, packId, projectId, keys);
  const chunks = indexed?.chunks ?? (directory.blocks ? listRecords([directory]) : []);
  const keyId = indexed?.pack.keyId ?? directory.keyId ?? '';
  const batch = describeBatch({ packId, keyId, bytes }, chunks);
  const { bad } = await core.run(proveBatch, { batch }, { signal, transfer: batchTransfer(batch) });
  const blocks = new Set(bad.flatMap(({ wants }) => wants.map((want) => chunks[want]?.blockOffset ?? 0)));
  const [first] = bad;
  if (first) return { what: blocks.size === 1 ? first.what : `${first.what}, and ${blocks.size - 1} more blocks`, blocks };
  if (directory.blocks === undefined) return { what: directory.what, blocks };
  const named = directory.blocks.reduce((sum, block) => sum + block.chunks.length, 0);
  return named === chunks.length ? undefined : { what: 'its directory names other chunks than its index', blocks };
}

async function readAll(
  store: PackProofParts['store'],
  packId: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer> | BrokenPack | undefined> {
  try {
    return ownBytes(await store.get(packKey(packId), { maxBytes: maxPackBytes, signal }));
  } catch (error) {
    if (isFault(error, 'storage.missing')) return undefined; // deleted since it was listed
    if (isFault(error) && error.kind === 'corrupt') return { what: error.message, blocks: 'all' };
    throw error;
  }
}

type Directory = { readonly keyId: string; readonly blocks: readonly PackedBlock[] } | NoDirectory;

interface NoDirectory {
  readonly keyId?: string;
  readonly blocks?: undefined;
  readonly what: string;
}

function readDirectory(bytes: Uint8Array<ArrayBuffer>, packId: string, projectId: string, { all }: KeyRing): Directory {
  const whole = Buffer.from(bytes.buffer);
  if (!whole.subarray(0, headMagic.length).equals(headMagic)) return { what: 'it does not begin as a pack' };
  const footer = parseFooter(whole.subarray(Math.max(0, whole.length - packFooterBytes)), whole.length);
  if (footer === undefined) return { what: 'its footer is no footer' };
  const { keyId, directoryOffset, directoryLength } = footer;
  const root = all.get(keyId);
  if (root === undefined) return { keyId, what: `its root key ${keyId} cannot be opened` };
  const sealed = whole.subarray(directoryOffset, directoryOffset + directoryLength);
  const blocks = new PackOpener(root, projectId, packId).openDirectory(sealed, directoryOffset);
  return blocks ? { keyId, blocks } : { keyId, what: 'its directory does not open' };
}

/** These chunks of a pack, of which the bytes begin at `start`; the want of each is its place in the list. */
export function describeBatch(
  pack: Pick<BlockBatch, 'packId' | 'keyId' | 'bytes'>,
  chunks: readonly PlacedChunk[],
  start = 0,
): BlockBatch {
  const order = chunks.map((_, at) => at).sort((a, b) => (chunks[a]?.blockOffset ?? 0) - (chunks[b]?.blockOffset ?? 0));
  const blockWords: number[] = [];
  const chunkWords: number[] = [];
  const ids = new Uint8Array(chunks.length * 32);
  let before = -1;
  for (const [at, want] of order.entries()) {
    const chunk = chunks[want];
    if (chunk === undefined) continue;
    if (chunk.blockOffset !== before) {
      before = chunk.blockOffset;
      blockWords.push(chunk.blockOffset - start, chunk.blockOffset, chunk.blockLength, chunk.rawLength, at, 0);
    }
    blockWords[blockWords.length - 1] = at + 1 - (blockWords.at(-2) ?? 0);
    chunkWords.push(chunk.chunkOffset, chunk.chunkLength, at, 1);
    ids.set(chunk.id, at * 32);
  }
  return {
    ...pack,
    blocks: Uint32Array.from(blockWords),
    chunks: Uint32Array.from(chunkWords),
    ids,
    wants: Uint32Array.from(order),
  };
}
