import { createHash } from 'node:crypto';

const gear = Uint32Array.from({ length: 256 }, (_, byte) =>
  createHash('sha256').update(`karri gear ${byte}`).digest().readUInt32LE(),
);
const MiB = 1 << 20;

/** How long the chunks are into which a range of data is cut, as FORMAT.md tells writers. */
export function cutByContent(bytes: Buffer): number[] {
  if (bytes.length <= MiB) return [bytes.length];
  const lengths: number[] = [];
  for (let start = 0; start < bytes.length; start += lengths.at(-1) ?? 0) lengths.push(findCut(bytes.subarray(start)));
  return lengths;
}

function findCut(bytes: Buffer): number {
  const end = Math.min(bytes.length, 4 * MiB);
  let h = 0;
  for (let at = 256 << 10; at < end; at++) {
    h = ((h << 1) + (gear[bytes[at] ?? 0] ?? 0)) >>> 0;
    if (h >>> (at < MiB ? 10 : 14) === 0) return at + 1;
  }
  return end;
}

/** Whether a segment ends after the node, as FORMAT.md tells writers. */
export function endsSegment(path: Buffer, recordBytes: number): boolean {
  let h = 0x811c9dc5;
  for (const byte of path) h = Math.imul(h ^ byte, 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h = (h ^ (h >>> 16)) >>> 0;
  return h * 196_608 < 2 ** 32 * recordBytes;
}
