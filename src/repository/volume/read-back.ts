import { Fault } from '../../base/faults.ts';
import type { TransferOptions } from '../contract.ts';
import type { RepositoryCore } from '../core.ts';
import { eachLimited } from '../each-limited.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { DataRun } from './data-run.ts';
import { digestInput, digestText, emptySlots, encodeLeaf, type LeafSlots, leafCount, leafSpanBytes, slotBytes } from './map.ts';
import { identify, isHole, readSegment, segmentBytes } from './tasks.ts';

const idBytes = 32;

export interface VolumeTarget {
  readonly path: string;
  readonly fd: number;
}

/**
 * Reads the target back and computes the digest from its bytes alone.
 * @throws {Fault} `repository.restore_differs` (corrupt) when it is not the one that is wanted
 */
export async function compareVolume(
  core: RepositoryCore,
  record: SnapshotRecord,
  { path, fd }: VolumeTarget,
  wanted: string,
  options: TransferOptions,
): Promise<void> {
  const { signal } = options;
  const { sizeBytes, keyId } = record;
  const progress = countProgress('verify', sizeBytes, options);
  const leafIds = new Array<Uint8Array | undefined>(leafCount(sizeBytes)).fill(undefined);
  const run = new DataRun(fd);
  const missing = new Map<number, { readonly slots: LeafSlots; bytes: number }>();
  await eachLimited(segmentsOf(fd, sizeBytes, progress), core.threads * 2, async ({ offset, length }) => {
    const number = Math.floor(offset / leafSpanBytes);
    const leaf = missing.get(number) ?? {
      slots: emptySlots(),
      bytes: Math.min(leafSpanBytes, sizeBytes - number * leafSpanBytes),
    };
    missing.set(number, leaf);
    const found = run.look(offset, length);
    if (found !== 'hole') {
      const input = { from: { fd, offset, name: path, hasHoles: found === 'mixed' }, length, purpose: { identify: keyId } };
      const { ids } = await core.run(readSegment, input, { signal });
      leaf.slots.set(ids, ((offset % leafSpanBytes) / slotBytes) * idBytes);
    }
    leaf.bytes -= length;
    progress(length);
    if (leaf.bytes > 0) return;
    missing.delete(number);
    const plain = encodeLeaf(leaf.slots);
    if (plain) leafIds[number] = await core.run(identify, { plain, keyId }, { signal });
  });
  const digest = digestText(await core.run(identify, { plain: digestInput(sizeBytes, leafIds), keyId }, { signal }));
  if (digest !== wanted) {
    throw new Fault(
      'corrupt',
      'repository.restore_differs',
      `${path} was read back and differs from snapshot ${record.id}: ${digest}, not ${wanted}.`,
      {
        help: 'Look at the disk it was written to, and whether something else writes there; then restore again.',
      },
    );
  }
}

/** Everything but leaves that are one hole: those count as read. */
function* segmentsOf(
  fd: number,
  sizeBytes: number,
  skipped: (bytes: number) => void,
): Generator<{ readonly offset: number; readonly length: number }> {
  for (let base = 0; base < sizeBytes; base += leafSpanBytes) {
    const end = Math.min(base + leafSpanBytes, sizeBytes);
    if (isHole(fd, base, end - base)) {
      skipped(end - base);
      continue;
    }
    for (let offset = base; offset < end; offset += segmentBytes) yield { offset, length: Math.min(segmentBytes, end - offset) };
  }
}

export function countProgress(
  phase: 'restore' | 'verify',
  totalBytes: number,
  { onProgress }: TransferOptions,
): (bytes: number) => void {
  let doneBytes = 0;
  return (bytes) => {
    doneBytes += bytes;
    onProgress?.({ phase, doneBytes, totalBytes, storedBytes: 0, reusedBytes: 0 });
  };
}
