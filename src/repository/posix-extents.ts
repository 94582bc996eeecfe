import type { Extent } from './contract.ts';
import { loadPosix, type Posix } from './posix.ts';

/**
 * The ranges of a file that hold data, ascending, not touching, within `sizeBytes`; what lies between reads as zeros.
 * The whole file where the file system or device knows no holes. Moves the file position: read with explicit positions.
 */
export function listDataExtents(fd: number, sizeBytes: number, posix: Posix = loadPosix()): Extent[] {
  const extents: Extent[] = [];
  for (let at = 0; at < sizeBytes; ) {
    const start = posix.seek(fd, at, 'data');
    if (start === 'unsupported') return [{ offset: 0, length: sizeBytes }];
    if (start === undefined || start >= sizeBytes) break;
    const end = posix.seek(fd, start, 'hole');
    if (end === 'unsupported') return [{ offset: 0, length: sizeBytes }];
    // Truncated between the two calls: what is left is read as far as it goes.
    const stop = Math.min(end ?? sizeBytes, sizeBytes);
    extents.push({ offset: start, length: stop - start });
    at = stop;
  }
  return extents;
}
