import { execFile } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { digestFiles, type FileDigests } from '../test/kit/digests.ts';

const run = promisify(execFile);

/**
 * Mounts an ext4 image read-only, journal untouched, and gives the digest of every file in it.
 * Undefined with a reason where this machine does not let us mount.
 */
export async function readMountedFiles(image: string, mountPoint: string): Promise<{ files: FileDigests } | { refused: string }> {
  if (process.getuid?.() !== 0) return { refused: 'only root may mount' };
  mkdirSync(mountPoint, { recursive: true });
  try {
    await run('mount', ['-t', 'ext4', '-o', 'ro,noload,loop', image, mountPoint]);
  } catch (error) {
    rmdirSync(mountPoint);
    return { refused: error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? error.message) : String(error) };
  }
  try {
    return { files: digestFiles(mountPoint) };
  } finally {
    await run('umount', [mountPoint]);
    rmdirSync(mountPoint);
  }
}
