import { randomBytes } from 'node:crypto';
import { type FileHandle, link, lstat, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { throwIfAborted } from '../../base/abort.ts';
import { Fault, isFault } from '../../base/faults.ts';
import type { RestoreSummary, TransferOptions } from '../contract.ts';
import type { RepositoryCore } from '../core.ts';
import { eachLimited } from '../each-limited.ts';
import { errnoOf, fileFault } from '../file-faults.ts';
import { batchTransfer, type Identified } from '../packs/chunk-source.ts';
import { placeChunksOf } from '../packs/place-chunks.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { readLeaves } from './leaves.ts';
import { VolumeLoss } from './loss.ts';
import { decodeRoot, type LeafSlots, leafSpanBytes, slotBytes, slotCountOf, slotId } from './map.ts';
import { compareVolume, countProgress, type VolumeTarget } from './read-back.ts';
import { openVolume } from './source.ts';
import { clearSegment, placeChunks, segmentBytes } from './tasks.ts';
import { WriteBack } from './write-back.ts';

/** Leaves that are restored together: 16 GiB of volume, 2 MiB of ids, so that memory does not grow with the volume. */
const leavesPerWindow = 64;

interface Target extends VolumeTarget {
  readonly handle: FileHandle;
  /** Holds other bytes than zeros where nothing is written. */
  readonly isDirty: boolean;
}

export async function restoreVolume(
  core: RepositoryCore,
  record: SnapshotRecord,
  target: { readonly path: string; readonly overwrite: boolean },
  options: TransferOptions,
): Promise<RestoreSummary> {
  decodeRoot(record); // not a volume: said before anything is made
  const loss = new VolumeLoss(core, record);
  if (target.overwrite) await restoreInto(core, record, target.path, loss, options);
  else await restoreBeside(core, record, target.path, loss, options);
  return { sizeBytes: record.sizeBytes, digest: await loss.digest(), files: 1, warnings: [], damaged: loss.ranges };
}

async function restoreInto(
  core: RepositoryCore,
  record: SnapshotRecord,
  path: string,
  loss: VolumeLoss,
  options: TransferOptions,
): Promise<void> {
  const { handle, sizeBytes } = await openVolume(path, 'r+');
  try {
    if (sizeBytes < record.sizeBytes) {
      throw new Fault(
        'invalid',
        'repository.target_too_small',
        `${path} has ${sizeBytes} bytes; the volume needs ${record.sizeBytes}.`,
        {
          help: 'Restore into a larger target, or under a new name.',
        },
      );
    }
    await fill(core, record, { path, fd: handle.fd, handle, isDirty: true }, loss, options);
  } finally {
    await handle.close();
  }
}

/** Under another name until everything has been compared: nothing half-written is ever seen under the final one. */
async function restoreBeside(
  core: RepositoryCore,
  record: SnapshotRecord,
  path: string,
  loss: VolumeLoss,
  options: TransferOptions,
): Promise<void> {
  await refuseExisting(path);
  const partial = `${path}.partial-${randomBytes(4).toString('hex')}`;
  const handle = await attempt('make', partial, () => open(partial, 'wx+', 0o600));
  try {
    try {
      await attempt('set the size of', partial, () => handle.truncate(record.sizeBytes));
      await fill(core, record, { path: partial, fd: handle.fd, handle, isDirty: false }, loss, options);
    } finally {
      await handle.close();
    }
    throwIfAborted(options.signal);
    await putInPlace(partial, path);
  } catch (error) {
    await unlink(partial).catch((unlinkError: unknown) => {
      core.log.warn('A part of a failed restore stays behind.', { path: partial, reason: String(unlinkError) });
    });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Never over something that came there since: a link refuses that, where the file system has links. */
async function putInPlace(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path);
  } catch (error) {
    await refuseExisting(path);
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(errnoOf(error) ?? '')) throw fileFault(error, 'name', path);
    await attempt('rename', partial, () => rename(partial, path));
    return;
  }
  await attempt('remove', partial, () => unlink(partial));
}

async function refuseExisting(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw fileFault(error, 'look for', path);
  });
  if (found === undefined) return;
  throw new Fault('conflict', 'repository.target_exists', `${path} exists already.`, {
    help: 'Restore under another name, or with overwrite.',
  });
}

async function syncFolder(path: string): Promise<void> {
  const folder = await attempt('open', path, () => open(path, 'r'));
  try {
    await attempt('make durable', path, () => folder.sync());
  } finally {
    await folder.close();
  }
}

/**
 * Writes the volume and reads it back. Chunks that were authenticated are compared with their ids only then, and not before they are
 * written as well: each byte is compared once, where it ends up. When that fails, everything is written again, chunk by chunk compared, so that
 * a pack that holds another chunk than its index says is named, and another copy of it is used.
 */
async function fill(
  core: RepositoryCore,
  record: SnapshotRecord,
  target: Target,
  loss: VolumeLoss,
  options: TransferOptions,
): Promise<void> {
  if (!options.salvage) {
    try {
      return await writeAndCompare(core, record, target, loss, options, 'afterwards');
    } catch (error) {
      if (!isFault(error, 'repository.restore_differs')) throw error;
      core.log.warn('What was restored differs when it is read back; it is restored once more.', { reason: error.message });
    }
  }
  await writeAndCompare(core, record, target, loss, options, 'at once');
}

async function writeAndCompare(
  core: RepositoryCore,
  record: SnapshotRecord,
  target: Target,
  loss: VolumeLoss,
  options: TransferOptions,
  identified: Identified,
): Promise<void> {
  const { leaves } = decodeRoot(record);
  const progress = countProgress('restore', record.sizeBytes, options);
  const writeBack = new WriteBack(target.path, target.handle, options.durable ?? true);
  const onWritten = (bytes: number): void => {
    progress(bytes);
    writeBack.note(bytes);
  };
  try {
    for (let first = 0; first < leaves.length; first += leavesPerWindow) {
      const some = leaves.slice(first, first + leavesPerWindow);
      const window = options.salvage
        ? await loss.readLeaves(first, some, options.signal)
        : await readLeaves(core, record, first, some, options.signal);
      await placeWindow(core, record, target, first, window, loss, onWritten, options, identified);
    }
    const wanted = await loss.digest();
    // Beside each other: what is read back is what the disk is being given.
    const outcomes = await Promise.allSettled([writeBack.finish(), compareVolume(core, record, target, wanted, options)]);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  } finally {
    await writeBack.settle();
  }
}

async function placeWindow(
  core: RepositoryCore,
  record: SnapshotRecord,
  { path, fd, isDirty }: Target,
  first: number,
  window: readonly LeafSlots[],
  loss: VolumeLoss,
  progress: (bytes: number) => void,
  { signal, salvage }: TransferOptions,
  identified: Identified,
): Promise<void> {
  const ids: Buffer[] = [];
  const offsets: number[] = [];
  const zeroRuns: { readonly offset: number; length: number }[] = [];
  window.forEach((slots, at) => {
    const base = (first + at) * leafSpanBytes;
    for (let slot = 0; slot < slotCountOf(record.sizeBytes, first + at); slot++) {
      const offset = base + slot * slotBytes;
      const id = slotId(slots, slot);
      if (id) {
        ids.push(id);
        offsets.push(offset);
        continue;
      }
      const length = Math.min(slotBytes, record.sizeBytes - offset);
      const last = zeroRuns.at(-1);
      if (last && last.offset + last.length === offset && last.length + length <= segmentBytes) last.length += length;
      else zeroRuns.push({ offset, length });
    }
  });
  const lost = await placeChunksOf(
    core,
    Buffer.concat(ids),
    async (batch) => {
      const targets = Float64Array.from(batch.wants, (want) => offsets[want] ?? 0);
      const input = { fd, name: path, batch, offsets: targets, sizeBytes: record.sizeBytes, identified };
      const transfer = [...batchTransfer(batch), targets.buffer];
      const { written, bad } = await core.run(placeChunks, input, { signal, transfer });
      progress(written);
      return bad;
    },
    { signal, salvage },
  );
  for (const { fault, wants } of lost) {
    for (const want of wants) {
      const offset = offsets[want] ?? 0;
      loss.addSlot(offset, fault, window[Math.floor(offset / leafSpanBytes) - first]);
      zeroRuns.push({ offset, length: Math.min(slotBytes, record.sizeBytes - offset) });
    }
  }
  await loss.settleLeaves(first, window, signal);
  if (!isDirty) progress(zeroRuns.reduce((sum, { length }) => sum + length, 0));
  else {
    await eachLimited(zeroRuns, core.threads * 2, async ({ offset, length }) => {
      await core.run(clearSegment, { fd, name: path, offset, length }, { signal });
      progress(length);
    });
  }
}

async function attempt<T>(verb: string, path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fileFault(error, verb, path);
  }
}
