import type { RepositoryCore } from '../core.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { decodeLeaf, emptySlots, type LeafSlots, slotCountOf } from './map.ts';

/**
 * The slots of some leaves of a volume, the first of which has the number `first`; undefined stands for a leaf of zeros.
 * @throws {Fault} (corrupt) when one cannot be read
 */
export async function readLeaves(
  core: RepositoryCore,
  record: SnapshotRecord,
  first: number,
  leaves: readonly (Buffer | undefined)[],
  signal: AbortSignal | undefined,
): Promise<LeafSlots[]> {
  const stored = leaves.filter((leaf) => leaf !== undefined);
  const plains = await core.source.fetch(Buffer.concat(stored), { signal });
  let next = 0;
  return leaves.map((leaf, at) =>
    leaf ? decodeLeaf(plains[next++] ?? Buffer.alloc(0), slotCountOf(record.sizeBytes, first + at), record.id) : emptySlots(),
  );
}
