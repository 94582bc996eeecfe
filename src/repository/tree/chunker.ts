import { createHash } from 'node:crypto';

/**
 * Content-defined cut points (FastCDC with two thresholds): an insertion moves the cuts near it and no others.
 *
 * A 32-bit sum `h = (h << 1) + gear[byte]` rolls over the data, so that its upper bits depend on the last 32 bytes. The
 * first `minBytes` of a chunk are skipped. Up to `targetBytes` a cut follows the byte after which the upper 22 bits of
 * `h` are zero, from there on the upper 18 bits suffice; at `maxBytes` the chunk ends whatever `h` says. Random data
 * gives chunks of 1.1 MiB on average.
 */
export const chunkMinBytes = 256 * 1024;
export const chunkMaxBytes = 4 * 1024 * 1024;
const targetBytes = 1024 * 1024;

/** gear[b] = the first four bytes, little-endian, of SHA-256 over the text `karri gear <b in decimal>`. Part of the format. */
const gear = Uint32Array.from({ length: 256 }, (_, byte) =>
  createHash('sha256').update(`karri gear ${byte}`).digest().readUInt32LE(0),
);

/** Length of the chunk that begins at `start`; `end` is the end of the data, or at least `chunkMaxBytes` further on. */
export function findCut(data: Uint8Array, start: number, end: number): number {
  if (end - start <= chunkMinBytes) return end - start;
  const stop = Math.min(end, start + chunkMaxBytes);
  const target = Math.min(stop, start + targetBytes);
  const table = gear;
  let h = 0;
  let at = start + chunkMinBytes;
  for (; at < target; at++) {
    h = ((h << 1) + (table[data[at] as number] as number)) | 0;
    if (h >>> 10 === 0) return at + 1 - start;
  }
  for (; at < stop; at++) {
    h = ((h << 1) + (table[data[at] as number] as number)) | 0;
    if (h >>> 14 === 0) return at + 1 - start;
  }
  return stop - start;
}
