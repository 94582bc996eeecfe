import type { Extent, StoredBytes, TransferOptions } from '../contract.ts';
import type { RepositoryCore } from '../core.ts';
import { checkRange, cutRange, streamPieces } from '../piece-stream.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import type { Place } from '../tree/content.ts';
import { readLeaves } from './leaves.ts';
import { decodeRoot, leafSpanBytes, slotBytes, slotCountOf, slotId, type VolumeRoot } from './map.ts';

/** @throws {Fault} `repository.not_a_volume` (invalid), `repository.snapshot_damaged` (corrupt) */
export function getVolume(core: RepositoryCore, record: SnapshotRecord): StoredBytes {
  const root = decodeRoot(record);
  return {
    sizeBytes: record.sizeBytes,
    contentId: record.digest,
    read(range, { signal }) {
      checkRange(range, record.sizeBytes, 'volume');
      return streamPieces(core.source, cutRange(listPlaces(core, record, root, range, signal), range), signal);
    },
  };
}

/** Bytes of a volume straight out of the bank. All of them are in memory at once: ask for a few MiB. */
export async function readVolume(
  core: RepositoryCore,
  record: SnapshotRecord,
  offset: number,
  length: number,
  options: TransferOptions,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of getVolume(core, record).read({ offset, length }, options)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The stored slots of the leaves that the range touches, one leaf's map after the other. */
async function* listPlaces(
  core: RepositoryCore,
  record: SnapshotRecord,
  { leaves }: VolumeRoot,
  { offset, length }: Extent,
  signal: AbortSignal | undefined,
): AsyncGenerator<Place> {
  const end = offset + length;
  for (let number = Math.floor(offset / leafSpanBytes); number * leafSpanBytes < end; number++) {
    const leaf = leaves[number];
    if (leaf === undefined) continue;
    for (const slots of await readLeaves(core, record, number, [leaf], signal)) {
      for (let slot = 0; slot < slotCountOf(record.sizeBytes, number); slot++) {
        const id = slotId(slots, slot);
        const start = number * leafSpanBytes + slot * slotBytes;
        if (id !== undefined) yield { offset: start, length: Math.min(slotBytes, record.sizeBytes - start), id };
      }
    }
  }
}
