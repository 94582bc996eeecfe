import { randomBytes } from 'node:crypto';
import { type FileHandle, link, lstat, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { throwIfAborted } from '../base/abort.ts';
import { Fault } from '../base/faults.ts';
import { batchTransfer } from './chunk-source.ts';
import type { RestoreSummary, TransferOptions } from './contract.ts';
import type { RepositoryCore } from './core.ts';
import { eachLimited } from './each-limited.ts';
import { errnoOf, fileFault } from './file-faults.ts';
import type { SnapshotRecord } from './snapshot-record.ts';
import {
  decodeLeaf,
  decodeRoot,
  digestInput,
  digestText,
  emptySlots,
  encodeLeaf,
  type LeafSlots,
  leafSpanBytes,
  slotBytes,
  slotCountOf,
  slotId,
} from './volume-map.ts';
import { openVolume } from './volume-source.ts';
import { clearSegment, identify, isHole, placeChunks, readSegment, segmentBytes } from './volume-tasks.ts';

/** Leaves that are restored together: 16 GiB of volume, 2 MiB of ids, so that memory does not grow with the volume. */
const leavesPerWindow = 64;
const idBytes = 32;

interface Target {
  readonly path: string;
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
  if (target.overwrite) await restoreInto(core, record, target.path, options);
  else await restoreBeside(core, record, target.path, options);
  return { sizeBytes: record.sizeBytes, digest: record.digest, files: 1, warnings: [] };
}

async function restoreInto(core: RepositoryCore, record: SnapshotRecord, path: string, options: TransferOptions): Promise<void> {
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
    await fill(core, record, { path, handle, isDirty: true }, options);
  } finally {
    await handle.close();
  }
}

/** Under another name until everything has been compared: nothing half-written is ever seen under the final one. */
async function restoreBeside(
  core: RepositoryCore,
  record: SnapshotRecord,
  path: string,
  options: TransferOptions,
): Promise<void> {
  await refuseExisting(path);
  const partial = `${path}.partial-${randomBytes(4).toString('hex')}`;
  const handle = await attempt('make', partial, () => open(partial, 'wx+', 0o600));
  try {
    try {
      await attempt('set the size of', partial, () => handle.truncate(record.sizeBytes));
      await fill(core, record, { path: partial, handle, isDirty: false }, options);
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

async function fill(core: RepositoryCore, record: SnapshotRecord, target: Target, options: TransferOptions): Promise<void> {
  const { leaves } = decodeRoot(record);
  const progress = countProgress('restore', record.sizeBytes, options);
  for (let first = 0; first < leaves.length; first += leavesPerWindow) {
    const window = await readLeaves(core, record, first, leaves.slice(first, first + leavesPerWindow), options.signal);
    await placeWindow(core, record, target, first, window, progress, options);
  }
  await attempt('make durable', target.path, () => target.handle.sync());
  await compare(core, record, target, leaves.length, options);
}

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

async function placeWindow(
  core: RepositoryCore,
  record: SnapshotRecord,
  { path, handle, isDirty }: Target,
  first: number,
  window: readonly LeafSlots[],
  progress: (bytes: number) => void,
  { signal }: TransferOptions,
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
  // Batches hold whole packs: one more than there are threads keeps all of them busy and memory small.
  await eachLimited(core.source.batches(Buffer.concat(ids), { signal }), core.threads + 1, async (batch) => {
    const targets = Float64Array.from(batch.wants, (want) => offsets[want] ?? 0);
    const input = { fd: handle.fd, name: path, batch, offsets: targets };
    progress(await core.run(placeChunks, input, { signal, transfer: [...batchTransfer(batch), targets.buffer] }));
  });
  if (!isDirty) progress(zeroRuns.reduce((sum, { length }) => sum + length, 0));
  else {
    await eachLimited(zeroRuns, core.threads * 2, async ({ offset, length }) => {
      await core.run(clearSegment, { fd: handle.fd, name: path, offset, length }, { signal });
      progress(length);
    });
  }
}

/** Reads the target back and computes the digest from its bytes alone. */
async function compare(
  core: RepositoryCore,
  record: SnapshotRecord,
  { path, handle }: Target,
  leaves: number,
  options: TransferOptions,
): Promise<void> {
  const { signal } = options;
  const { sizeBytes, keyId } = record;
  const progress = countProgress('verify', sizeBytes, options);
  const leafIds = new Array<Uint8Array | undefined>(leaves).fill(undefined);
  const missing = new Map<number, { readonly slots: LeafSlots; bytes: number }>();
  await eachLimited(segmentsOf(handle.fd, sizeBytes, progress), core.threads * 2, async ({ offset, length }) => {
    const number = Math.floor(offset / leafSpanBytes);
    const leaf = missing.get(number) ?? {
      slots: emptySlots(),
      bytes: Math.min(leafSpanBytes, sizeBytes - number * leafSpanBytes),
    };
    missing.set(number, leaf);
    const input = { from: { fd: handle.fd, offset, name: path }, length, purpose: { identify: keyId } };
    const { ids } = await core.run(readSegment, input, { signal });
    leaf.slots.set(ids, ((offset % leafSpanBytes) / slotBytes) * idBytes);
    leaf.bytes -= length;
    progress(length);
    if (leaf.bytes > 0) return;
    missing.delete(number);
    const plain = encodeLeaf(leaf.slots);
    if (plain) leafIds[number] = await core.run(identify, { plain, keyId }, { signal });
  });
  const digest = digestText(await core.run(identify, { plain: digestInput(sizeBytes, leafIds), keyId }, { signal }));
  if (digest !== record.digest) {
    throw new Fault(
      'corrupt',
      'repository.restore_differs',
      `${path} was read back and differs from snapshot ${record.id}: ${digest}, not ${record.digest}.`,
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

async function attempt<T>(verb: string, path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fileFault(error, verb, path);
  }
}
