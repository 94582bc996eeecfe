import { MiB } from '../../base/bytes.ts';
import { isFault } from '../../base/faults.ts';
import { eachLimited } from '../each-limited.ts';
import type { IndexRecord, PackEntry } from '../index/format.ts';
import { packKey } from '../layout.ts';
import { type BlockBatch, batchTransfer } from '../packs/chunk-source.ts';
import { maxPackBytes } from '../packs/format.ts';
import { type CheckParts, Inspection } from './inspection.ts';
import { describeBatch } from './pack-proof.ts';
import { storeReadable } from './tasks.ts';

/** Stores anew what can still be read of packs that are marked as damaged: then nothing needs them any more. Returns the bytes. */
export async function rescueChunks(parts: CheckParts, signal: AbortSignal | undefined): Promise<number> {
  const { core, bad, keys } = parts;
  if (bad.ids.size === 0) return 0;
  const session = core.openSession({ signal });
  let rescued = 0;
  try {
    const seen = new Set<string>();
    await new Inspection(parts).readIndexes(session.signal, async (index) => {
      const chunks = new Map<number, IndexRecord[]>();
      for (const [number, { id, keyId }] of index.packs.entries()) {
        // Chunks under another root key would get other ids, which nobody asks for.
        if (bad.ids.has(id) && !seen.has(id) && keyId === keys.writing.id) chunks.set(number, []);
        seen.add(id);
      }
      if (chunks.size > 0) for (const record of index.records()) chunks.get(record.pack)?.push(record);
      for (const [number, records] of chunks) {
        const pack = index.packs[number];
        const bytes = pack && (await readPack(parts, pack, session.signal));
        if (!bytes) continue;
        await eachLimited(blocksOf(pack, bytes, records), core.threads + 1, async (batch) => {
          const stored = await session.run(storeReadable, { batch }, batchTransfer(batch));
          rescued += stored;
        });
      }
    });
    await session.settle();
  } finally {
    await session.close();
  }
  return rescued;
}

async function readPack({ store }: CheckParts, { id }: PackEntry, signal: AbortSignal): Promise<Buffer | undefined> {
  try {
    return await store.get(packKey(id), { maxBytes: maxPackBytes + MiB, signal });
  } catch (error) {
    if (isFault(error, 'storage.missing') || (isFault(error) && error.kind === 'corrupt')) return undefined;
    throw error;
  }
}

/** A batch a block: what one task may store. */
function* blocksOf({ id, keyId }: PackEntry, bytes: Buffer, records: readonly IndexRecord[]): Generator<BlockBatch> {
  const blocks = Map.groupBy(records, ({ blockOffset }) => blockOffset);
  for (const [offset, chunks] of blocks) {
    const length = chunks[0]?.blockLength ?? 0;
    yield describeBatch({ packId: id, keyId, bytes: new Uint8Array(bytes.subarray(offset, offset + length)) }, chunks, offset);
  }
}
