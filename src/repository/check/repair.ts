import { throwIfAborted } from '../../base/abort.ts';
import { isFault } from '../../base/faults.ts';
import type { RepairSummary, TransferOptions } from '../contract.ts';
import { learnTrust, listPacks, type TrustParts } from '../gc/trust.ts';
import { encodeIndex, maxIndexRecords, type PackEntry } from '../index/format.ts';
import { listRecords } from '../index/unsaved-packs.ts';
import { indexKey, packKey, slotKey } from '../layout.ts';
import { type PackedBlock, PackOpener, packFooterBytes, parseFooter } from '../packs/format.ts';
import { randomId, sealObject } from '../seal/crypto.ts';
import { readSlots, writeSlots } from '../seal/slots.ts';
import { Inspection } from './inspection.ts';
import type { SlotParts } from './other-objects.ts';
import { rescueChunks } from './rescue.ts';

export type RepairParts = SlotParts & TrustParts;

/** Read at once from the end of a pack: the directory of one that has some 1500 chunks, or fewer, comes along. */
const tailBytes = 64 * 1024;

interface DirectoryOfPack extends PackEntry {
  readonly blocks: readonly PackedBlock[];
}

/**
 * Mends what the repository can mend by itself: key slots that are gone are written again, packs that no index names are named (from their own
 * directories), and what can still be read of damaged packs is stored anew. Safe beside writers: they name their packs a second time. What is
 * cut short is finished by the next call.
 */
export async function repair(parts: RepairParts, { signal }: TransferOptions): Promise<RepairSummary> {
  throwIfAborted(signal);
  const keySlots = await repairSlots(parts);
  await learnTrust(parts, signal);
  const indexes = await repairIndexes(parts, signal);
  await parts.index.refresh(signal);
  const rescuedBytes = await rescueChunks(parts, signal);
  return { keySlots, ...indexes, rescuedBytes };
}

/** Two slots for each root key; damaged ones go once there are. */
async function repairSlots(parts: SlotParts): Promise<number> {
  const { slots } = await readSlots(parts);
  let written = 0;
  for (const root of parts.keys.all.values()) {
    const own = slots.filter(({ keyId }) => keyId === root.id);
    written += await writeSlots(parts, root, own.filter(({ state }) => state === 'open').length);
    const damaged = own.filter(({ state }) => state === 'damaged');
    if (damaged.length > 0) await parts.store.delete(damaged.map(({ keyId, slotId }) => slotKey(keyId, slotId)));
  }
  return written;
}

async function repairIndexes(
  parts: RepairParts,
  signal: AbortSignal | undefined,
): Promise<Pick<RepairSummary, 'indexedPacks' | 'removedIndexes' | 'leftPacks'>> {
  const { store, view } = parts;
  // Packs first: one that is stored later is named by its own writer.
  const packs: { readonly packId: string; readonly sizeBytes: number }[] = [];
  for await (const pack of listPacks(store, signal)) packs.push(pack);
  const found = new Inspection(parts);
  await found.readIndexes(signal, async () => undefined);
  let batch: DirectoryOfPack[] = [];
  let records = 0;
  let indexedPacks = 0;
  const leftPacks: string[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await writeIndex(parts, batch, signal);
    indexedPacks += batch.length;
    batch = [];
    records = 0;
  };
  for (const { packId, sizeBytes } of packs) {
    if (found.named.has(packId) || view.deleting.has(packId)) continue;
    const pack = await readDirectory(parts, packId, sizeBytes, signal);
    if (pack === 'gone') continue;
    if (pack === 'damaged') {
      leftPacks.push(packKey(packId));
      continue;
    }
    const count = pack.blocks.reduce((sum, { chunks }) => sum + chunks.length, 0);
    if (records + count > maxIndexRecords) await flush();
    records += count;
    batch.push(pack);
  }
  await flush();
  // One that does not open only because its root key is not there would take packs with it that do not open either: then it stays.
  const removedIndexes = leftPacks.length === 0 ? found.damagedIndexes : [];
  if (removedIndexes.length > 0) await store.delete(removedIndexes, { signal });
  return { indexedPacks, removedIndexes, leftPacks };
}

async function readDirectory(
  { store, keys, projectId }: RepairParts,
  packId: string,
  sizeBytes: number,
  signal: AbortSignal | undefined,
): Promise<DirectoryOfPack | 'gone' | 'damaged'> {
  const read = (offset: number, length: number): Promise<Buffer> =>
    store.get(packKey(packId), { range: { offset, length }, signal });
  try {
    const tailAt = Math.max(0, sizeBytes - tailBytes);
    const tail = await read(tailAt, sizeBytes - tailAt);
    const footer = parseFooter(tail.subarray(Math.max(0, tail.length - packFooterBytes)), sizeBytes);
    const root = footer && keys.all.get(footer.keyId);
    if (footer === undefined || root === undefined) return 'damaged';
    const { directoryOffset: offset, directoryLength: length, keyId } = footer;
    const sealed = offset >= tailAt ? tail.subarray(offset - tailAt, offset - tailAt + length) : await read(offset, length);
    const blocks = new PackOpener(root, projectId, packId).openDirectory(sealed, offset);
    return blocks ? { id: packId, keyId, sizeBytes, blocks } : 'damaged';
  } catch (error) {
    if (isFault(error, 'storage.missing')) return 'gone';
    if (isFault(error) && error.kind === 'corrupt') return 'damaged';
    throw error;
  }
}

async function writeIndex(
  { store, keys, projectId }: RepairParts,
  packs: readonly DirectoryOfPack[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const id = randomId();
  const sealed = sealObject(keys.writing, projectId, 'index', id, encodeIndex(packs, listRecords(packs)));
  await store.put(indexKey(id), sealed, { ifAbsent: true, signal });
}
