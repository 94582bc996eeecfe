import { isFault } from '../../base/faults.ts';
import type { Purpose, SnapshotOwner, SnapshotSummary } from '../contract.ts';
import { demandSafe, type TrustParts } from '../gc/trust.ts';
import { forget } from './forget.ts';
import type { SnapshotRecord } from './record.ts';

/**
 * What an earlier try has written for the purpose, if it is whole and stays so. One that is not is forgotten, for nobody was told of it. Call it when trust
 * was learned. Costs one list, and the snapshot's maps when there is one.
 */
export async function findOwned(
  parts: TrustParts,
  subject: string,
  purpose: Purpose | undefined,
  signal: AbortSignal | undefined,
): Promise<SnapshotSummary | undefined> {
  if (purpose === undefined) return undefined;
  for (const id of await parts.snapshots.listOwned(subject, purpose.owner, signal)) {
    try {
      const record = await parts.snapshots.get(id, signal);
      if (record.writtenFor?.owner !== purpose.owner.id || record.writtenFor.part !== purpose.part) continue;
      if (!purpose.anew) {
        await demandSafe(parts, record, undefined, signal);
        return toSummary(record);
      }
    } catch (error) {
      if (isFault(error, 'repository.snapshot_absent')) continue;
      if (!isFault(error, 'repository.pack_lost') && !isFault(error, 'repository.snapshot_damaged')) throw error;
    }
    await forget(parts, id);
  }
  return undefined;
}

export async function forgetOwned(
  parts: Pick<TrustParts, 'store' | 'snapshots'>,
  subject: string,
  owner: SnapshotOwner,
): Promise<void> {
  for (const id of await parts.snapshots.listOwned(subject, owner)) await forget(parts, id);
}

function toSummary({ id, kind, sizeBytes, storedBytes, reusedBytes, digest, files, warnings }: SnapshotRecord): SnapshotSummary {
  return { id, kind, sizeBytes, storedBytes, reusedBytes, digest, files, warnings };
}
