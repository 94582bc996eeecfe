import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { digestFiles, type FileDigests } from '../test/kit/digests.ts';

const run = promisify(execFile);

/**
 * Mounts an ext4 image read-only, journal untouched, and gives the digest of every file in it. Where this machine does not
 * let us mount, the reason instead. The caller sees to `unmount`.
 */
export async function readMountedFiles(image: string, mountPoint: string): Promise<{ files: FileDigests } | { refused: string }> {
  if (process.getuid?.() !== 0) return { refused: 'only root may mount' };
  mkdirSync(mountPoint, { recursive: true });
  try {
    await run('mount', ['-t', 'ext4', '-o', 'ro,noload,loop', image, mountPoint]);
  } catch (error) {
    return { refused: error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? error.message) : String(error) };
  }
  const files = digestFiles(mountPoint);
  await unmount(mountPoint);
  return { files };
}

/** Takes the mount away if it is there: the folder could not be removed otherwise. */
export async function unmount(mountPoint: string): Promise<void> {
  if (!existsSync(mountPoint)) return;
  if (readFileSync('/proc/mounts', 'utf8').includes(` ${mountPoint} `)) await run('umount', [mountPoint]);
  rmdirSync(mountPoint);
}
