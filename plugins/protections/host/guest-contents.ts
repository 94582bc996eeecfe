import { type Fault, isFault, type ProtectCall, type Written } from 'karri/plugin';
import { refuseOtherFiles } from './qcow2-header.ts';
import { addBitmap, type Bitmap, checkImage, listBitmaps, removeBitmap, withGuestDisk } from './qemu.ts';

/**
 * What the guest sees of a qcow2 image, and with a bitmap only what changed of it. README.md says why this order is safe:
 *
 *   <bitmap>:next                   begun before anything is read
 *   <bitmap>:<count>:<snapshot>     the same, once the snapshot it records since is there; `count` checkpoints ago all was read
 */
export interface BitmapOptions {
  readonly name: string;
  /** Every n-th checkpoint reads everything and checks the bitmap; 0: none does. */
  readonly fullReadEvery: number;
}

/** A bitmap of which it is known what it records since. */
interface BoundBitmap {
  readonly name: string;
  readonly snapshot: string;
  readonly count: number;
}

export async function protectContents(call: ProtectCall, path: string, options: BitmapOptions | undefined): Promise<Written> {
  const { mover, signal } = call;
  await refuseOtherFiles(path);
  await checkImage(path, signal);
  if (options === undefined) return withGuestDisk(path, undefined, signal, (reader) => mover.writeVolume({ reader }));

  const next = `${options.name}:next`;
  const bound = await dropUseless(path, options.name, signal);
  await addBitmap(path, next, undefined, signal);
  const { written, base, count } = await writeSince(call, path, options, bound);
  const name = `${options.name}:${count}:${written.snapshot}`;
  try {
    await addBitmap(path, name, next, signal);
    await removeBitmap(path, next, signal);
    for (const old of bound) if (old !== base) await removeBitmap(path, old.name, signal);
  } catch (error) {
    if (!isFault(error, 'host.image_in_use')) throw error;
    const warning = `${path} was put to use before its new bitmap could be kept: the next checkpoint reads more than what changed.`;
    return { ...written, warnings: [...written.warnings, warning] };
  }
  return written;
}

/** Removes what a crash has left, and gives the bitmaps that can be relied on, newest first. */
async function dropUseless(path: string, name: string, signal: AbortSignal): Promise<BoundBitmap[]> {
  const bound: BoundBitmap[] = [];
  for (const bitmap of await listBitmaps(path, signal)) {
    if (!bitmap.name.startsWith(`${name}:`)) continue;
    const found = asBound(bitmap, name);
    if (found) bound.push(found);
    else await removeBitmap(path, bitmap.name, signal);
  }
  // Each records everything since its snapshot, so any is right; the one with the latest snapshot has the least to read.
  return bound.sort((a, b) => (a.snapshot < b.snapshot ? 1 : -1));
}

function asBound({ name, flags }: Bitmap, prefix: string): BoundBitmap | undefined {
  const [, count, snapshot] = /^:(\d{1,9}):(.+)$/.exec(name.slice(prefix.length)) ?? [];
  const records = flags.includes('auto') && !flags.includes('in-use');
  return count !== undefined && snapshot !== undefined && records ? { name, snapshot, count: Number(count) } : undefined;
}

interface WrittenSince {
  readonly written: Written;
  /** The bitmap that told what changed. */
  readonly base: BoundBitmap | undefined;
  /** Checkpoints since all was read, this one included. */
  readonly count: number;
}

async function writeSince(
  { mover, signal, log }: ProtectCall,
  path: string,
  { name, fullReadEvery }: BitmapOptions,
  bound: readonly BoundBitmap[],
): Promise<WrittenSince> {
  for (const base of bound) {
    const verify = fullReadEvery > 0 && base.count + 1 >= fullReadEvery;
    try {
      const written = await withGuestDisk(path, base.name, signal, async (reader) =>
        mover.writeVolume({ reader, changed: { since: base.snapshot, extents: await reader.listDirty(), verify } }),
      );
      return { written, base, count: verify ? 0 : base.count + 1 };
    } catch (error) {
      // Whatever else is wrong with the bitmaps: the next checkpoint begins anew.
      if (isFault(error, 'mover.changed_blocks_lied')) await removeAll(path, name, signal);
      if (!isGone(error)) throw error;
      log.info('The snapshot that a bitmap records since is gone; an older one is used, or everything read.', {
        path,
        snapshot: base.snapshot,
        reason: error.message,
      });
    }
  }
  // The new bitmap records since now, so what an earlier try has read is of no use.
  const written = await withGuestDisk(path, undefined, signal, (reader) => mover.writeVolume({ reader, anew: true }));
  return { written, base: undefined, count: 0 };
}

async function removeAll(path: string, name: string, signal: AbortSignal): Promise<void> {
  for (const bitmap of await listBitmaps(path, signal))
    if (bitmap.name.startsWith(`${name}:`)) await removeBitmap(path, bitmap.name, signal);
}

/** No such snapshot, or none that can be compared with; also when somebody has made up the bitmap's name. */
function isGone(error: unknown): error is Fault {
  return isFault(error) && (['not-found', 'invalid'].includes(error.kind) || error.code === 'repository.snapshot_damaged');
}
