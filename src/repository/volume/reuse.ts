import { canonicalJson, type Json } from '../../base/canonical-json.ts';
import { Fault } from '../../base/faults.ts';
import type { ChangedBlocks, Extent, WriteOptions } from '../contract.ts';
import type { RepositoryCore } from '../core.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { decodeRoot, leafSpanBytes, slotBytes } from './map.ts';

/** What an earlier snapshot spares a write: which parts of the volume are known to be as they were. */

export interface ParentVolume {
  readonly record: SnapshotRecord;
  readonly leaves: readonly (Buffer | undefined)[];
}

/** Everything outside the changed extents is as it was in the parent. */
export interface Reuse {
  readonly parent: ParentVolume;
  readonly changed: readonly Extent[];
  /** Nothing is taken over, everything is compared. */
  readonly verify: boolean;
}

/** The snapshot named by `changed.since`, which must be there; otherwise the newest of the subject, which is only a hint. */
export async function findParentVolume(
  core: RepositoryCore,
  changed: ChangedBlocks | undefined,
  { subject }: WriteOptions,
  signal: AbortSignal,
): Promise<ParentVolume | undefined> {
  const record = changed ? await core.getSnapshot(changed.since, signal) : await core.findParent(subject, signal);
  if (record === undefined || (record.kind !== 'volume' && changed === undefined)) return undefined;
  // Ids under another root key are other ids: nothing of it can be taken over.
  if (record.keyId !== core.writingKeyId) return undefined;
  return { record, leaves: decodeRoot(record).leaves };
}

/** What can be taken over, or is to be compared; undefined to read everything and think nothing of it. */
export function planReuse(
  changed: ChangedBlocks | undefined,
  parent: ParentVolume | undefined,
  source: Json,
  sizeBytes: number,
  { readEverything, verifyChanged }: WriteOptions,
): Reuse | undefined {
  if (parent === undefined) return undefined;
  const before = parent.record.sizeBytes;
  if (changed) {
    const verify = verifyChanged === true;
    if (readEverything && !verify) return undefined;
    // Grown or shrunk: the slot at the old or new end is another chunk now, and everything behind it is new.
    const from = Math.floor(Math.min(before, sizeBytes) / slotBytes) * slotBytes;
    const end = before === sizeBytes ? [] : [{ offset: from, length: Math.max(0, sizeBytes - from) }];
    return { parent, changed: [...changed.extents, ...end], verify };
  }
  const same = source !== null && before === sizeBytes && canonicalJson(source) === canonicalJson(parent.record.source);
  return same && !readEverything ? { parent, changed: [], verify: false } : undefined;
}

/** Leaf → runs of whole slots in it that an extent touches, ascending, none twice; offsets from the leaf's begin. */
export function touchedRuns(extents: readonly Extent[], sizeBytes: number): Map<number, Extent[]> {
  const touched = new Map<number, Extent[]>();
  const sorted = extents.map((extent) => toSlots(extent, sizeBytes)).sort((a, b) => a.from - b.from);
  let covered = 0;
  for (const { from, end } of sorted) {
    for (let at = Math.max(from, covered); at < end; ) {
      const leaf = Math.floor(at / leafSpanBytes);
      const runEnd = Math.min(end, (leaf + 1) * leafSpanBytes);
      const runs = touched.get(leaf) ?? [];
      runs.push({ offset: at - leaf * leafSpanBytes, length: runEnd - at });
      touched.set(leaf, runs);
      at = runEnd;
    }
    covered = Math.max(covered, end);
  }
  return touched;
}

function toSlots({ offset, length }: Extent, sizeBytes: number): { readonly from: number; readonly end: number } {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new Fault('invalid', 'repository.bad_extent', `A changed extent of ${length} bytes at ${offset} is none.`);
  }
  const end = Math.min(Math.ceil((offset + length) / slotBytes) * slotBytes, sizeBytes);
  return { from: Math.floor(offset / slotBytes) * slotBytes, end: length === 0 ? 0 : end };
}
