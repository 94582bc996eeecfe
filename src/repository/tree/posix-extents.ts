import type { Extent } from '../contract.ts';
import { loadPosix, type Posix } from './posix.ts';

/**
 * The ranges of a file that hold data, ascending, not touching, from `from` up to `sizeBytes`; what lies between reads as zeros.
 * The whole file where the file system or device knows no holes. Moves the file position: read with explicit positions.
 */
export function listDataExtents(fd: number, sizeBytes: number, from = 0, posix: Posix = loadPosix()): Extent[] {
  const extents: Extent[] = [];
  for (let at = from; at < sizeBytes; ) {
    const start = posix.seek(fd, at, 'data');
    if (start === 'unsupported') return [{ offset: from, length: sizeBytes - from }];
    if (start === undefined || start >= sizeBytes) break;
    const end = posix.seek(fd, start, 'hole');
    if (end === 'unsupported') return [{ offset: from, length: sizeBytes - from }];
    // Truncated between the two calls: what is left is read as far as it goes.
    const stop = Math.min(end ?? sizeBytes, sizeBytes);
    extents.push({ offset: start, length: stop - start });
    at = stop;
  }
  return extents;
}
