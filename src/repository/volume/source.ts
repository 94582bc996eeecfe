import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import type { Json } from '../../base/canonical-json.ts';
import { Fault } from '../../base/faults.ts';
import { fileFault } from '../file-faults.ts';

/** An image file or a device, open for reading or writing. */
export interface OpenVolume {
  readonly path: string;
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
  readonly sizeBytes: number;
}

/** @throws {Fault} `repository.file_failed`; `repository.not_a_volume` (invalid) for a directory, FIFO or character device */
export async function openVolume(path: string, flags: 'r' | 'r+'): Promise<OpenVolume> {
  try {
    refuseOther(path, await stat(path, { bigint: true })); // before it is opened: a FIFO would wait for its other end
  } catch (error) {
    throw fileFault(error, 'look at', path);
  }
  const handle = await open(path, flags).catch((error: unknown) => {
    throw fileFault(error, 'open', path);
  });
  try {
    const stats = await handle.stat({ bigint: true });
    refuseOther(path, stats);
    return { path, handle, stats, sizeBytes: await findSize(stats) };
  } catch (error) {
    await handle.close();
    throw fileFault(error, 'look at', path);
  }
}

async function findSize(stats: BigIntStats): Promise<number> {
  if (stats.isFile()) return Number(stats.size);
  // stat says 0 for a device; the kernel tells its length in sectors of 512 bytes.
  const major = ((stats.rdev >> 8n) & 0xfffn) | ((stats.rdev >> 32n) & ~0xfffn);
  const minor = (stats.rdev & 0xffn) | ((stats.rdev >> 12n) & ~0xffn & 0xffffffffn);
  return Number(await readFile(`/sys/dev/block/${major}:${minor}/size`, 'utf8')) * 512;
}

function refuseOther(path: string, stats: BigIntStats): void {
  if (stats.isFile() || stats.isBlockDevice()) return;
  throw new Fault('invalid', 'repository.not_a_volume', `${path} is neither a file nor a block device.`, {
    help: 'Protect a directory as a tree.',
  });
}

/** Coarse clocks of file systems: a change this soon after another may leave the times as they were. */
const settledNs = 2_000_000_000n;

/**
 * What tells that a file is the same as last time; null where nothing can: devices, and files changed so lately that the next
 * change could go unseen.
 */
export function identifySource({ stats }: OpenVolume, nowMs: number): Json {
  const settled = BigInt(nowMs) * 1_000_000n - settledNs;
  if (!stats.isFile() || stats.mtimeNs > settled || stats.ctimeNs > settled) return null;
  return {
    device: String(stats.dev),
    inode: String(stats.ino),
    size: String(stats.size),
    mtime_ns: String(stats.mtimeNs),
    ctime_ns: String(stats.ctimeNs),
  };
}
